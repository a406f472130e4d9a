"""The joint latent regressor against the latent regressor of the same networks."""

import numpy as np
import pytest
import tensorflow as tf

from tests.closeness import assert_close
from tests.models.conftest import make_batch, make_system
from tf_bigan.models.latent_regressor import LatentRegressor


@pytest.mark.parametrize("options, weight", [({}, 0.25), ({"set": "weight=2"}, 2.0)])
def test_the_generator_shares_the_encoders_loss(options, weight):
    model, batch = make_system("joint_latent_regressor", options=options), make_batch()
    z = model.prior.sample(8, 5)
    apart, _ = LatentRegressor.player_losses(model, batch, z, training=False)
    losses, logs = model.player_losses(batch, z, training=False)
    assert set(losses) == {"D", "EG"}
    assert float(losses["D"]) == pytest.approx(float(apart["D"]), rel=1e-5)
    expected = float(apart["G"]) + weight * float(apart["E"])
    assert float(losses["EG"]) == pytest.approx(expected, rel=1e-5)
    assert float(logs["regression"]) == pytest.approx(float(apart["E"]), rel=1e-5)


def test_the_regression_moves_the_generator_too():
    """Plain gradients: G's is of its own loss and a quarter of E's, E's of the latter alone."""
    model, batch = make_system("joint_latent_regressor"), make_batch()
    z = model.prior.sample(8, 5)
    with tf.GradientTape(persistent=True) as tape:
        apart, _ = LatentRegressor.player_losses(model, batch, z, training=False)
        losses, _ = model.player_losses(batch, z, training=False)
    g, e = (network.trainable_variables[0].value for network in (model.generator, model.encoder))
    of_g, of_e = tape.gradient(losses["EG"], [g, e])
    regression = tape.gradient(apart["E"], [g, e])
    assert np.abs(regression[0]).max() > 1e-6
    expected = tape.gradient(apart["G"], g) + 0.25 * regression[0]
    assert_close(of_g, expected)
    assert_close(of_e, 0.25 * regression[1])
