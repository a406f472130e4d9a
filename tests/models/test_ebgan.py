"""EBGAN's energies and losses against NumPy, the pulling-away term by hand and whom it pulls."""

import numpy as np
import pytest
import tensorflow as tf

from tests.models.conftest import make_batch, make_system
from tf_bigan.models.ebgan import pulling_away_term


def energy(model, x):
    return np.square(np.asarray(x) - model.discriminator(x).numpy()).sum((1, 2, 3))


def cosines_squared(s):
    """The definition, pair by pair."""
    pairs = [(i, j) for i in range(len(s)) for j in range(len(s)) if i != j]
    norms = np.linalg.norm(s, axis=-1)
    return np.mean([(s[i] @ s[j] / (norms[i] * norms[j])) ** 2 for i, j in pairs])


def test_losses_against_numpy():
    model, batch = make_system("ebgan", options={"set": "pulling_away=0.3"}), make_batch()
    z = model.prior.sample(8, 5)
    fake = model.generator(z)
    e_real, e_fake = energy(model, batch["image"]), energy(model, fake)
    model.margin = float(np.median(e_fake))  # so that some rows are on either side of it
    codes = model.discriminator.encoder(fake).numpy()
    losses, logs = model.player_losses(batch, z, training=False)
    hinge = np.maximum(model.margin - e_fake, 0)
    assert 0 < (hinge > 0).sum() < 8
    np.testing.assert_allclose(losses["D"], e_real.mean() + hinge.mean(), rtol=1e-5)
    np.testing.assert_allclose(losses["G"], e_fake.mean() + 0.3 * cosines_squared(codes), rtol=1e-5)
    np.testing.assert_allclose(logs["energy_real"], e_real, rtol=1e-5)


@pytest.mark.parametrize(
    "codes, expected",
    [
        ([[1.0, 0], [0, 2]], 0.0),  # at right angles
        ([[1.0, 1], [3, 3]], 1.0),  # the same way
        ([[1.0, 1], [-2, -2]], 1.0),  # and the opposite one
        ([[1.0, 0], [1, 1], [0, 1]], (0.5 + 0 + 0.5) / 3),  # cos² of 45°, 90°, 45°
    ],
)
def test_pulling_away_by_hand(codes, expected):
    assert float(pulling_away_term(tf.constant(codes))) == pytest.approx(expected, abs=1e-5)


def test_only_the_generator_is_pulled_away():
    batch = make_batch()
    with_term, without = (
        make_system("ebgan", options={"set": f"pulling_away={w}"}) for w in (0.5, 0.0)
    )
    z = with_term.prior.sample(8, 5)
    a, b = (model.player_losses(batch, z, training=False)[0] for model in (with_term, without))
    assert float(a["D"]) == pytest.approx(float(b["D"]), rel=1e-5)
    codes = with_term.discriminator.encoder(with_term.generator(z)).numpy()
    assert float(a["G"] - b["G"]) == pytest.approx(0.5 * cosines_squared(codes), rel=1e-4)
