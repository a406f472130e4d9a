"""A Gaussian encoder's halves, and an autoencoder's two networks."""

import keras
import numpy as np
import pytest

from tests.closeness import assert_close
from tf_bigan.networks import AutoencoderNetwork, GaussianEncoder, make

SIZES = {"image_shape": (8, 8, 1), "latent_dim": 5, "width": 12}


@pytest.fixture
def x():
    return np.random.default_rng(0).random((6, 8, 8, 1), np.float32)


@pytest.mark.parametrize("family", ["mlp", "dcgan"])
def test_the_mean_comes_first_and_is_what_a_call_gives(family, x):
    encoder = make(family, "gaussian_encoder", **SIZES)
    rng = np.random.default_rng(1)
    for variable in encoder.trainable_variables:
        variable.assign(rng.normal(0, 0.3, variable.shape))
    both = encoder.body(x).numpy()
    mean, spread = encoder.distribution(x)
    assert both.shape == (6, 10) and np.abs(both[:, :5] - both[:, 5:]).min() > 0
    np.testing.assert_array_equal(mean, both[:, :5])
    np.testing.assert_array_equal(spread, both[:, 5:])
    np.testing.assert_array_equal(encoder(x), both[:, :5])
    assert_close(encoder.features(x)["e"], both[:, :5])


def test_an_autoencoder_decodes_its_code(x):
    network = make("mlp", "autoencoder", **SIZES)
    code, x_rec = network.code_and_reconstruction(x)
    np.testing.assert_array_equal(code, network.encoder(x))
    np.testing.assert_array_equal(x_rec, network.decoder(code))
    np.testing.assert_array_equal(network(x), x_rec)


def stock(shape, units, *last):
    """A network of Keras's own layers that computes in bfloat16."""
    policy = "mixed_bfloat16"
    layers = keras.layers.Flatten(dtype=policy), keras.layers.Dense(units, dtype=policy)
    return keras.Sequential([keras.Input(shape), *layers, *last])


def test_parts_of_stock_layers(x):
    """Which name no features, and give another dtype."""
    encoder = GaussianEncoder(stock((8, 8, 1), 10), (8, 8, 1))
    both = encoder.body(x).numpy().astype(np.float32)
    for found, expected in zip(encoder.distribution(x), np.split(both, 2, 1), strict=True):
        assert found.dtype == "float32"
        np.testing.assert_array_equal(found, expected)
    features = encoder.features(x)
    assert list(features) == ["e"] and features["e"].dtype == "float32"
    np.testing.assert_array_equal(features["e"], both[:, :5])
    image = keras.layers.Reshape((8, 8, 1), dtype="mixed_bfloat16")
    network = AutoencoderNetwork(stock((8, 8, 1), 5), stock((5,), 64, image), (8, 8, 1))
    code, x_rec = network.code_and_reconstruction(x)
    assert code.dtype == x_rec.dtype == "float32" and x_rec.shape == x.shape
    np.testing.assert_array_equal(code, network.encoder(x).numpy().astype(np.float32))
