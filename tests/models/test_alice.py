"""ALICE: what each form of the cycle adds to ALI, and who plays."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from tests.closeness import assert_close
from tests.models.conftest import LATENT, make_batch, make_system, step_eagerly, with_settings
from tf_bigan.errors import UserError
from tf_bigan.models.ali import ALI
from tf_bigan.networks.composite import GaussianEncoder

SEED = tf.constant([3, 5])


def softplus(x):
    return np.log1p(np.exp(x))


def losses_of(model, batch, z, latent_weight=0.0):
    """(its losses and logs, ALI's losses of the same networks, x_rec), from the same draws."""
    model.latent_weight = latent_weight
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


@pytest.mark.parametrize("form", ["l2", "adversarial"])
def test_the_cycle_of_z_against_numpy(form):
    """z_rec is a draw of its own from E(G(z)): the second of the pass, after z_hat."""
    model = make_system("alice", options={"set": f"cycle={form}"})
    assert model.latent_weight > 0  # by default: the official programs have this cycle
    batch, z = make_batch(), model.prior.sample(8, 5)
    without, logs, *_ = losses_of(model, batch, z)
    assert "latent_reconstruction" not in logs
    losses, logs, *_ = losses_of(model, batch, z, latent_weight=0.3)
    model.random.begin(SEED, 8)
    first, second = (model.random.normal((LATENT,)).numpy() for _ in range(2))
    mean, log_sigma = (part.numpy() for part in model.encoder.distribution(model.generator(z)))
    error = (z.numpy() - mean - np.exp(log_sigma) * second) ** 2
    assert np.abs(first - second).min() > 1e-4
    assert float(logs["latent_reconstruction"]) == pytest.approx(error.sum(1).mean(), rel=1e-5)
    added = 0.3 * error.sum(1).mean()
    assert float(losses["EG"] - without["EG"]) == pytest.approx(added, rel=1e-4)
    for player in losses.keys() - {"EG"}:
        assert float(losses[player]) == float(without[player])


def test_the_cycle_of_z_moves_both_networks():
    model, batch = with_settings("alice", latent_weight=1.0), make_batch()
    z = model.prior.sample(8, 5)
    model.random.begin(SEED, 8)
    with tf.GradientTape() as tape:
        _, logs = model.player_losses(batch, z, training=True)
        error = tf.identity(logs["latent_reconstruction"])
    kernels = [model.encoder.trainable_variables[0], model.generator.trainable_variables[0]]
    for gradient in tape.gradient(error, [v.value for v in kernels]):
        assert float(tf.reduce_max(tf.abs(gradient))) > 1e-6


@pytest.mark.parametrize("stock", [False, True])
def test_the_averages_are_those_of_images_and_of_draws_of_z(stock):
    """Those of E are not of G(z), those of G not of z_hat, though both networks see these too."""
    model, batch = make_system("alice", options={"networks": "mlp"}), make_batch()
    if stock:
        parts = {name: getattr(model, name) for name in model.network_names()}
        layers, norm = keras.layers, keras.layers.BatchNormalization
        parts["generator"] = keras.Sequential(
            [keras.Input((LATENT,)), layers.Dense(64), norm(), layers.Reshape((8, 8, 1))]
        )
        body = keras.Sequential(
            [keras.Input((8, 8, 1)), layers.Flatten(), layers.Dense(2 * LATENT), norm()]
        )
        parts["encoder"] = GaussianEncoder(body, (8, 8, 1))
        model = type(model)(prior=model.prior, **parts)
        model.compile(jit_compile=False)
    z = model.prior.sample(8, 5)
    networks, inputs = (model.encoder, model.generator), (batch["image"], z)
    before = [[w.numpy() for w in network.non_trainable_weights] for network in networks]
    expected = []
    for network, rows in zip(networks, inputs, strict=True):
        network(rows, training=True)
        expected.append([w.numpy() for w in network.non_trainable_weights])
    for network, values in zip(networks, before, strict=True):
        for weight, value in zip(network.non_trainable_weights, values, strict=True):
            weight.assign(value)
    model.random.begin(SEED, 8)
    model.player_losses(batch, z, training=True)
    for network, old, new in zip(networks, before, expected, strict=True):
        assert any((a != b).any() for a, b in zip(old, new, strict=True))
        for weight, value in zip(network.non_trainable_weights, new, strict=True):
            assert_close(weight, value)


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
