"""ALI's losses against NumPy: the drawn code, and the game on pairs."""

import numpy as np
import pytest
import tensorflow as tf

import tf_bigan as tb
from tests.closeness import assert_close
from tests.models.conftest import LATENT, make_batch, make_system

SEED = tf.constant([3, 5])


@pytest.fixture
def model():
    return make_system("ali")


def softplus(x):
    return np.log1p(np.exp(x))


def normalised(h):
    """Batch normalisation by the rows of both batches."""
    return (h - h.mean(0)) / np.sqrt(h.var(0) + 1e-8)


def logits_by_hand(d, x, z):
    """The MLP discriminator, with one set of batch statistics."""
    leaky = lambda h: np.where(h > 0, h, 0.2 * h)  # noqa: E731
    w1, w2, w_z, w = (layer.kernel.numpy() for layer in (d.dense1, d.dense2, d.condition2, d.logit))
    h = leaky(np.reshape(x, (len(x), -1)) @ w1) @ w2 + z @ w_z
    return leaky(normalised(h)) @ w


def test_losses_against_numpy(model):
    batch, z = make_batch(), model.prior.sample(8, 5)
    x = batch["image"]
    model.random.begin(SEED, 8)
    eps = model.random.normal((LATENT,)).numpy()
    mean, log_sigma = (part.numpy() for part in model.encoder.distribution(x, training=True))
    z_hat = mean + np.exp(log_sigma) * eps
    x_fake = model.generator(z, training=True)
    logits = logits_by_hand(model.discriminator, np.concatenate([x, x_fake]), np.r_[z_hat, z])
    real, fake = np.split(logits, 2)
    model.random.begin(SEED, 8)
    losses, logs = model.player_losses(batch, z, training=True)
    assert_close(logs["logits_real"], real)
    assert_close(logs["logits_fake"], fake)
    discriminator = softplus(-real).mean() + softplus(fake).mean()
    assert float(losses["D"]) == pytest.approx(discriminator, rel=1e-5)
    others = softplus(real).mean() + softplus(-fake).mean()
    assert float(losses["EG"]) == pytest.approx(others, rel=1e-5)
    assert abs(discriminator - others) > 1e-3  # so that an exchange would show


def test_a_drawn_code_and_its_gradients(model):
    mean, log_sigma = tf.Variable(tf.ones((8, LATENT))), tf.Variable(tf.fill((8, LATENT), -0.5))
    model.encoder.distribution = lambda x, training: (mean, log_sigma)
    model.random.begin(SEED, 8)
    eps = model.random.normal((LATENT,)).numpy()
    model.random.begin(SEED, 8)
    with tf.GradientTape() as tape:
        z_hat = model.infer(None, training=True)
    assert_close(z_hat, 1 + np.exp(-0.5) * eps)
    of_mean, of_log_sigma = tape.gradient(z_hat, [mean, log_sigma])
    np.testing.assert_allclose(of_mean, np.ones_like(eps))
    np.testing.assert_allclose(of_log_sigma, np.exp(-0.5) * eps, rtol=1e-5)


def test_encode_gives_the_mean(model):
    x = make_batch()["image"]
    assert_close(model.encode(x.numpy()), model.encoder.distribution(x)[0])


def test_the_discriminator_sees_real_and_generated_pairs_in_one_batch(model):
    """Batch normalisation is that of all rows, and not of each half."""
    d = tb.networks.MLPDiscriminator((8, 8, 1), LATENT, width=12, norm="batch")
    rng = np.random.default_rng(0)
    for weight in d.trainable_variables:
        weight.assign(rng.normal(0, 0.3, weight.shape))
    x, x_fake = rng.random((2, 8, 8, 8, 1), np.float32)
    z_hat, z = rng.normal(size=(2, 8, LATENT)).astype(np.float32)
    joined = d([np.r_[x, x_fake], np.r_[z_hat, z]], training=True)
    halves = np.r_[d([x, z_hat], training=True), d([x_fake, z], training=True)]
    assert np.abs(joined - halves).max() > 0.1
    parts = {"encoder": model.encoder, "generator": model.generator, "discriminator": d}
    batch_normed = tb.models.ALI(prior=model.prior, **parts)
    _, logs = batch_normed.pair_losses([x, z_hat], [x_fake, z], training=True)
    assert_close(np.r_[logs["logits_real"], logs["logits_fake"]], joined)
