"""WGAN-GP's losses with a critic whose slope is known; its penalty is part of a step by default."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from tests.models.conftest import make_batch, make_system, step_eagerly
from tf_bigan import losses, penalties

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
    losses, _ = model.player_losses(batch, z, training=False)
    real, fake = ((np.asarray(x) * w).sum((1, 2, 3)) for x in (batch["image"], model.generator(z)))
    assert float(losses["D"]) == pytest.approx(fake.mean() - real.mean(), rel=1e-5)
    assert float(losses["G"]) == pytest.approx(-fake.mean(), rel=1e-5)


def test_its_own_loss_and_penalty(model):
    """λ = 10 and all rows in each step, as in algorithm 1."""
    all_rows = {"gamma": 10.0, "every_row": 1, "every_step": 1, "half_life": None}
    assert type(model.adversarial_loss) is losses.Wasserstein
    assert type(model.penalty) is penalties.GradientPenalty
    assert model.penalty.get_config() == all_rows
    model.compile(penalty="none", jit_compile=False)
    assert model.penalty is None


def test_a_step_of_the_critic_adds_the_penalty(model):
    """Against a step by hand, at points that the step's own key draws."""
    batch, rate = make_batch(), 0.1
    model.compile(keras.optimizers.SGD(rate), jit_compile=False, seed=3)
    model.moves = (("D",),)
    model._forget_compiled()
    d = model.discriminator
    z, key = model._draw(batch, 0)
    model._begin(batch, key)
    t = tf.reshape(model.random.uniform(), (-1, 1, 1, 1))
    fake = model.generator(z, training=True)
    middle = t * batch["image"] + (1 - t) * fake
    variables = [v.value for v in d.trainable_variables]
    with tf.GradientTape() as tape:
        with tf.GradientTape() as inner:
            inner.watch(middle)
            scores = d(middle, training=True)
        norm = tf.sqrt(tf.reduce_sum(inner.gradient(scores, middle) ** 2, (1, 2, 3)))
        distance = tf.reduce_mean(d(batch["image"])) - tf.reduce_mean(d(fake))
        penalty = 10 * tf.reduce_mean((norm - 1) ** 2)
        loss = penalty - distance
    assert float(penalty) > 1e-2
    expected = [
        v.numpy() - rate * g for v, g in zip(variables, tape.gradient(loss, variables), strict=True)
    ]
    logs = step_eagerly(model, batch)
    assert float(logs["penalty_D"]) == pytest.approx(float(penalty), rel=1e-4)
    assert float(logs["loss_D"]) == pytest.approx(-float(distance), rel=1e-4)
    for variable, value in zip(d.trainable_variables, expected, strict=True):
        np.testing.assert_allclose(variable.numpy(), value, rtol=1e-4, atol=1e-5)


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
