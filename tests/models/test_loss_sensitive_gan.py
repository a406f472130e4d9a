"""LS-GAN's losses against NumPy for several costs; the margin is constant, the start not dead."""

import numpy as np
import pytest
import tensorflow as tf

from tests.models.conftest import make_batch, make_system, with_settings
from tf_bigan.errors import UserError


def make(**settings):
    return with_settings("loss_sensitive_gan", **settings)


@pytest.mark.parametrize("sign", [1.0, -1.0])
@pytest.mark.parametrize("leak", [0.0, 0.2, 0.7, 1.0])
@pytest.mark.parametrize("slope", [0.0, 0.5, 1.0, -1.0])
def test_losses_against_numpy(slope, leak, sign):
    """Of rows above zero and below."""
    model, batch = make(slope=slope, leak=leak, margin=0.02, gamma=0.3), make_batch()
    kernel = model.discriminator.logit.kernel
    kernel.assign(50.0 * sign * kernel)
    z = model.prior.sample(8, 5)
    x, fake = batch["image"].numpy(), model.generator(z).numpy()
    raw = [model.discriminator(images).numpy()[:, 0] for images in (x, fake)]
    assert np.min(raw) < -0.1 and np.max(raw) > 0.1
    real, generated = (np.where(values > 0, values, leak * values) for values in raw)
    excess = 0.02 * np.abs(x - fake).sum((1, 2, 3)) + real - generated
    cost = np.where(excess > 0, excess, slope * excess)
    losses, logs = model.player_losses(batch, z, training=False)
    np.testing.assert_allclose(losses["D"], (0.3 * real + cost).mean(), rtol=1e-5)
    np.testing.assert_allclose(losses["G"], generated.mean(), rtol=1e-5, atol=1e-7)
    np.testing.assert_allclose(logs["loss_real"], real, rtol=1e-5, atol=1e-7)


@pytest.mark.parametrize("distance", ["l1", "l2"])
def test_distances(distance):
    model, batch = make(distance=distance, margin=0.02), make_batch()
    z = model.prior.sample(8, 5)
    difference = batch["image"].numpy() - model.generator(z).numpy()
    delta = 0.02 * (np.abs(difference) if distance == "l1" else difference**2).sum((1, 2, 3))
    losses, logs = model.player_losses(batch, z, training=False)
    np.testing.assert_allclose(logs["delta"], delta, rtol=1e-5)
    excess = delta + logs["loss_real"].numpy() - logs["loss_fake"].numpy()
    np.testing.assert_allclose(losses["D"], np.maximum(excess, 0).mean(), rtol=1e-5, atol=1e-7)


def test_a_margin_of_the_mean_squared_error():
    """The sum's margin divided by the number of values; the default is the l1 distance."""
    model, batch = make(distance="l2", margin=3.0 / 64), make_batch()
    z = model.prior.sample(8, 5)
    _, logs = model.player_losses(batch, z, training=False)
    difference = batch["image"].numpy() - model.generator(z).numpy()
    np.testing.assert_allclose(logs["delta"], 3 * (difference**2).mean((1, 2, 3)), rtol=1e-5)
    assert type(model).hyperparameters()["distance"] == "l1"
    with pytest.raises(UserError, match="distance=mse is unknown"):
        make_system("loss_sensitive_gan", options={"set": "distance=mse"})


def test_named_costs():
    """Slope 0 is the hinge, 1 the Wasserstein loss, -1 the absolute value."""
    batch, costs = make_batch(), {}
    for slope in (0.0, 1.0, -1.0):
        # A margin below 0 takes the place of a well-trained L: some costs are then below it.
        model = make(slope=slope, leak=1.0)
        model.margin = -0.01
        z = model.prior.sample(8, 5)
        losses, logs = model.player_losses(batch, z, training=False)
        costs[slope] = float(losses["D"])
        excess = (logs["delta"] + logs["loss_real"] - logs["loss_fake"]).numpy()
    assert (excess < 0).any()
    assert costs[0.0] == pytest.approx(np.maximum(excess, 0).mean(), rel=1e-5, abs=1e-7)
    assert costs[1.0] == pytest.approx(excess.mean(), rel=1e-5)
    assert costs[-1.0] == pytest.approx(np.abs(excess).mean(), rel=1e-5)


def test_the_margin_is_a_constant():
    """With an L that says the same of everything, the margin alone has no gradient anywhere."""
    model, batch = make(slope=1.0), make_batch()
    model.discriminator.logit.kernel.assign(tf.zeros_like(model.discriminator.logit.kernel))
    with tf.GradientTape() as tape:
        losses, logs = model.player_losses(batch, model.prior.sample(8, 5), training=False)
    assert float(tf.reduce_mean(logs["delta"])) > 0.01
    variables = [v.value for v in model.generator.trainable_variables]
    gradients = tape.gradient(losses["D"], variables, unconnected_gradients="zero")
    assert all(float(tf.reduce_max(tf.abs(g))) == 0 for g in gradients)


def test_an_l_of_zero_learns():
    model, batch = make(), make_batch()
    kernel = model.discriminator.logit.kernel
    kernel.assign(tf.zeros_like(kernel))  # as the perceptrons start
    with tf.GradientTape() as tape:
        losses, _ = model.player_losses(batch, model.prior.sample(8, 5), training=False)
    assert float(tf.reduce_max(tf.abs(tape.gradient(losses["D"], kernel.value)))) > 1e-5
