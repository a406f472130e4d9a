"""What is chosen for a machine, on machines that are made up."""

import pytest
import tensorflow as tf

from tf_bigan import networks
from tf_bigan.core import hardware

# Flags of /proc/cpuinfo; None: there is no such file.
AMX, AVX = "fpu avx512f avx512_bf16 amx_bf16 amx_tile", "fpu avx512f avx512_bf16"
OLD, NOT_LINUX = "fpu avx2", None
# The devices: compute capabilities of the GPUs (None: not told), the number of TPUs.
CPU_ONLY, TPU = ((), 0), ((), 1)
AMPERE, TURING, MIXED = (((8, 0), (9, 0)), 0), (((7, 0),), 0), (((8, 0), (7, 5)), 0)
UNKNOWN_GPU = ((None,), 0)

# cpu, devices, (precision, jit_compile) -> dtype policy, whether XLA, a part of the reason
CHOICES = [
    (AMX, CPU_ONLY, ("auto", "auto"), "mixed_bfloat16", False, "with bfloat16 instructions"),
    (AVX, CPU_ONLY, ("auto", "auto"), "mixed_bfloat16", False, "with bfloat16 instructions"),
    (OLD, CPU_ONLY, ("auto", "auto"), "float32", True, "without bfloat16 instructions"),
    (NOT_LINUX, CPU_ONLY, ("auto", "auto"), "float32", True, "without bfloat16 instructions"),
    (OLD, AMPERE, ("auto", "auto"), "mixed_bfloat16", True, "2 GPU(s) with bfloat16"),
    (AMX, TURING, ("auto", "auto"), "float32", True, "1 GPU(s) without bfloat16"),
    (OLD, MIXED, ("auto", "auto"), "float32", True, "2 GPU(s) without bfloat16"),
    (OLD, UNKNOWN_GPU, ("auto", "auto"), "float32", True, "1 GPU(s) without bfloat16"),
    (OLD, TPU, ("auto", "auto"), "mixed_bfloat16", True, "a TPU"),
    # As given; what is not given is still chosen.
    (AMX, CPU_ONLY, ("float32", "auto"), "float32", True, "as given, a CPU with"),
    (AMX, CPU_ONLY, ("mixed_bfloat16", "auto"), "mixed_bfloat16", False, "as given, a CPU with"),
    (OLD, CPU_ONLY, ("mixed_bfloat16", "auto"), "mixed_bfloat16", True, "as given, a CPU without"),
    (AMX, CPU_ONLY, ("auto", True), "mixed_bfloat16", True, "XLA on as given"),
    (OLD, CPU_ONLY, ("auto", False), "float32", False, "XLA off as given"),
    (AMX, CPU_ONLY, ("float32", False), "float32", False, "XLA off as given, as given"),
    (OLD, AMPERE, ("float32", "auto"), "float32", True, "as given, 2 GPU(s)"),
]


@pytest.fixture
def machine(monkeypatch):
    """A function that puts tf_bigan on another machine."""

    monkeypatch.delenv("ONEDNN_MAX_CPU_ISA", raising=False)
    monkeypatch.delenv("TF_ENABLE_ONEDNN_OPTS", raising=False)

    def pretend(flags, devices):
        gpus, tpus = devices
        found = {"GPU": list(gpus), "TPU": ["TPU"] * tpus, "CPU": ["CPU"]}
        details = lambda gpu: {} if gpu is None else {"compute_capability": gpu}  # noqa: E731
        monkeypatch.setattr(tf.config, "list_physical_devices", lambda kind: found[kind])
        monkeypatch.setattr(tf.config.experimental, "get_device_details", details)
        monkeypatch.setattr(hardware, "Path", lambda path: _File(path, flags))

    return pretend


class _File:
    def __init__(self, path, flags):
        assert path == "/proc/cpuinfo"
        self.flags = flags

    def read_text(self):
        if self.flags is None:
            raise FileNotFoundError("/proc/cpuinfo")
        return f"processor\t: 0\nflags\t\t: {self.flags}\n"


@pytest.mark.parametrize(("flags", "devices", "given", "policy", "xla", "reason"), CHOICES)
def test_choice(machine, flags, devices, given, policy, xla, reason):
    machine(flags, devices)
    *chosen, why = hardware.choose(*given)
    assert chosen == [policy, xla] and reason in why


@pytest.mark.parametrize(
    ("name", "value", "policy"),
    [
        ("ONEDNN_MAX_CPU_ISA", "AVX2", "float32"),
        ("ONEDNN_MAX_CPU_ISA", "avx512_core_vnni", "float32"),
        ("ONEDNN_MAX_CPU_ISA", "AVX512_CORE_BF16", "mixed_bfloat16"),
        ("ONEDNN_MAX_CPU_ISA", "default", "mixed_bfloat16"),
        ("TF_ENABLE_ONEDNN_OPTS", "0", "float32"),
        ("TF_ENABLE_ONEDNN_OPTS", "False", "float32"),
        ("TF_ENABLE_ONEDNN_OPTS", "1", "mixed_bfloat16"),
    ],
)
def test_bfloat16_is_not_chosen_where_onednn_may_not_use_it(
    machine, monkeypatch, name, value, policy
):
    machine(AVX, CPU_ONLY)
    monkeypatch.setenv(name, value)
    assert hardware.choose()[0] == policy


@pytest.mark.parametrize(
    ("devices", "dense", "convolutional"), [(CPU_ONLY, True, False), (AMPERE, True, True)]
)
def test_convolutions_are_left_to_onednn_on_a_cpu(machine, devices, dense, convolutional):
    sizes = {"image_shape": (8, 8, 1), "latent_dim": 3, "width": 8}
    found = []
    for family in ("mlp", "dcgan"):
        network = networks.make(family, "generator", **sizes)
        machine(OLD, devices)
        found.append(hardware.choose("float32", networks=[network])[1])
    assert found == [dense, convolutional]


@pytest.mark.parametrize(
    ("devices", "steps", "xla"),
    [(CPU_ONLY, 999, False), (CPU_ONLY, 1000, True), (CPU_ONLY, None, True), (AMPERE, 1, True)],
)
def test_xla_is_not_for_a_short_run_on_a_cpu(machine, devices, steps, xla):
    machine(OLD, devices)
    _, chosen, why = hardware.choose(steps=steps)
    assert chosen == xla and ("a short run" in why) == (not xla)
    assert hardware.choose(jit_compile=True, steps=steps)[1]  # as given
