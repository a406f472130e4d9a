"""The GAN's losses against NumPy, and the z that its two moves share."""

import numpy as np
import pytest

from tests.models.conftest import make_batch, make_system


@pytest.mark.parametrize(
    ("loss", "smoothing"), [("logistic", 0.0), ("logistic", 0.1), ("minimax", 0.1)]
)
def test_losses_against_numpy(loss, smoothing):
    model = make_system("gan", options={"loss": f"{loss}:label_smoothing={smoothing}"})
    batch, z = make_batch(), model.prior.sample(8, 5)
    p, q = (
        1 / (1 + np.exp(-model.discriminator(x).numpy()))
        for x in (batch["image"], model.generator(z))
    )

    def cross_entropy(p):
        return -np.mean((1 - smoothing) * np.log(p) + smoothing * np.log(1 - p))

    losses, _ = model.player_losses(batch, z, training=False)
    fake = -np.log(1 - q).mean()
    np.testing.assert_allclose(losses["D"], cross_entropy(p) + fake, rtol=1e-5)
    np.testing.assert_allclose(
        losses["G"], -fake if loss == "minimax" else cross_entropy(q), rtol=1e-5
    )


def test_both_moves_see_the_same_z():
    model = make_system("gan")
    first, second = (model._draw(make_batch(), index)[0] for index in (0, 1))
    np.testing.assert_array_equal(first, second)
