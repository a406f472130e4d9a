"""What the tests of the systems share: any system with small networks, and its batches."""

import functools
import typing

import numpy as np
import pytest
import tensorflow as tf

import tf_bigan as tb
from tests.small import as_it_was, eager, state_of
from tf_bigan.run import build, presets
from tf_bigan.run.config import Config

BATCH, CLASSES, LATENT = 8, 3, 6
# What a system does only later in a training, in the few steps of a test.
SOON = {"magan": "period=1,pretraining=1", "triple_gan": "pseudo_after=1", "dann": "total_steps=4"}


def make_system(name, image_shape=(8, 8, 1), optimizer=None, options=None, **compile_arguments):
    """A small compiled system with the options that train.py gives it, and the official networks.

    `name` may have a choice behind it, as in "alice cycle=l1"; `options` are those of train.py.
    The initial weights are large enough for a step to show.
    """
    name, *choice = name.split()
    options_of_system = dict(presets.system(name).options)
    config = Config.from_dict(
        {"networks": "paper"}
        | options_of_system
        | {"penalty": tb.models.find(name).default_penalty or "none"}
        | {"model": name, "latent_dim": LATENT, "width": 12, "precision": "float32", "ema": 0.0}
        | {"prior": _small(options_of_system.get("prior", "normal"))}
        | {"set": ",".join([*SOON.get(name, "").split(), *choice]) or None}
        | (options or {})
    )
    model, _ = build.build_model(config, image_shape, steps_per_epoch=4, classes=CLASSES)
    rng = np.random.default_rng(1)
    for variable in model.trainable_variables:
        variable.assign(variable + rng.normal(0, 0.1, variable.shape))
    optimizer = optimizer or tb.optimizers.Adam(1e-3, beta_1=0.5)
    defaults = {"jit_compile": False, "seed": 3, "steps_per_execution": 2}
    defaults |= {key: getattr(config, key) for key in ("loss", "penalty", "augmentation")}
    model.compile(optimizer, **defaults | compile_arguments)
    return model


def with_settings(name, **settings):
    """The one `make_system(name)`, as it was new but for hyperparameters.

    For a system that reads them in its losses and steps alone: they are set, and not given to its
    constructor.
    """
    model, new = _built(name)
    for key, value in (type(model).hyperparameters() | settings).items():
        setattr(model, key, value)
    model._forget_compiled()
    return as_it_was(model, new)


@functools.cache
def _built(name):
    model = make_system(name)
    return model, [v.numpy() for v in state_of(model)]


def _small(prior: str) -> str:
    """A prior whose categorical part has as many classes as the labels of the tests."""
    return "+".join(f"categorical{CLASSES}" if p.startswith("cat") else p for p in prior.split("+"))


def every_choice():
    """Each system, and each again with what it offers to choose of: "alice", "alice cycle=l1"."""
    for name in tb.models.names():
        system = tb.models.find(name)
        defaults = system.hyperparameters()
        offers = {k: (not v,) for k, v in defaults.items() if isinstance(v, bool)}
        for key, hint in typing.get_type_hints(system.__init__).items():
            if typing.get_origin(hint) is typing.Literal:
                offers[key] = typing.get_args(hint)
        yield name
        for key, values in offers.items():
            others = (value for value in values if value != defaults[key])
            yield from (f"{name} {key}={value}" for value in others)


def make_batch(image_shape=(8, 8, 1), rows=BATCH, seed=0) -> dict[str, tf.Tensor]:
    """A batch with everything that any system reads."""
    rng = np.random.default_rng(seed)
    images = rng.random((3, rows, *image_shape), np.float32)
    labels = rng.integers(0, CLASSES, (3, rows))
    names = ("", "labelled_", "target_")
    return {f"{name}image": tf.constant(x) for name, x in zip(names, images, strict=True)} | {
        f"{name}label": tf.constant(y) for name, y in zip(names, labels, strict=True)
    }


def make_dataset(batches=4, **arguments) -> tf.data.Dataset:
    """`batches` different batches."""
    rows = [make_batch(seed=seed, **arguments) for seed in range(batches)]
    return tf.data.Dataset.from_tensor_slices(
        {key: tf.stack([row[key] for row in rows]) for key in rows[0]}
    )


def step_eagerly(model, batch) -> dict:
    """The logs of one step without tracing it, where its arithmetic alone is looked at."""
    with eager():
        return model.train_step(batch)


@pytest.fixture(params=tb.models.names(), scope="module")
def name(request) -> str:
    """Every system, by the name of its file."""
    return request.param
