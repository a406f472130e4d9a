"""BigBiGAN's three scores and hinge losses, by hand."""

import numpy as np
import pytest
import tensorflow as tf

from tests.closeness import assert_close
from tests.models.conftest import LATENT, make_batch, make_system
from tf_bigan.models.bigbigan import BigBiGAN
from tf_bigan.run import presets

SEED = tf.constant([3, 5])
# Scores on both sides of the hinges at 1 and -1, of two rows: s_x, s_z, s_xz.
SCORES = [
    ([[2.0], [0.5]], [[-3.0], [-0.5]]),
    ([[-1.0], [1.0]], [[0.0], [1.5]]),
    ([[0.25], [3.0]], [[-1.0], [-2.0]]),
]


@pytest.fixture
def model():
    return make_system("bigbigan")


def test_losses_of_given_scores(model):
    pairs = [tuple(map(tf.constant, pair)) for pair in SCORES]
    model.scores = lambda real, fake, training: pairs
    model.random.begin(SEED, 8)
    losses, logs = model.player_losses(make_batch(), model.prior.sample(8, 5), training=False)
    # Means of max(0, 1 - s) of the real and of max(0, 1 + s) of the generated rows.
    of_real = (0 + 0.5) / 2 + (2 + 0) / 2 + (0.75 + 0) / 2
    of_fake = (0 + 0.5) / 2 + (1 + 2.5) / 2 + (0 + 0) / 2
    assert float(losses["D"]) == pytest.approx(of_real + of_fake, rel=1e-5)
    others = (2.5 + 0 + 3.25) / 2 - (-3.5 + 1.5 - 3) / 2
    assert float(losses["E"]) == float(losses["G"]) == pytest.approx(others, rel=1e-5)
    np.testing.assert_array_equal(logs["logits_fake_z"], SCORES[1][1])
    np.testing.assert_array_equal(logs["logits_real_xz"], SCORES[2][0])


def test_scores_are_of_x_alone_z_alone_and_both(model):
    x, x_fake = (make_batch(seed=seed)["image"] for seed in (0, 1))
    z_hat, z = (model.prior.sample(8, seed) for seed in (1, 2))
    (x_real, _), (z_real, z_gen), (_, joint) = model.scores([x, z_hat], [x_fake, z], False)
    assert_close(x_real, model.discriminator_x(x))
    assert_close(z_real, model.discriminator_z(z_hat))
    assert_close(z_gen, model.discriminator_z(z))
    features = model.discriminator_x.features(x_fake), model.discriminator_z.features(z)
    expected = model.discriminator_xz(np.concatenate(features, -1))
    assert_close(joint, expected)


def test_the_code_is_drawn_with_a_softplus_spread(model):
    mean, spread = tf.fill((8, LATENT), 0.3), tf.fill((8, LATENT), -1.0)
    model.encoder.distribution = lambda x, training: (mean, spread)
    seen, scores = [], model.scores
    model.scores = lambda real, fake, training: seen.append(real) or scores(real, fake, training)
    model.random.begin(SEED, 8)
    eps = model.random.normal((LATENT,)).numpy()
    model.random.begin(SEED, 8)
    model.player_losses(make_batch(), model.prior.sample(8, 5), training=False)
    assert_close(seen[0][1], 0.3 + np.log1p(np.exp(-1.0)) * eps)


def test_the_encoder_learns_ten_times_as_fast():
    rates = dict(
        part.split("=") for part in presets.system("bigbigan").options["player_rates"].split(",")
    )
    assert float(rates["E"]) == pytest.approx(
        10 * presets.system("bigbigan").options["learning_rate"]
    )
    assert BigBiGAN.moves == (("D",), ("E", "G"))
