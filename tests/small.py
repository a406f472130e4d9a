"""Small models, and two logical CPUs for the replicas."""

import contextlib

import keras
import numpy as np
import tensorflow as tf

import tf_bigan as tb

tf.config.set_logical_device_configuration(
    tf.config.list_physical_devices("CPU")[0], [tf.config.LogicalDeviceConfiguration()] * 2
)

IMAGE_SHAPE, LATENT, BATCH = (8, 8, 1), 5, 12


@contextlib.contextmanager
def eager():
    """A block in which nothing is traced: a few steps of a tiny model are over before that is."""
    tf.config.run_functions_eagerly(True)
    try:
        yield
    finally:
        tf.config.run_functions_eagerly(False)


def make_bigan(system=tb.models.BiGAN, optimizer=None, l2=0.0, **compile_arguments):
    """A small compiled model of the official networks, always with the same weights."""
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
