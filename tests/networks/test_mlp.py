import math

import keras
import numpy as np
import pytest
import tensorflow as tf

from tests.closeness import assert_close
from tf_bigan import losses
from tf_bigan.networks import MLPDiscriminator, MLPEncoder, MLPGenerator

SHAPE, LATENT, WIDTH, BATCH = (5, 3, 2), 4, 16, 12
NETWORKS = [MLPGenerator, MLPEncoder, MLPDiscriminator]


@pytest.fixture
def x():
    return np.random.default_rng(0).uniform(0, 1, (BATCH, *SHAPE)).astype("float32")


@pytest.fixture
def z():
    return np.random.default_rng(1).uniform(-1, 1, (BATCH, LATENT)).astype("float32")


def kernel(layer):
    return np.asarray(layer.kernel, np.float64)


def leaky(h):
    return np.where(h > 0, h, 0.2 * h)


def normalised(h):
    """Batch statistics, biased variance, no scale, no centre."""
    return (h - h.mean(0)) / np.sqrt(h.var(0) + 1e-8)


@pytest.mark.parametrize(
    ("network", "weights"), list(zip(NETWORKS, [1_953_792, 1_902_592, 1_903_616], strict=True))
)
def test_the_official_number_of_weights(network, weights):
    net = network((28, 28, 1), 50)
    assert sum(math.prod(v.shape) for v in net.trainable_variables) == weights


def test_generator_against_numpy(z):
    g = MLPGenerator(SHAPE, LATENT, WIDTH)
    h = np.maximum(normalised(z @ kernel(g.dense1)), 0)
    h = np.maximum(normalised(h @ kernel(g.dense2) + z @ kernel(g.condition2)), 0)
    expected = 1 / (1 + np.exp(-(h @ kernel(g.pixels))))
    assert_close(g(z, training=True), expected.reshape(-1, *SHAPE))


@pytest.mark.parametrize("squash", [True, False])
def test_encoder_against_numpy(x, squash):
    e = MLPEncoder(SHAPE, LATENT, WIDTH, squash=squash)
    h = leaky(x.reshape(BATCH, -1) @ kernel(e.dense1))
    h = leaky(normalised(h @ kernel(e.dense2)))
    logits = h @ kernel(e.latent)
    features = e.features(x, training=True)
    assert_close(features["e-"], h, tol=1e-4)
    assert_close(features["e"], logits, tol=1e-4)
    expected = 2 / (1 + np.exp(-logits)) - 1 if squash else logits
    assert_close(e(x, training=True), expected, tol=1e-4)


@pytest.mark.parametrize("latent", [LATENT, None])
def test_discriminator_against_numpy(x, z, latent):
    d = MLPDiscriminator(SHAPE, latent, WIDTH)
    d.logit.kernel.assign(np.random.default_rng(2).normal(size=(WIDTH, 1)))
    h = leaky(x.reshape(BATCH, -1) @ kernel(d.dense1)) @ kernel(d.dense2)
    if latent:
        h = h + z @ kernel(d.condition2)
    expected = leaky(normalised(h)) @ kernel(d.logit)
    got = d([x, z] if latent else x, training=True)
    assert_close(got, expected, tol=1e-4)


def test_an_untrained_discriminator_is_undecided(x, z):
    logits = MLPDiscriminator(SHAPE, LATENT, WIDTH)([x, z], training=True)
    np.testing.assert_array_equal(logits, np.zeros((BATCH, 1)))
    loss = losses.Logistic().discriminator(logits, logits)
    np.testing.assert_allclose(loss, 2 * math.log(2), rtol=1e-5)


def test_a_latent_regressor_starts_at_zero(x):
    e = MLPEncoder(SHAPE, LATENT, WIDTH, zero_init=True)
    np.testing.assert_array_equal(e(x, training=True), np.zeros((BATCH, LATENT)))


def test_weights_start_from_a_normal_distribution_of_their_own():
    keras.utils.set_random_seed(0)
    g = MLPGenerator((28, 28, 1), 50)
    for layer in (g.dense1, g.dense2, g.condition2, g.pixels):
        np.testing.assert_allclose(np.std(layer.kernel), 0.02, rtol=0.02)
    assert not np.array_equal(g.dense1.kernel, g.condition2.kernel)


@pytest.mark.parametrize("network", NETWORKS)
def test_the_gradient_of_l2_is_l2_times_the_weight(network):
    net = network(SHAPE, LATENT, WIDTH, l2=0.3)
    variables = [v.value for v in net.trainable_variables]
    with tf.GradientTape() as tape:
        penalty = tf.add_n(net.losses)
    for gradient, weight in zip(tape.gradient(penalty, variables), variables, strict=True):
        assert_close(gradient, 0.3 * weight)
    assert not network(SHAPE, LATENT, WIDTH).losses


@pytest.mark.parametrize("network", NETWORKS)
@pytest.mark.parametrize("dtype", ["float32", "mixed_bfloat16"])
def test_config_round_trip_keeps_arguments_dtype_and_function(network, dtype, x, z):
    inputs = {MLPGenerator: z, MLPEncoder: x, MLPDiscriminator: [x, z]}[network]
    net = network(SHAPE, LATENT, WIDTH, l2=0.1, dtype=dtype, name="mine")
    copy = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(net))
    assert type(copy) is network and copy.name == "mine" and copy.dtype_policy.name == dtype
    assert copy.get_config() == net.get_config()
    copy.set_weights(net.get_weights())
    y = net(inputs, training=False)
    assert y.dtype == tf.float32
    np.testing.assert_array_equal(copy(inputs, training=False), y)
    compute = "bfloat16" if dtype == "mixed_bfloat16" else "float32"
    assert {layer.compute_dtype for layer in net.layers if layer.weights} == {compute}
