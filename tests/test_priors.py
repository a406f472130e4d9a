"""Moments, independence and interpolation of the priors."""

import re

import keras
import numpy as np
import pytest
import scipy.stats
import tensorflow as tf

from tf_bigan.errors import UserError
from tf_bigan.priors import Categorical, Concatenation, Normal, Uniform, from_text


@pytest.mark.parametrize(
    ("prior", "low", "high", "variance"),
    [(Uniform(3), -1, 1, 1 / 3), (Normal(3), -np.inf, np.inf, 1.0)],
)
def test_moments(prior, low, high, variance):
    z = prior.sample(100_000, seed=1).numpy()
    assert z.shape == (100_000, 3) and z.dtype == np.float32
    assert z.min() >= low and z.max() <= high
    np.testing.assert_allclose(z.mean(0), 0, atol=0.02)
    np.testing.assert_allclose(np.cov(z.T), variance * np.eye(3), atol=0.02)


@pytest.mark.parametrize("prior", [Uniform(4), Normal(4)])
def test_draws_follow_the_seed(prior):
    np.testing.assert_array_equal(prior.sample(5, 3), prior.sample(5, 3))
    np.testing.assert_array_equal(prior.sample(5, 3), prior.sample(5, (3, 0)))
    assert np.abs(prior.sample(5, 3) - prior.sample(5, 4)).min() > 0
    assert np.abs(prior.sample(5, (3, 1)) - prior.sample(5, (3, 2))).min() > 0


def test_uniform_interpolates_on_a_line():
    a, b = np.float32([[0.0, 1.0]]), np.float32([[1.0, -1.0]])
    np.testing.assert_allclose(Uniform(2).interpolate(a, b, 0.25), [[0.25, 0.5]], rtol=1e-5)


def test_normal_interpolates_on_a_circle():
    a, b = np.float32([[2.0, 0.0]]), np.float32([[0.0, 2.0]])
    root = np.sqrt(2)
    np.testing.assert_allclose(Normal(2).interpolate(a, b, 0.5), [[root, root]], rtol=1e-5)
    np.testing.assert_allclose(Normal(2).interpolate(a, b, 0.0), a, atol=1e-5)
    np.testing.assert_allclose(Normal(2).interpolate(a, b, 1.0), b, atol=1e-5)
    np.testing.assert_allclose(Normal(2).interpolate(a, 3 * a, 0.5), 2 * a, rtol=1e-5)


@pytest.mark.parametrize("prior", [Uniform(4), Normal(6)])
def test_round_trip(prior):
    copy = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(prior))
    assert type(copy) is type(prior) and copy.dim == prior.dim


def test_no_latent_is_refused():
    with pytest.raises(ValueError, match="latent_dim=0: it must be an int"):
        Uniform(0)


def test_parts_side_by_side():
    prior = from_text("normal3+categorical4+uniform", latent_dim=2)
    z = prior.sample(20_000, 1)
    noise, code, rest = (part.numpy() for part in prior.split(z))
    assert (noise.shape[1], code.shape[1], rest.shape[1], prior.dim) == (3, 4, 2, 9)
    assert set(np.unique(code)) == {0.0, 1.0} and (code.sum(1) == 1).all()
    np.testing.assert_allclose(code.mean(0), 0.25, atol=0.015)
    np.testing.assert_allclose(noise.std(0), 1, atol=0.03)
    assert -1 <= rest.min() < -0.99 and 0.99 < rest.max() < 1
    # Independent of each other: neither from one seed nor from one stream.
    assert abs(np.corrcoef(np.concatenate([noise, rest], 1).T) - np.eye(5)).max() < 0.03
    again = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(prior))
    np.testing.assert_array_equal(again.sample(5, 2), prior.sample(5, 2))
    middle = prior.interpolate(z[:1], z[1:2], tf.constant([[0.5]]))
    np.testing.assert_allclose(middle[0, 7:], (z[0, 7:] + z[1, 7:]) / 2, atol=1e-5)


def test_equal_parts_are_drawn_apart():
    prior = Concatenation(Uniform(3), Uniform(3))
    first, second = prior.split(prior.sample(1000, 1))
    assert np.abs(first - second).min() > 0
    assert abs(np.corrcoef(first[:, 0], second[:, 0])[0, 1]) < 0.15


@pytest.mark.parametrize(
    ("text", "path"),
    [
        ("uniform", "linear"),
        ("normal", "slerp"),
        ("uniform2+categorical3", "linear"),
        ("normal2+categorical3", "slerp and linear"),
    ],
)
def test_the_path_in_words(text, path):
    assert from_text(text, 2).path == path


def test_a_prior_that_cannot_be_read():
    for text in ("gauss", "categorical", "normal+"):
        with pytest.raises(ValueError, match="normal62"):
            from_text(text, 3)


def test_no_seed_is_another_one():
    """An int32 pair holds 62 bits: a seed that would wrap around is refused."""
    prior = Uniform(2)
    draws = [prior.sample(2, seed).numpy() for seed in (0, 1, 2**31, 2**31 + 1, 2**32, 2**33)]
    assert len({draw.tobytes() for draw in draws}) == len(draws)
    for seed in (-1, 2**62):
        with pytest.raises(ValueError, match=f"^seed={seed}: it must be an int in "):
            prior.sample(2, seed)


@pytest.mark.parametrize("t", [1e-3, 0.5, 1.0, 2.0])
def test_a_truncated_normal_is_a_normal_drawn_anew_outside(t):
    z = Normal(5).sample(20_000, 1, truncation=t).numpy().ravel()
    assert z.dtype == np.float32 and np.abs(z).max() <= np.float32(t)
    quantiles = np.linspace(0.01, 0.99, 50)
    expected = scipy.stats.truncnorm(-t, t).ppf(quantiles)
    np.testing.assert_allclose(np.quantile(z, quantiles), expected, atol=0.02 * t)
    drawn = np.random.default_rng(0).normal(size=400_000)
    if t >= 0.5:  # rejection, as in the paper
        inside = drawn[np.abs(drawn) <= t]
        assert scipy.stats.ks_2samp(z, inside).pvalue > 1e-3


def test_a_wide_truncation_is_none():
    """Also where erf rounds to 1, no z is infinite."""
    for t in (8.0, 1e30):
        z = Normal(4).sample(100_000, 2, truncation=t).numpy()
        assert np.isfinite(z).all() and 4 < np.abs(z).max() < 5.5
        np.testing.assert_allclose(np.cov(z.T), np.eye(4), atol=0.02)


def test_a_truncated_uniform_is_a_smaller_interval():
    whole, half = (Uniform(3).sample(1000, 4, truncation=t).numpy() for t in (None, 0.5))
    np.testing.assert_allclose(half, whole / 2, atol=1e-6)
    np.testing.assert_array_equal(whole, Uniform(3).sample(1000, 4, truncation=1.0))


def test_truncation_follows_the_seed_and_keeps_the_order():
    draws = [Normal(3).sample(50, 7, truncation=t).numpy() for t in (0.1, 0.7, 0.7, 3.0)]
    np.testing.assert_array_equal(draws[1], draws[2])
    assert (np.argsort(draws[0], 0) == np.argsort(draws[3], 0)).all()
    assert np.abs(draws[1] - Normal(3).sample(50, 8, truncation=0.7)).min() > 0


def test_truncation_of_parts():
    prior = from_text("normal3+categorical4+uniform2", latent_dim=2)
    plain, cut = (prior.split(prior.sample(500, 1, truncation=t)) for t in (None, 0.2))
    np.testing.assert_array_equal(plain[1], cut[1])
    for part in (cut[0], cut[2]):
        assert 0.19 < np.abs(part).max() <= np.float32(0.2)
    np.testing.assert_array_equal(prior.sample(5, 1), prior.sample(5, 1, truncation=None))


def test_without_truncation_the_bits_are_those_of_tensorflow():
    """What a training with a seed has drawn so far."""
    seed = tf.constant([9, 0])
    normal = tf.random.stateless_normal((7, 3), seed, alg="philox")
    uniform = tf.random.stateless_uniform((7, 3), seed, minval=-1.0, maxval=1.0, alg="philox")
    np.testing.assert_array_equal(Normal(3).sample(7, 9), normal)
    np.testing.assert_array_equal(Uniform(3).sample(7, 9), uniform)


@pytest.mark.parametrize(
    ("prior", "t", "interval"),
    [
        *((Normal(2), t, "(0, inf)") for t in (0.0, -1.0, np.inf, np.nan, "half", True)),
        *((Uniform(2), t, "(0, 1]") for t in (0.0, 1.5)),
        (Categorical(2), 0.0, "(0, inf)"),
        (Concatenation(Normal(2), Uniform(2)), 1.5, "(0, 1]"),
    ],
)
def test_a_truncation_out_of_range_is_refused(prior, t, interval):
    message = f"truncation={t}: it must be a float in {interval}"
    with pytest.raises(UserError, match=f"^{re.escape(message)}$"):
        prior.sample(2, 0, truncation=t)


def test_classes_are_the_last_categorical_part():
    prior = from_text("normal2+categorical4+categorical3", 1)
    z = prior.sample(50, 0)
    assert prior.classes == 3 and Normal(5).classes is None
    np.testing.assert_array_equal(prior.classes_of(z), np.argmax(z[:, 6:], 1))
    chosen = prior.with_classes(z, np.arange(50) % 3).numpy()
    np.testing.assert_array_equal(chosen[:, 6:], np.eye(3)[np.arange(50) % 3])
    np.testing.assert_array_equal(chosen[:, :6], z[:, :6])
    alone = Categorical(4).with_classes(z[:2, 2:6], [3, 1])
    np.testing.assert_array_equal(alone, np.eye(4)[[3, 1]])
    for classes in ([3] * 50, [-1] * 50):
        with pytest.raises(UserError, match="there is no class"):
            prior.with_classes(z, classes)
    with pytest.raises(UserError, match="no categorical part"):
        Uniform(2).with_classes(z[:, :2], [0] * 50)
