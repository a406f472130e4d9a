"""The autoencoder's two losses against NumPy."""

import numpy as np
import pytest

from tests.models.conftest import make_batch, make_system
from tf_bigan.errors import UserError


@pytest.mark.parametrize("norm", ["l1", "l2"])
def test_losses_against_numpy(norm):
    model, batch = make_system("autoencoder", options={"set": f"norm={norm}"}), make_batch()
    difference = batch["image"].numpy() - model.reconstruct(batch["image"].numpy())
    error = np.abs(difference) if norm == "l1" else difference**2
    losses, _ = model.player_losses(batch, None, training=False)
    assert float(losses["EG"]) == pytest.approx(error.sum((1, 2, 3)).mean(), rel=1e-5)


def test_it_learns_to_give_back_a_batch():
    model, batch = make_system("autoencoder"), make_batch()
    before, _ = model.player_losses(batch, None, training=True)
    model.fit(batch["image"].numpy(), batch_size=8, epochs=30, verbose=0)
    after, _ = model.player_losses(batch, None, training=True)
    assert float(after["EG"]) < 0.9 * float(before["EG"])  # of three seeds .78 to .79


def test_an_unknown_norm_is_refused():
    with pytest.raises(UserError, match="norm=l3 is unknown; did you mean l[12] or l[12]"):
        make_system("autoencoder", options={"set": "norm=l3"})
