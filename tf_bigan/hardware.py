"""Which precision and which compiler are fastest on this machine."""

from pathlib import Path

import tensorflow as tf


def choose(precision: str = "auto", jit_compile: bool | str = "auto") -> tuple[str, bool, str]:
    """(dtype policy, whether to use XLA, why), for "auto" by the hardware, else as given.

    oneDNN uses a CPU's bfloat16 matrix units, XLA does not; without them XLA in float32 is the
    fastest on a CPU. GPUs from Ampere on multiply bfloat16 in their tensor cores under XLA.
    """
    gpus = tf.config.list_physical_devices("GPU")
    if tf.config.list_physical_devices("TPU"):
        policy, xla, why = "mixed_bfloat16", True, "a TPU"
    elif gpus:
        details = [tf.config.experimental.get_device_details(gpu) for gpu in gpus]
        fast_bfloat16 = all(d.get("compute_capability", (0, 0))[0] >= 8 for d in details)
        policy, xla = ("mixed_bfloat16" if fast_bfloat16 else "float32"), True
        why = f"{len(gpus)} GPU(s) " + ("with" if fast_bfloat16 else "without") + " bfloat16"
    elif _cpu_has_bfloat16_matrix_units():
        policy, xla, why = "mixed_bfloat16", False, "a CPU with bfloat16 matrix units"
    else:
        policy, xla, why = "float32", True, "a CPU without bfloat16 matrix units"
    if precision != "auto":
        # Without bfloat16 products, nothing speaks against XLA on any hardware.
        policy, xla, why = precision, xla or precision == "float32", f"as given, {why}"
    if jit_compile != "auto":
        xla, why = bool(jit_compile), f"XLA {'on' if jit_compile else 'off'} as given, {why}"
    return policy, xla, why


def _cpu_has_bfloat16_matrix_units() -> bool:
    try:
        flags = Path("/proc/cpuinfo").read_text()
    except OSError:
        return False  # not Linux
    return "amx_bf16" in flags
