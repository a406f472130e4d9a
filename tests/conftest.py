"""What the tests share: the command line, small models, and the marker of tests of numbers.

pytest-xdist's first process reads this file as well, and only hands out the tests. So that it does
not import TensorFlow for nothing, all that needs it is imported where it is used.
"""

import contextlib
import functools
import importlib
import inspect
import io
import os
import re

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
# What XLA makes of a step is run for a few steps: optimising its machine code would take longer.
os.environ["XLA_FLAGS"] = " ".join(
    ["--xla_backend_optimization_level=0 --xla_llvm_disable_expensive_passes=true"]
    + [os.environ.get("XLA_FLAGS", "")]
)

import numpy as np
import pytest


def pytest_collectstart():
    """Not in a process without tests; and before a test's file uses TensorFlow."""
    importlib.import_module("tests.small")


# Kept below what the CPU has, as .ci/arithmetic does, oneDNN crashes on bfloat16.
_ONEDNN_LIMITED = pytest.mark.skipif(
    "ONEDNN_MAX_CPU_ISA" in os.environ, reason="bfloat16 crashes with ONEDNN_MAX_CPU_ISA"
)
_COMPARES = re.compile(r"\bassert_\w+\(|\bapprox\(")


def pytest_collection_modifyitems(items):
    """Tests that compare numbers get the marker for it."""
    source = functools.cache(inspect.getsource)  # of a function with parameters once
    for item in items:
        if _COMPARES.search(source(item.function)):
            item.add_marker("numbers")
        if "bfloat16" in item.nodeid or "bfloat16" in source(item.function):
            item.add_marker(_ONEDNN_LIMITED)


@pytest.fixture(autouse=True, scope="session")
def own_cache(tmp_path_factory):
    """Nothing is read from or written to the user's cache."""
    os.environ["TF_BIGAN_CACHE"] = str(tmp_path_factory.mktemp("cache"))


@pytest.fixture
def eagerly():
    """See `small.eager`."""
    from tests import small

    with small.eager():
        yield


@pytest.fixture
def undrawn(monkeypatch):
    """evaluate.py without pictures: they take as long as a quick measurement."""
    from tf_bigan.run import compare, pictures

    monkeypatch.setattr(compare.report, "report_png", lambda *arguments: None)
    monkeypatch.setattr(pictures, "figures", lambda *arguments: [])


@pytest.fixture
def few_batches(monkeypatch):
    """Recalibrates batch norm with five batches, where by how many does not matter: not 1,000."""
    from tf_bigan.run import measure

    calibrate = measure.calibrate
    monkeypatch.setattr(
        measure, "calibrate", lambda model, parts, steps: calibrate(model, parts, 5)
    )


@pytest.fixture
def images() -> np.ndarray:
    """Four batches of random images in [0, 1]."""
    from tests.small import BATCH, IMAGE_SHAPE

    return np.random.default_rng(0).random((4 * BATCH, *IMAGE_SHAPE), np.float32)


@pytest.fixture(scope="session")
def make_bigan():
    """A function that builds a small compiled model, always with the same weights."""
    from tests import small

    return small.make_bigan


@pytest.fixture(scope="module")
def built_bigan(make_bigan):
    """(what `make_bigan()` gives, all its state when it was new)."""
    from tests.small import state_of

    model = make_bigan()
    return model, [v.numpy() for v in state_of(model)]


@pytest.fixture
def bigan(built_bigan):
    """The same model for all tests of a file, built and traced once, always as it was new.

    Not for a test that compiles it anew, or changes its parts: that needs one of its own.
    """
    from tests.small import as_it_was

    model, _ = built_bigan
    model.steps_per_execution = 16
    return as_it_was(*built_bigan)


@pytest.fixture(scope="session")
def command():
    """A function that runs train.py or evaluate.py here: (exit status, stdout, stderr)."""
    from tf_bigan.run.flags import run

    def call(script: str, *arguments) -> tuple[int, str, str]:
        module = importlib.import_module(f"tf_bigan.run.{script}")
        module.FLAGS.unparse_flags()
        out, err = io.StringIO(), io.StringIO()
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            argv = [f"{script}.py", *map(str, arguments)]
            status = run(module.main, argv, module.__doc__, module.FLAGS)
        return status, out.getvalue(), err.getvalue()

    return call


@pytest.fixture(scope="session")
def tiny_options() -> list[str]:
    """Options of a run of 3 epochs of 24 steps, with an average and checkpoints in mid-epoch.

    An epoch is ceil(1249 / 53) steps.
    """
    return [
        *("--dataset=digits", "--batch_size=53", "--width=16", "--epochs=3", "--eval_every=1"),
        *("--picture_every=3", "--checkpoint_steps=8", "--steps_per_execution=2"),
        "--networks=mlp",  # the quickest
    ]


@pytest.fixture(scope="session")
def tiny_run(tmp_path_factory, command, tiny_options):
    """The finished run of `tiny_options`, to look at and to copy: (its workdir, its output)."""
    workdir = tmp_path_factory.mktemp("tiny") / "run"
    status, out, err = command("train", f"--workdir={workdir}", *tiny_options)
    assert status == 0, err
    return workdir, out
