"""WGAN-GP's losses with critics whose slopes are known, and the penalty's own gradient."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from tests.models.conftest import make_batch, make_system, step_eagerly

SEED = tf.constant([3, 5])


@pytest.fixture
def model():
    return make_system("wgan_gp")


def linear(w):
    """A critic with the slope w everywhere, [8, 8, 1]."""
    return lambda x, training: tf.reduce_sum(x * w, (1, 2, 3))[:, None]


def test_losses_of_a_linear_critic(model):
    w = np.random.default_rng(0).normal(size=(8, 8, 1)).astype(np.float32)
    model.discriminator, batch, z = linear(w), make_batch(), model.prior.sample(8, 5)
    model.random.begin(SEED, 8)
    losses, logs = model.player_losses(batch, z, training=False)
    real, fake = ((np.asarray(x) * w).sum((1, 2, 3)) for x in (batch["image"], model.generator(z)))
    penalty = (np.linalg.norm(w) - 1) ** 2
    expected = fake.mean() - real.mean() + 10 * penalty
    assert float(losses["D"]) == pytest.approx(expected, rel=1e-5)
    assert float(losses["G"]) == pytest.approx(-fake.mean(), rel=1e-5)
    assert float(logs["gradient_penalty"]) == pytest.approx(penalty, rel=1e-5)
    assert float(logs["distance"]) == pytest.approx(real.mean() - fake.mean(), rel=1e-4)


def test_the_penalty_is_on_uniform_interpolates(model):
    """With D(x) = ½‖x‖² the slope at x̂ is x̂ itself."""
    model.discriminator = lambda x, training: 0.5 * tf.reduce_sum(x**2, (1, 2, 3))[:, None]
    x, x_fake = (make_batch(seed=seed)["image"] for seed in (0, 1))
    model.random.begin(SEED, 8)
    t = model.random.uniform().numpy()
    assert len(set(t)) == 8  # each image its own
    x_hat = t[:, None] * np.reshape(x, (8, -1)) + (1 - t[:, None]) * np.reshape(x_fake, (8, -1))
    expected = ((np.linalg.norm(x_hat, axis=1) - 1) ** 2).mean()
    model.random.begin(SEED, 8)
    penalty = model.gradient_penalty(x, x_fake, training=False)
    assert float(penalty) == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("scale", [0.5, 2.0])
def test_the_penalty_pulls_the_slope_to_1_from_both_sides(model, scale):
    w = tf.Variable(tf.fill((8, 8, 1), scale / 8.0))  # of norm `scale`
    model.discriminator, x = linear(w), make_batch()["image"]
    model.random.begin(SEED, 8)
    with tf.GradientTape() as tape:
        penalty = model.gradient_penalty(x, tf.zeros_like(x), training=True)
    expected = 2 * (scale - 1) * (w / scale)
    np.testing.assert_allclose(tape.gradient(penalty, w), expected, rtol=1e-4)


def test_a_flat_critic_has_a_finite_gradient(model):
    """The MLP's logit starts at zero, and with it every slope."""
    model.discriminator.logit.kernel.assign(tf.zeros_like(model.discriminator.logit.kernel))
    step_eagerly(model, make_batch())
    assert all(np.isfinite(v.numpy()).all() for v in model.trainable_variables)
    assert np.abs(model.discriminator.logit.kernel.numpy()).max() > 0


def test_five_moves_of_a_critic_without_batch_statistics(model):
    assert model.moves == (("D",),) * 5 + (("G",),)
    layers = model.discriminator._flatten_layers()
    assert not any(isinstance(layer, keras.layers.BatchNormalization) for layer in layers)
