import keras
import numpy as np
import pytest
import tensorflow as tf

from tests.closeness import assert_close
from tf_bigan.networks import (
    AutoencoderNetwork,
    BatchNormalization,
    GaussianEncoder,
    MLPDiscriminator,
    MLPEncoder,
    MLPGenerator,
    batch_groups,
    discriminate,
)

SHAPES = [(12, 5), (12, 4, 3, 5)]


def rows(shape, seed=0):
    random = np.random.default_rng(seed)
    return tf.constant(random.normal(size=shape) * 2 + 1, tf.float32)


def pair(shape, **options):
    """Ours and the stock layer, with the same random scale and centre."""
    ours, stock = BatchNormalization(**options), keras.layers.BatchNormalization(**options)
    random = np.random.default_rng(1)
    for layer in (ours, stock):
        layer.build(shape)
    if ours.scale:
        gamma, beta = random.uniform(0.5, 2, shape[-1]), random.normal(size=shape[-1])
        for layer in (ours, stock):
            layer.gamma.assign(gamma)
            layer.beta.assign(beta)
    return ours, stock


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("affine", [True, False])
def test_two_groups_equal_the_stock_layer_on_each_half(shape, affine):
    ours, stock = pair(shape, center=affine, scale=affine)
    x, weights = rows(shape), rows(shape, seed=2)
    with tf.GradientTape() as tape, batch_groups(2):
        tape.watch(x)
        y = ours(x, training=True)
        loss = tf.reduce_sum(weights * y**2)
    gradients = tape.gradient(loss, [x, *[v.value for v in ours.trainable_variables]])
    with tf.GradientTape() as tape:
        tape.watch(x)
        expected = tf.concat([stock(half, training=True) for half in tf.split(x, 2)], 0)
        loss = tf.reduce_sum(weights * expected**2)
    reference = tape.gradient(loss, [x, *[v.value for v in stock.trainable_variables]])
    assert_close(y, expected)
    assert len(gradients) == (3 if affine else 1)
    for gradient, wanted in zip(gradients, reference, strict=True):
        assert_close(gradient, wanted, tol=1e-4)


@pytest.mark.parametrize("shape", SHAPES)
def test_one_group_equals_the_stock_layer(shape):
    ours, stock = pair(shape)
    x = rows(shape)
    assert_close(ours(x, training=True), stock(x, training=True))
    assert_close(ours.moving_mean, stock.moving_mean)
    # Stock Keras feeds the biased variance, 1/n; ours the unbiased one, 1/(n - 1).
    n = np.prod(shape[:-1])
    biased = (stock.moving_variance - 0.99) / 0.01
    np.testing.assert_allclose(
        (ours.moving_variance - 0.99) / 0.01, biased * n / (n - 1), rtol=1e-3
    )
    stock.set_weights(ours.get_weights())
    with batch_groups(2):  # which inference ignores
        y = ours(x, training=False)
    assert_close(y, stock(x, training=False))


def test_only_the_first_group_feeds_the_moving_averages():
    ours = BatchNormalization(momentum=0.9, epsilon=0.0)
    with batch_groups(2):
        y = ours(tf.constant([[1.0], [3.0], [10.0], [20.0]]), training=True)
    assert_close(y, [[-1.0], [1.0], [-1.0], [1.0]])
    assert_close(ours.moving_mean, [0.1 * 2.0])
    assert_close(ours.moving_variance, [0.9 * 1.0 + 0.1 * 2.0])


def test_a_frozen_layer_uses_and_keeps_its_moving_averages():
    ours, stock = pair((12, 5))
    ours.trainable = False
    y = ours(rows((12, 5)), training=True)
    assert_close(y, stock(rows((12, 5)), training=False))
    np.testing.assert_array_equal(ours.moving_mean, np.zeros(5))


def test_other_axes_are_refused():
    with pytest.raises(ValueError, match="channels last"):
        BatchNormalization(axis=1)(rows((12, 4, 3, 5)), training=True)


def test_the_groups_end_with_their_block():
    with pytest.raises(RuntimeError), batch_groups(2):
        raise RuntimeError
    ours, stock = pair((12, 5))
    x = rows((12, 5))
    assert_close(ours(x, training=True), stock(x, training=True))


@pytest.mark.parametrize("shape", SHAPES)
def test_mixed_precision_keeps_float32_statistics(shape):
    mixed, _ = pair(shape, dtype="mixed_bfloat16")
    full, _ = pair(shape)
    x = tf.cast(rows(shape) + 100.0, tf.bfloat16)  # a mean that bfloat16 sums would lose
    with batch_groups(2):
        y, expected = mixed(x, training=True), full(tf.cast(x, tf.float32), training=True)
    assert y.dtype == tf.bfloat16 and mixed.moving_mean.dtype == "float32"
    assert_close(tf.cast(y, tf.float32), expected, tol=2**-7)
    assert_close(mixed.moving_mean, full.moving_mean)


@pytest.fixture
def pairs():
    random = np.random.default_rng(0)

    def draw(offset):
        x = random.uniform(0, 1, (6, 4, 4, 1)) ** offset
        return [tf.constant(x, tf.float32), tf.constant(random.normal(size=(6, 3)), tf.float32)]

    return draw(1), draw(3)


def test_discriminate_equals_two_calls(pairs):
    real, fake = pairs
    network = MLPDiscriminator((4, 4, 1), 3, width=8)
    network.logit.kernel.assign(np.random.default_rng(1).normal(size=(8, 1)))
    for training in (True, False):
        got = discriminate(network, real, fake, training=training)
        wanted = network(real, training=training), network(fake, training=training)
        for logits, expected in zip(got, wanted, strict=True):
            assert_close(logits, expected, tol=1e-4)
    joined = network([tf.concat(p, 0) for p in zip(real, fake, strict=True)], training=True)
    assert np.abs(joined[:6] - network(real, training=True)).max() > 1e-2


def test_discriminate_calls_a_network_of_stock_layers_twice(pairs):
    real, fake = pairs
    calls = []

    class Counted(keras.layers.BatchNormalization):
        def call(self, inputs, training=None, mask=None):
            calls.append(inputs.shape[0])
            return super().call(inputs, training=training, mask=mask)

    x, z = keras.Input((4, 4, 1)), keras.Input((3,))
    h = keras.layers.Concatenate()([keras.layers.Flatten()(x), z])
    network = keras.Model([x, z], keras.layers.Dense(1)(Counted()(h)))
    calls.clear()
    got = discriminate(network, real, fake, training=True)
    assert calls == [6, 6]
    for logits, inputs in zip(got, (real, fake), strict=True):
        assert_close(logits, network(inputs, training=True))


def test_of_stock_layers_too_only_the_first_group_feeds_the_moving_averages(pairs):
    images = [x for x, _ in pairs]
    layers = keras.layers.Flatten(), keras.layers.BatchNormalization(momentum=0.0)
    network = keras.Sequential([keras.Input((4, 4, 1)), *layers])
    discriminate(network, *images, training=True)
    mean = images[0].numpy().reshape(6, 16).mean(0)
    assert_close(network.layers[-1].moving_mean, mean)
    discriminate(network, *reversed(images), training=False)
    assert_close(network.layers[-1].moving_mean, mean)


def test_a_network_of_networks_keeps_groups_apart_if_all_of_them_do(pairs):
    size, images = (4, 4, 1), [x for x, _ in pairs]
    ours, decoder = MLPEncoder(size, 4, width=4), MLPGenerator(size, 4, width=4)
    layers = keras.layers.Flatten(), keras.layers.BatchNormalization(), keras.layers.Dense(4)
    stock = keras.Sequential([keras.Input(size), *layers])
    for encoder, joins in ((ours, True), (stock, False)):
        networks = AutoencoderNetwork(encoder, decoder, size), GaussianEncoder(encoder, size)
        for network in networks:
            assert network.keeps_groups_apart == joins
            got = discriminate(network, *images, training=True)
            for output, x in zip(got, images, strict=True):
                assert_close(output, network(x, training=True), tol=1e-4)
