"""The cycle's terms: what they add to BiGAN's losses, and which statistics G keeps."""

import numpy as np
import pytest
import tensorflow as tf

from tests.closeness import assert_close
from tests.models.conftest import make_batch, make_system
from tf_bigan.models import cycle_bigan
from tf_bigan.models.bigan import BiGAN


@pytest.mark.parametrize("weights", [(0.3, 0.0), (0.3, 0.7)])
def test_losses_against_numpy(weights):
    options = "cycle={},latent_cycle={}".format(*weights)
    model = make_system("cycle_bigan", options={"set": options})
    batch, z = make_batch(), model.prior.sample(8, 5)
    losses, logs = model.player_losses(batch, z, training=False)
    plain, _ = BiGAN.player_losses(model, batch, z, training=False)
    x = np.asarray(batch["image"])
    z_back = model.encoder(model.generator(z)).numpy()
    image_error = ((x - model.generator(model.encoder(x)).numpy()) ** 2).sum((1, 2, 3)).mean()
    latent_error = ((z.numpy() - z_back) ** 2).sum(1).mean()
    assert float(losses["D"]) == pytest.approx(float(plain["D"]), rel=1e-5)
    added = weights[0] * image_error + weights[1] * latent_error
    assert float(losses["EG"] - plain["EG"]) == pytest.approx(added, rel=1e-4)
    assert float(logs["reconstruction"]) == pytest.approx(image_error, rel=1e-5)


def test_the_generators_averages_are_those_of_draws():
    """The rows of z feed them, not those of z_hat, which follow in the same batch."""
    model, twin = make_system("cycle_bigan"), make_system("cycle_bigan")
    z = model.prior.sample(8, 5)
    model.player_losses(make_batch(), z, training=True)
    twin.generator(z, training=True)
    pairs = zip(
        model.generator.non_trainable_weights, twin.generator.non_trainable_weights, strict=True
    )
    for kept, expected in pairs:
        assert_close(kept, expected)


def test_hidden_pixels_are_missing_from_the_way_there_alone():
    """The cycle's error is that of E on masked images; D sees E of whole ones."""
    masked, plain = (make_system("cycle_bigan", options={"set": s}) for s in ("mask_rate=0.5", ""))
    batch, z = make_batch(), masked.prior.sample(8, 5)
    seed = tf.constant([3, 4])
    masked.random.begin(seed, 8)
    losses, logs = masked.player_losses(batch, z, training=False)
    masked.random.begin(seed, 8)
    x = np.asarray(batch["image"])
    seen = masked.random.uniform(x.shape[1:]).numpy() >= 0.5
    assert 0.3 < seen.mean() < 0.7
    x_rec = masked.generator(masked.encoder(x * seen)).numpy()
    expected = ((x - x_rec) ** 2).sum((1, 2, 3)).mean()
    assert float(logs["reconstruction"]) == pytest.approx(expected, rel=1e-5)
    whole, _ = plain.player_losses(batch, z, training=False)
    assert float(losses["D"]) == pytest.approx(float(whole["D"]), rel=1e-5)


def test_a_pixel_is_hidden_in_all_its_channels(monkeypatch):
    model = make_system("cycle_bigan", options={"set": "mask_rate=0.5"})
    monkeypatch.setattr(cycle_bigan, "discriminate", lambda encoder, *groups, training: groups)
    model.random.begin(tf.constant([3, 4]), 8)
    _, masked, _ = model._encode(tf.ones((8, 8, 8, 3)), None, training=False)
    assert set(masked.numpy().sum(-1).ravel()) == {0.0, 3.0}


def test_the_encoders_averages_are_those_of_images():
    """Neither masked images nor E(G(z)) feed them, which are in the same batch."""
    options = {"set": "latent_cycle=0.1,mask_rate=0.5"}
    model, twin = make_system("cycle_bigan", options=options), make_system("cycle_bigan")
    batch = make_batch()
    model.random.begin(tf.constant([3, 4]), 8)
    model.player_losses(batch, model.prior.sample(8, 5), training=True)
    twin.encoder(batch["image"], training=True)
    pairs = zip(
        model.encoder.non_trainable_weights, twin.encoder.non_trainable_weights, strict=True
    )
    for kept, expected in pairs:
        assert_close(kept, expected)
