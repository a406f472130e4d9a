"""Small models that the tests share, and two logical CPU devices for the replicas."""

import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import keras
import numpy as np
import pytest
import tensorflow as tf

import tf_bigan as tb

tf.config.set_logical_device_configuration(
    tf.config.list_physical_devices("CPU")[0], [tf.config.LogicalDeviceConfiguration()] * 2
)

IMAGE_SHAPE, LATENT, BATCH = (8, 8, 1), 5, 12


@pytest.fixture
def images() -> np.ndarray:
    """Four batches of random images in [0, 1]."""
    return np.random.default_rng(0).random((4 * BATCH, *IMAGE_SHAPE), np.float32)


@pytest.fixture
def make_bigan():
    """A function that builds a small compiled model, always with the same weights."""

    def make(system=tb.models.BiGAN, optimizer=None, **compile_arguments):
        keras.utils.set_random_seed(7)
        networks = {
            role: tb.networks.make(
                "mlp", role, image_shape=IMAGE_SHAPE, latent_dim=LATENT, width=16
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
