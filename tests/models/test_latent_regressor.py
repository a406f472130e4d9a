"""The latent regressor's losses against NumPy, and what feeds E's batch statistics."""

import numpy as np
import pytest
import tensorflow as tf

from tests.closeness import assert_close
from tests.models.conftest import make_batch, make_system


def log_sigmoid(x):
    return -np.log1p(np.exp(-x))


def test_cross_entropy_of_a_uniform_z_by_hand():
    model = make_system("latent_regressor", options={"prior": "uniform"})
    # σ(log 3) = 3/4, and the targets (z + 1)/2 are 1, 1/2 and 0.
    logits, z = tf.fill((1, 3), np.float32(np.log(3))), tf.constant([[1.0, 0.0, -1.0]])
    terms = [-np.log(3 / 4), -(np.log(3 / 4) + np.log(1 / 4)) / 2, -np.log(1 / 4)]
    assert float(model.regression_loss(logits, z)) == pytest.approx(np.mean(terms), rel=1e-5)
    undecided = model.regression_loss(tf.zeros((4, 6)), tf.random.stateless_uniform((4, 6), (1, 2)))
    assert float(undecided) == pytest.approx(np.log(2), rel=1e-5)


def test_squared_error_of_any_other_z_by_hand():
    model = make_system("latent_regressor", options={"prior": "normal"})
    loss = model.regression_loss(tf.constant([[1.0, 2.0]]), tf.constant([[0.0, 4.0]]))
    assert float(loss) == pytest.approx((1 + 4) / 2, rel=1e-5)


def test_losses_against_numpy():
    model, batch = make_system("latent_regressor", options={"prior": "uniform"}), make_batch()
    z = model.prior.sample(8, 5)
    x_fake = model.generator(z)
    real, fake = (model.discriminator(x).numpy() for x in (batch["image"], x_fake))
    z_hat, t = model.encoder(x_fake).numpy(), (z.numpy() + 1) / 2
    p = (z_hat + 1) / 2  # z_hat = 2σ - 1
    losses, _ = model.player_losses(batch, z, training=False)
    expected = -(log_sigmoid(real).mean() + log_sigmoid(-fake).mean()) / 2
    assert float(losses["D"]) == pytest.approx(expected, rel=1e-5)
    assert float(losses["G"]) == pytest.approx(-log_sigmoid(fake).mean(), rel=1e-5)
    expected = -(t * np.log(p) + (1 - t) * np.log(1 - p)).mean()
    assert float(losses["E"]) == pytest.approx(expected, rel=1e-4)


def test_real_images_feed_the_encoders_statistics(monkeypatch):
    model, batch = make_system("latent_regressor"), make_batch()
    monkeypatch.setattr(type(model.encoder), "keeps_groups_apart", True, raising=False)
    twin = type(model.encoder).from_config(model.encoder.get_config())
    twin.set_weights(model.encoder.get_weights())
    before = [v.numpy() for v in twin.non_trainable_weights]
    model.player_losses(batch, model.prior.sample(8, 5), training=True)
    twin(batch["image"], training=True)
    after = [v.numpy() for v in twin.non_trainable_weights]
    assert all((a != b).any() for a, b in zip(before, after, strict=True))
    for a, b in zip(model.encoder.non_trainable_weights, after, strict=True):
        assert_close(a, b)
