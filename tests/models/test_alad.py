"""ALAD's three discriminators of pairs against NumPy, and the features of its score."""

import numpy as np
import pytest

from tests.closeness import assert_close
from tests.models.conftest import make_batch, make_system


@pytest.fixture
def model():
    return make_system("alad")


def softplus(x):
    return np.log1p(np.exp(x))


def logits_by_hand(model, x, z):
    """{pair: (of real, of generated)}, each of a call of its own."""
    z_hat, x_fake = model.encoder(x), model.generator(z)
    x_rec, z_rec = model.generator(z_hat), model.encoder(x_fake)
    side_by_side = lambda a, b: np.concatenate([a, b], -1)  # noqa: E731
    xx, zz = model.discriminator_xx, model.discriminator_zz
    return {
        "xz": (model.discriminator_xz([x, z_hat]), model.discriminator_xz([x_fake, z])),
        "xx": (xx(side_by_side(x, x)), xx(side_by_side(x, x_rec))),
        "zz": (zz(side_by_side(z, z)), zz(side_by_side(z, z_rec))),
    }


def test_losses_against_numpy(model):
    batch, z = make_batch(), model.prior.sample(8, 5)
    logits = logits_by_hand(model, batch["image"].numpy(), z.numpy())
    logits = {name: [part.numpy() for part in pair] for name, pair in logits.items()}
    losses, logs = model.player_losses(batch, z, training=False)
    for name, (real, fake) in logits.items():
        assert np.abs(real - fake).max() > 1e-3, name
        assert_close(logs[f"logits_real_{name}"], real, err_msg=name)
        assert_close(logs[f"logits_fake_{name}"], fake, err_msg=name)
    d = sum(softplus(-real).mean() + softplus(fake).mean() for real, fake in logits.values())
    eg = sum(softplus(real).mean() + softplus(-fake).mean() for real, fake in logits.values())
    assert float(losses["D"]) == pytest.approx(d, rel=1e-5)
    assert float(losses["EG"]) == pytest.approx(eg, rel=1e-5)
    assert abs(d - eg) > 1e-3


def test_features_of_the_score_are_those_behind_the_logit(model):
    x, other = (make_batch(seed=seed)["image"] for seed in (0, 1))
    features = model.pair_features(x, other)
    assert features.shape[0] == 8 and features.shape.rank == 2
    logits = model.discriminator_xx(np.concatenate([x, other], -1))
    assert_close(model.discriminator_xx.head(features), logits)
    # An image that comes back as it was has the score 0, any other one more.
    score = np.abs(model.pair_features(x, x) - features).sum(-1)
    assert (score > 0).all()


def test_shapes_of_the_pairs():
    model = make_system("alad", (12, 10, 3))
    assert model.pair_features(*[np.zeros((2, 12, 10, 3), np.float32)] * 2).shape[0] == 2
