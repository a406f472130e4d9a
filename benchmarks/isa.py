"""Measures as on a CPU with fewer instructions than this one has.

The libraries read these variables when they are imported. TensorFlow's and PyTorch's own loops are
not all limited by them; their products and convolutions are.
"""

import os
import sys

LIMITS = {
    "avx2": {
        "ONEDNN_MAX_CPU_ISA": "AVX2",  # the products of TensorFlow, and most of PyTorch's
        "XLA_FLAGS": "--xla_cpu_max_isa=AVX2",
        "ATEN_CPU_CAPABILITY": "avx2",  # PyTorch's loops
        "MKL_ENABLE_INSTRUCTIONS": "AVX2",  # PyTorch's float32 products
    }
}


def limited(isa: str | None, module: str) -> bool:
    """Whether there is a limit; the program starts again if its variables are not set yet.

    Args:
        isa: a key of `LIMITS`, or None for all instructions.
        module: the program's, as in `python -m`.
    """
    if isa is None:
        return False
    wanted = LIMITS[isa]
    if any(value not in os.environ.get(name, "").split() for name, value in wanted.items()):
        sys.stdout.flush()
        # Flags of the user's for XLA stay.
        flags = f"{os.environ.get('XLA_FLAGS', '')} {wanted['XLA_FLAGS']}".strip()
        environment = os.environ | wanted | {"XLA_FLAGS": flags}
        os.execve(sys.executable, [sys.executable, "-m", module, *sys.argv[1:]], environment)
    return True


def note(isa: str | None) -> str:
    """A paragraph for a page, that says the limit; empty without one."""
    if isa is None:
        return ""
    variables = ", ".join(f"{name}={value}" for name, value in LIMITS[isa].items())
    return f"\n\nIn float32, without instructions beyond {isa.upper()}: {variables}."
