"""Chooses the compute dtype and whether to use XLA, by the hardware."""

import contextlib
import os
from collections.abc import Iterable, Iterator
from pathlib import Path

import keras
import tensorflow as tf

_CONVOLUTIONS = (keras.layers.Conv2D, keras.layers.Conv2DTranspose)
# On a CPU, trainings with fewer steps than this do not recover the time of XLA's compilation.
SHORT_RUN = 1000


def choose(
    precision: str = "auto",
    jit_compile: bool | str = "auto",
    networks: Iterable[keras.Model] = (),
    steps: int | None = None,
) -> tuple[str, bool, str]:
    """(dtype policy, whether to use XLA, reason). "auto" depends on the hardware.

    oneDNN uses a CPU's bfloat16 instructions (AMX, AVX512_BF16), XLA does not. In float32 XLA is
    about as fast as oneDNN with dense networks, but its convolutions are slower. GPUs since Ampere
    multiply bfloat16 in their tensor cores under XLA.

    networks: the networks to train, if known.
    steps: number of steps of the whole training, if known. Short trainings on a CPU use no XLA.
    """
    gpus, tpus = map(tf.config.list_physical_devices, ("GPU", "TPU"))
    if tpus:
        policy, xla, why = "mixed_bfloat16", True, "a TPU"
    elif gpus:
        details = [tf.config.experimental.get_device_details(gpu) for gpu in gpus]
        fast_bfloat16 = all(d.get("compute_capability", (0, 0))[0] >= 8 for d in details)
        policy, xla = ("mixed_bfloat16" if fast_bfloat16 else "float32"), True
        why = f"{len(gpus)} GPU(s) " + ("with" if fast_bfloat16 else "without") + " bfloat16"
    elif _cpu_multiplies_bfloat16():
        policy, xla, why = "mixed_bfloat16", False, "a CPU with bfloat16 instructions"
    else:
        policy, xla, why = "float32", True, "a CPU without bfloat16 instructions"
    if precision != "auto":
        policy, xla, why = precision, xla or precision == "float32", f"as given, {why}"
    if xla and not (gpus or tpus):
        if any(map(_convolves, networks)):
            xla, why = False, f"{why}, convolutions"
        elif steps is not None and steps < SHORT_RUN:
            xla, why = False, f"{why}, a short run"
    if jit_compile != "auto":
        xla, why = bool(jit_compile), f"XLA {'on' if jit_compile else 'off'} as given, {why}"
    return policy, xla, why


def _convolves(network: keras.Model) -> bool:
    return any(isinstance(layer, _CONVOLUTIONS) for layer in network._flatten_layers())


def _cpu_multiplies_bfloat16() -> bool:
    """Whether the CPU has instructions for it, and oneDNN may use them: else it is emulated."""
    try:
        flags = Path("/proc/cpuinfo").read_text()
    except OSError:
        return False  # not Linux
    limit = os.environ.get("ONEDNN_MAX_CPU_ISA", "").upper() or "DEFAULT"
    allowed = limit == "DEFAULT" or any(name in limit for name in ("BF16", "FP16", "AMX", "AVX10"))
    allowed &= os.environ.get("TF_ENABLE_ONEDNN_OPTS", "").lower() not in ("0", "false")
    return allowed and ("amx_bf16" in flags or "avx512_bf16" in flags)


@contextlib.contextmanager
def without_remapper() -> Iterator[None]:
    """A block whose graphs TensorFlow's remapper leaves alone.

    On gradients of a convolution with a leaky ReLU it fails, and prints an error for each graph.
    """
    options = tf.config.optimizer.get_experimental_options()
    tf.config.optimizer.set_experimental_options({"remapping": False})
    try:
        yield
    finally:
        tf.config.optimizer.set_experimental_options({"remapping": options.get("remapping", True)})
