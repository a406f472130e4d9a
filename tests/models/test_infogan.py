"""InfoGAN's losses against NumPy, the two likelihoods by hand, whom the bound moves, the codes."""

import math

import keras
import numpy as np
import pytest
import tensorflow as tf
from scipy.special import log_softmax
from scipy.stats import entropy, norm

import tf_bigan as tb
from tests.closeness import assert_close
from tests.models.conftest import make_batch, make_system
from tf_bigan import augmentation
from tf_bigan.errors import UserError

PRIOR = "normal4+categorical3+uniform2+normal1"


def make(settings=None, prior=PRIOR):
    return make_system("infogan", options={"prior": prior, "set": settings})


def losses(model, batch, z):
    return model.player_losses(batch, z, training=False)


def test_losses_against_numpy():
    model, batch = make("lambda_categorical=0.7,lambda_continuous=0.3"), make_batch()
    z = model.prior.sample(8, 5)
    fake = model.generator(z)
    features = model.discriminator.features(fake)
    q, c = model.recognition(features).numpy(), z.numpy()
    categorical = np.mean(np.sum(c[:, 4:7] * log_softmax(q[:, 4:7], -1), -1)) + math.log(3)
    log_q = norm.logpdf(c[:, 7:], loc=q[:, 7:], scale=1.0).sum(-1)
    # 2 entries of U(-1, 1), and one of N(0, 1)
    continuous = np.mean(log_q) + 2 * math.log(2) + norm.entropy()
    bound = 0.7 * categorical + 0.3 * continuous
    l_real, l_fake = model.discriminator(batch["image"]).numpy(), model.discriminator(fake).numpy()
    got, logs = losses(model, batch, z)
    softplus = np.log1p(np.exp(-l_real)).mean(), np.log1p(np.exp(l_fake)).mean()
    np.testing.assert_allclose(got["D"], sum(softplus) - bound, rtol=1e-5)
    np.testing.assert_allclose(got["G"], np.log1p(np.exp(-l_fake)).mean() - bound, rtol=1e-5)
    np.testing.assert_allclose(logs["information_categorical"], categorical, rtol=1e-5)
    np.testing.assert_allclose(logs["information_continuous"], continuous, rtol=1e-5)


def test_information_of_views_by_hand():
    """Sure and alike: log K. Always the same class, or independent of the view: nothing.

    The entropy is log 2 for two equally frequent classes, and nothing for one.
    """
    model = make(prior="normal1+categorical2+uniform1")

    def found(*classes_of_rows):
        one, view = (
            tf.constant([[3.0, *(50.0 if k == c else -50.0 for k in range(2)), 1.0] for c in rows])
            for rows in classes_of_rows
        )
        return pytest.approx([float(term) for term in model._in_common(one, view)], abs=1e-5)

    assert found([0, 1, 0, 1], [0, 1, 0, 1]) == [math.log(2), math.log(2)]
    assert found([0, 1], [1, 0]) == [math.log(2), math.log(2)]
    assert found([1, 1], [1, 1]) == [0.0, 0.0]
    assert found([0, 0, 1, 1], [0, 1, 0, 1]) == [0.0, math.log(2)]
    # P(0, 0) = 1/2, P(0, 1) = P(1, 0) = 1/8, P(1, 1) = 1/4: P(0) = 5/8.
    joint = np.array([[1 / 2, 1 / 8], [1 / 8, 1 / 4]])
    information = (joint * np.log(joint / np.outer([5 / 8, 3 / 8], [5 / 8, 3 / 8]))).sum()
    assert found([0, 0, 0, 1], [0, 0, 1, 1]) == [information, entropy([5 / 8, 3 / 8])]
    even = tf.zeros((4, 4))
    assert [float(v) for v in model._in_common(even, even)] == pytest.approx(
        [0.0, math.log(2)], abs=1e-5
    )


def test_only_d_learns_from_views_and_they_are_augmented(monkeypatch):
    plain, model = make(), make("invariance=1e3,balance=0.5,views=flip")
    batch = {"image": make_batch()["image"]}
    z = model.prior.sample(8, 5)
    mirrored = tf.constant(batch["image"][:, :, ::-1])
    monkeypatch.setattr(augmentation.Augmentation, "__call__", lambda self, x, *a: x[:, :, ::-1])
    model.random.begin(tf.constant([1, 2]), rows=8)
    got, logs = model.player_losses(batch, z, training=True)
    plain.random.begin(tf.constant([1, 2]), rows=8)
    without, _ = plain.player_losses(batch, z, training=True)
    guesses = [
        model.recognition(model.discriminator.features(x, training=True), training=True)
        for x in (batch["image"], mirrored)
    ]
    information, entropy_of_classes = map(float, model._in_common(*guesses))
    assert abs(information) > 1e-5
    assert float(logs["information_views"]) == pytest.approx(information, rel=1e-3)
    added = -1e3 * (information + 0.5 * entropy_of_classes)
    assert_close(got["D"] - without["D"], added, tol=1e-3)
    assert_close(got["G"], without["G"])


def test_moving_statistics_are_of_real_images_as_they_are():
    """So `codes` normalises images with statistics of such images, and not of their views."""
    model, x = make("invariance=1,views=color"), make_batch()["image"]
    networks = model.discriminator, model.recognition
    norms = [
        layer
        for network in networks
        for layer in network._flatten_layers()
        if isinstance(layer, keras.layers.BatchNormalization)
    ]

    def moving():
        return [v.numpy() for layer in norms for v in (layer.moving_mean, layer.moving_variance)]

    for layer in norms:  # each call then gives others
        layer.momentum = 0.5
    start = moving()
    model.random.begin(tf.constant([1, 2]), rows=8)
    model.player_losses({"image": x}, model.prior.sample(8, 5), training=True)
    found = moving()
    for layer in norms:
        layer.momentum = 0.0
    model.recognition(model.discriminator.features(x, training=True), training=True)
    assert any(layer in model.discriminator._flatten_layers() for layer in norms)
    for before, after, of_x in zip(start, found, moving(), strict=True):
        assert_close(after, 0.5 * (before + of_x))


def test_information_by_hand():
    """A right guess that is certain tells log K; an even one nothing. Gaussian: log N(1; 0, 1)."""
    model = make(prior="normal1+categorical3+uniform1")
    z = tf.constant([[9.0, 0, 1, 0, 0.5]])
    sure, even = tf.constant([[0.0, -50, 50, -50, 0.5]]), tf.constant([[7.0, 2, 2, 2, -0.5]])
    categorical, continuous = model._information(z, sure)
    assert float(categorical) == pytest.approx(math.log(3), abs=1e-5)
    at_mean = -0.5 * math.log(2 * math.pi) + math.log(2)
    assert float(continuous) == pytest.approx(at_mean, abs=1e-5)
    categorical, continuous = model._information(z, even)
    assert float(categorical) == pytest.approx(0.0, abs=1e-5)
    assert float(continuous) == pytest.approx(at_mean - 0.5, abs=1e-5)


@pytest.mark.parametrize("player", ["D", "G"])
def test_both_players_raise_the_information(player):
    """A step along its gradient, in which the bound outweighs the adversarial part by far."""
    model, batch = make("lambda_categorical=1e4,lambda_continuous=1e4"), make_batch()
    z = model.prior.sample(8, 5)
    variables = model.player_variables(player)
    with tf.GradientTape() as tape:
        value, before = losses(model, batch, z)
        gradients = tape.gradient(
            value[player], [v.value for v in variables], unconnected_gradients="zero"
        )
    step = 0.01 / tf.linalg.global_norm(gradients)
    for variable, gradient in zip(variables, gradients, strict=True):
        variable.assign(variable - step * gradient)
    after = losses(model, batch, z)[1]
    names = ("information_categorical", "information_continuous")
    assert float(sum(after[n] - before[n] for n in names)) > 1e-5


def test_codes_are_the_parts_of_q():
    model, x = make(), make_batch()["image"].numpy()
    categorical, uniform, normal = model.codes(x)
    assert categorical.shape == (8, 3) and uniform.shape == (8, 2) and normal.shape == (8, 1)
    q = model.recognition(model.discriminator.features(x)).numpy()
    assert_close(np.concatenate([categorical, uniform, normal], -1), q[:, 4:])


def test_the_classes_of_images():
    model, x = make(), make_batch()["image"].numpy()
    np.testing.assert_array_equal(model.assign(x), model.codes(x)[0].argmax(1))
    without = make(settings="invariance=0,balance=0", prior="normal4+uniform2")
    with pytest.raises(UserError, match="^assign needs a categorical code"):
        without.assign(x)


def test_a_prior_without_codes_is_refused():
    with pytest.raises(UserError, match="prior=normal62"):
        make(prior="uniform")
    with pytest.raises(UserError, match="infogan needs noise, then codes: prior=normal62"):
        make(prior="categorical10+uniform62")


def test_the_default_prior_and_rate_of_g_are_the_official_codes():
    config = tb.run.config.Config.from_dict(
        dict(tb.run.presets.system("infogan").options) | {"model": "infogan"}
    )
    assert config.rates == {"D": 5e-4, "G": 1e-3}
    assert tb.priors.from_text(config.prior, 1).dim == 62 + 10 + 2
