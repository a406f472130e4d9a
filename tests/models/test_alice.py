"""ALICE: what each form of the cycle adds to ALI, and who plays."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from tests.closeness import assert_close
from tests.models.conftest import LATENT, make_batch, make_system, step_eagerly, with_settings
from tf_bigan.errors import UserError
from tf_bigan.models.ali import ALI

SEED = tf.constant([3, 5])


def softplus(x):
    return np.log1p(np.exp(x))


def losses_of(model, batch, z):
    """(its losses and logs, ALI's losses of the same networks, x_rec), from the same draws."""
    model.random.begin(SEED, 8)
    losses, logs = model.player_losses(batch, z, training=False)
    model.random.begin(SEED, 8)
    plain, _ = ALI.player_losses(model, batch, z, training=False)
    model.random.begin(SEED, 8)
    return losses, logs, plain, model.generator(model.infer(batch["image"], False)).numpy()


@pytest.mark.parametrize("form", ["l1", "l2"])
def test_explicit_forms_against_numpy(form):
    model = with_settings("alice", cycle=form, weight=0.3)
    batch = make_batch()
    losses, logs, plain, x_rec = losses_of(model, batch, model.prior.sample(8, 5))
    difference = np.asarray(batch["image"]) - x_rec
    squares = (difference**2).sum((1, 2, 3)).mean()
    cycle = np.abs(difference).sum((1, 2, 3)).mean() if form == "l1" else squares
    assert float(losses["EG"] - plain["EG"]) == pytest.approx(0.3 * cycle, rel=1e-4)
    assert float(losses["D"]) == pytest.approx(float(plain["D"]), rel=1e-5)
    assert float(logs["reconstruction"]) == pytest.approx(squares, rel=1e-5)


def test_adversarial_form_against_numpy():
    model = make_system("alice", options={"set": "cycle=adversarial,adversarial_weight=0.7"})
    batch = make_batch()
    losses, _, plain, x_rec = losses_of(model, batch, model.prior.sample(8, 5))
    x = batch["image"].numpy()
    same, cycled = (
        model.discriminator_xx(np.concatenate([x, other], -1)).numpy() for other in (x, x_rec)
    )
    assert np.abs(same - cycled).max() > 1e-3
    expected = softplus(-same).mean() + softplus(cycled).mean()
    assert float(losses["C"]) == pytest.approx(expected, rel=1e-5)
    expected = 0.7 * softplus(-cycled).mean()
    assert float(losses["EG"] - plain["EG"]) == pytest.approx(expected, rel=1e-4)
    assert float(losses["D"]) == pytest.approx(float(plain["D"]), rel=1e-5)


@pytest.mark.parametrize("form, plays", [("l2", False), ("adversarial", True)])
def test_the_second_discriminator_plays_in_the_adversarial_form_alone(form, plays, tmp_path):
    model = make_system("alice", options={"set": f"cycle={form}"})
    assert model.moves == ((("D", "C", "EG"),) if plays else (("D", "EG"),))
    before = [v.numpy() for v in model.discriminator_xx.variables]
    step_eagerly(model, make_batch())
    after = [v.numpy() for v in model.discriminator_xx.variables]
    assert all((a != b).any() == plays for a, b in zip(before, after, strict=True))
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    assert (loaded.cycle, loaded.moves) == (form, model.moves)


def test_reconstructions_do_not_touch_the_generators_statistics(monkeypatch):
    """Where G keeps the rows of z and of z_hat apart, those of z alone feed the averages."""
    model = with_settings("alice")
    monkeypatch.setattr(type(model.generator), "keeps_groups_apart", True, raising=False)
    twin = type(model.generator).from_config(model.generator.get_config())
    twin.set_weights(model.generator.get_weights())
    z = model.prior.sample(8, 5)
    model.random.begin(SEED, 8)
    model.player_losses(make_batch(), z, training=True)
    twin(z, training=True)
    for a, b in zip(model.generator.non_trainable_weights, twin.non_trainable_weights, strict=True):
        assert_close(a, b)


def test_an_unknown_form_is_refused():
    with pytest.raises(UserError, match="cycle=l3 is unknown; did you mean l[12] or l[12]"):
        make_system("alice", options={"set": "cycle=l3"})


def test_the_adversarial_form_needs_its_discriminator_to_move():
    with pytest.raises(UserError, match="needs C to move, as in moves=D.C.EG"):
        make_system("alice", options={"set": "cycle=adversarial", "moves": "D+EG"})


def test_who_does_not_play_has_no_loss():
    model, batch = with_settings("alice"), make_batch()
    model.random.begin(SEED, 8)
    losses, _ = model.player_losses(batch, model.prior.sample(8, 5), training=False)
    assert set(losses) == {"D", "EG"}


def test_shapes_of_the_pairs():
    model = make_system("alice", (12, 10, 3))
    assert model.discriminator_xx(tf.zeros((2, 12, 10, 6))).shape == (2, 1)
    assert model.prior.dim == LATENT
