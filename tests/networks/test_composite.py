"""A Gaussian encoder's halves, and an autoencoder's two networks."""

import numpy as np
import pytest

from tests.closeness import assert_close
from tf_bigan.networks import make

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


def test_an_autoencoder_gives_what_its_decoder_makes_of_its_code(x):
    network = make("mlp", "autoencoder", **SIZES)
    code, x_rec = network.code_and_reconstruction(x)
    np.testing.assert_array_equal(code, network.encoder(x))
    np.testing.assert_array_equal(x_rec, network.decoder(code))
    np.testing.assert_array_equal(network(x), x_rec)
