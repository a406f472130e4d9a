"""VAE-GAN's three losses against NumPy in its three kinds; the divergence by hand."""

import math

import numpy as np
import pytest
import tensorflow as tf
from scipy.special import log_softmax

from tests.models.conftest import LATENT, make_batch, make_system
from tf_bigan.errors import UserError
from tf_bigan.models.vae_gan import VAEGAN, kl_from_standard_normal


def make(kind, gamma=0.3, prior="normal"):
    return make_system(
        "vae_gan",
        options={
            "set": f"kind={kind},gamma={gamma},sigma=0.5,feature_sigma=0.25",
            "prior": prior,
        },
    )


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


@pytest.mark.parametrize("kind", ("features", "pixels", "three_class"))
def test_losses_against_numpy(kind):
    model, batch = make(kind), make_batch()
    x, z = batch["image"], model.prior.sample(8, 5)
    model.random.begin(tf.constant([1, 2]), 8)
    noise = model.random.normal((LATENT,)).numpy()
    model.random.begin(tf.constant([1, 2]), 8)
    losses, logs = model.player_losses(batch, z, training=False)

    mean, log_sigma = (part.numpy() for part in model.encoder.distribution(x))
    rec, fake = model.generator(mean + np.exp(log_sigma) * noise), model.generator(z)
    l_real, l_fake, l_rec = (model.discriminator(v).numpy() for v in (x, fake, rec))
    if kind == "features":
        difference = model.discriminator.features(x) - model.discriminator.features(rec)
        difference /= 0.25
    else:
        difference = (x - rec) / 0.5
    r = 0.5 * np.sum(np.square(difference.numpy())) / 8
    kl = 0.5 * np.sum(mean**2 + np.exp(log_sigma) ** 2 - 1 - 2 * log_sigma) / 8
    if kind == "three_class":
        p_fake, p_rec = (np.exp(log_softmax(v, -1))[:, 0] for v in (l_fake, l_rec))
        d = -sum(log_softmax(v, -1)[:, i].mean() for i, v in enumerate((l_real, l_fake, l_rec)))
    else:
        p_real, p_fake, p_rec = (sigmoid(v[:, 0]) for v in (l_real, l_fake, l_rec))
        d = -np.mean(np.log(p_real) + np.log(1 - p_fake) + np.log(1 - p_rec))
    np.testing.assert_allclose(losses["E"], kl + r, rtol=1e-5)
    np.testing.assert_allclose(losses["G"], 0.3 * r - np.mean(np.log(p_fake * p_rec)), rtol=1e-5)
    np.testing.assert_allclose(losses["D"], d, rtol=1e-5)
    np.testing.assert_allclose(sigmoid(logs["logits_fake"].numpy()), p_fake, rtol=1e-4)


def test_divergence_by_hand():
    """½(1 + 1 - 1 - 0) for μ = 1, σ = 1, and ½(4 - 1 - 2 log 2) for μ = 0, σ = 2; 0 for 0, 1."""
    mean, log_sigma = tf.constant([[1.0, 0.0], [0.0, 0.0]]), tf.constant([[0.0, 0.6931472], [0, 0]])
    expected = [0.5 + 0.5 * (3 - 2 * math.log(2)), 0.0]
    np.testing.assert_allclose(kl_from_standard_normal(mean, log_sigma), expected, atol=1e-5)


def test_the_encoders_loss_does_not_depend_on_the_discriminators_last_layer():
    """D's last layer has a part in what G and D minimise, and none in what E does."""
    model, batch = make("features"), make_batch()
    head = model.discriminator.logit.kernel.value
    model.random.begin(tf.constant([1, 2]), 8)
    with tf.GradientTape(persistent=True) as tape:
        losses, _ = model.player_losses(batch, model.prior.sample(8, 5), training=False)
    assert tape.gradient(losses["E"], head) is None
    for player in ("G", "D"):
        assert float(tf.reduce_max(tf.abs(tape.gradient(losses[player], head)))) > 1e-4


def test_what_it_cannot_do_is_named():
    with pytest.raises(UserError, match="VAEGAN: kind=pixel is unknown; did you mean pixels"):
        make("pixel")
    with pytest.raises(UserError, match="prior=normal"):
        make("pixels", prior="uniform")


def test_a_three_class_discriminator_has_its_own_loss():
    """Of another one D would not know, so that G would play another game."""
    model = make("three_class")
    for loss in ("hinge", "logistic:label_smoothing=0.1"):
        with pytest.raises(UserError, match="kind=three_class D has a loss of its own"):
            model.compile(loss=loss)
    model.compile(loss="logistic")


def test_a_subclass_with_a_kind_of_its_own():
    class ThreeClass(VAEGAN):
        def __init__(self, prior, *, moves=None, name=None, **networks):
            super().__init__(prior=prior, kind="three_class", moves=moves, name=name, **networks)

    made = make("three_class")
    model = ThreeClass(made.prior, **{name: getattr(made, name) for name in made.network_names()})
    with pytest.raises(UserError, match="kind=three_class D has a loss of its own"):
        model.compile(loss="hinge")
    ThreeClass.check_options(made.prior, loss="hinge")  # not known without a model
