"""What the tests share: small models, the command line, two logical CPUs for the replicas."""

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

import keras
import numpy as np
import pytest
import tensorflow as tf

import tf_bigan as tb
from tf_bigan.run import compare, pictures
from tf_bigan.run.flags import run

tf.config.set_logical_device_configuration(
    tf.config.list_physical_devices("CPU")[0], [tf.config.LogicalDeviceConfiguration()] * 2
)

IMAGE_SHAPE, LATENT, BATCH = (8, 8, 1), 5, 12


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
    """A few steps of a tiny model are over before TensorFlow has traced them."""
    tf.config.run_functions_eagerly(True)
    yield
    tf.config.run_functions_eagerly(False)


@pytest.fixture
def undrawn(monkeypatch):
    """evaluate.py without pictures: they take as long as a quick measurement."""
    monkeypatch.setattr(compare.report, "report_png", lambda *arguments: None)
    monkeypatch.setattr(pictures, "figures", lambda *arguments: [])


@pytest.fixture
def images() -> np.ndarray:
    """Four batches of random images in [0, 1]."""
    return np.random.default_rng(0).random((4 * BATCH, *IMAGE_SHAPE), np.float32)


@pytest.fixture(scope="session")
def make_bigan():
    """A function that builds a small compiled model, always with the same weights."""

    def make(system=tb.models.BiGAN, optimizer=None, l2=0.0, **compile_arguments):
        keras.utils.set_random_seed(7)
        networks = {
            role: tb.networks.make(
                "paper", role, image_shape=IMAGE_SHAPE, latent_dim=LATENT, width=16, l2=l2
            )
            for role in system.network_names()
        }
        # The small initial weights, and a logit of zero, would make steps too small to judge.
        rng = np.random.default_rng(1)
        for network in networks.values():
            for weight in network.trainable_variables:
                weight.assign(rng.normal(0, 0.2, weight.shape))
        model = system(prior=tb.priors.Uniform(LATENT), **networks)
        model.compile(optimizer, **({"jit_compile": False} | compile_arguments))
        return model

    return make


@keras.saving.register_keras_serializable("tests")
class PlainDiscriminator(keras.Model):
    """No batch statistics, so that rows do not depend on each other."""

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.flatten, self.hidden = keras.layers.Flatten(), keras.layers.Dense(8, "tanh")
        self.logit = keras.layers.Dense(1)
        self([keras.Input(IMAGE_SHAPE), keras.Input((LATENT,))])

    def call(self, inputs, training=False):
        x, z = inputs
        return self.logit(self.hidden(tf.concat([self.flatten(x), z], -1)))

    def get_config(self):
        return {"name": self.name}


def plain_networks() -> dict[str, keras.Model]:
    """BiGAN's, of a layer or two and without batch normalisation."""
    generator = keras.Sequential(
        [
            keras.Input((LATENT,)),
            keras.layers.Dense(64, "sigmoid"),
            keras.layers.Reshape(IMAGE_SHAPE),
        ]
    )
    encoder = keras.Sequential(
        [keras.Input(IMAGE_SHAPE), keras.layers.Flatten(), keras.layers.Dense(LATENT, "tanh")]
    )
    return {
        "generator": generator,
        "encoder": encoder,
        "discriminator": PlainDiscriminator(),
    }


def make_plain(system=tb.models.BiGAN, optimizer=None, **compile_arguments):
    """A compiled system of them: built, loaded and traced in half the time of `make_bigan`'s."""
    keras.utils.set_random_seed(5)
    networks = plain_networks()
    networks = {name: networks[name] for name in system.network_names()}
    model = system(prior=tb.priors.Uniform(LATENT), **networks)
    model.compile(optimizer, **({"jit_compile": False} | compile_arguments))
    return model


def state_of(model) -> list:
    """All that a step changes: weights, adapted state and the optimizers'."""
    parts = [model, *map(model.optimizer_of, model.players)]
    parts += [] if model.average is None else [model.average]
    return [variable for part in parts for variable in part.variables]


def as_it_was(model, values):
    """The model, with the values that `state_of` had."""
    for variable, value in zip(state_of(model), values, strict=True):
        variable.assign(value)
    return model


@pytest.fixture(scope="module")
def built_bigan(make_bigan):
    """(what `make_bigan()` gives, all its state when it was new)."""
    model = make_bigan()
    return model, [v.numpy() for v in state_of(model)]


@pytest.fixture
def bigan(built_bigan):
    """The same model for all tests of a file, built and traced once, always as it was new.

    Not for a test that compiles it anew, or changes its parts: that needs one of its own.
    """
    model, _ = built_bigan
    model.steps_per_execution = 16
    return as_it_was(*built_bigan)


@pytest.fixture(scope="session")
def command():
    """A function that runs train.py or evaluate.py here: (exit status, stdout, stderr)."""

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
