"""MAGAN's losses against NumPy, its margin period by period, and that the margin never rises."""

import keras
import numpy as np
import pytest
import tensorflow as tf

import tf_bigan as tb
from tests.models.conftest import make_batch, make_dataset, make_system, with_settings
from tf_bigan.errors import UserError


def make():
    return with_settings("magan", period=2, pretraining=2)


def energy(model, x):
    return np.square(np.asarray(x) - model.discriminator(x).numpy()).sum((1, 2, 3))


@pytest.mark.parametrize("step, generator_plays", [(3, 0.0), (4, 1.0)])
def test_losses_against_numpy(step, generator_plays):
    model, batch = make(), make_batch()
    model.step.assign(step)
    z = model.prior.sample(8, 5)
    e_real, e_fake = energy(model, batch["image"]), energy(model, model.generator(z))
    margin = float(np.median(e_fake))
    model.margin.assign(margin)
    losses, _ = model.player_losses(batch, z, training=False)
    expected = e_real.mean() + np.maximum(margin - e_fake, 0).mean()
    np.testing.assert_allclose(losses["D"], expected, rtol=1e-5)
    np.testing.assert_allclose(losses["G"], e_fake.mean(), rtol=1e-5)
    assert bool(model.is_active("G")) == generator_plays and model.is_active("D")


def margins(model, energies):
    """The margin after each step, for the energies (real, fake) of the steps."""
    values = []
    for step, (real, fake) in enumerate(energies):
        model.step.assign(step)
        model.adapt({"energy_real": tf.constant(real), "energy_fake": tf.constant(fake)})
        values.append(round(float(model.margin), 5))
    return values


def test_the_margin_period_by_period():
    energies = [
        *[(9.0, 1.0), (9.0, 1.0)],  # the first period of D alone
        *[(4.0, 1.0), (8.0, 1.0)],  # the second: the margin is its mean real energy, 6
        *[(5.0, 7.0), (5.0, 7.0)],  # Z = 7 is the first there is: it cannot have risen
        *[(5.0, 8.0), (4.0, 8.0)],  # Z rose to 8, X = 4.5 < 6 and < Z
        *[(3.0, 7.0), (3.0, 7.0)],  # Z fell
        *[(4.0, 8.0), (6.0, 8.0)],  # Z rose, but X = 5 is not below the margin
        *[(2.0, 1.0), (2.0, 1.0)],  # Z fell to 1
        *[(2.0, 1.5), (2.0, 1.5)],  # Z rose to 1.5, but real images cost more
        *[(2.0, 2.5), (1.0, 2.5)],  # all three hold
    ]
    expected = [0, 0, 0, 6, 6, 6, 6, 4.5, 4.5, 4.5, 4.5, 4.5, 4.5, 4.5, 4.5, 4.5, 4.5, 1.5]
    assert margins(make(), energies) == expected


def test_a_period_is_an_epoch_and_the_run_is_longer_than_what_d_learns_alone():
    options = {"set": "pretraining=3", "epochs": 4}  # of four steps
    assert make_system("magan", options=options).period == 4
    with pytest.raises(UserError, match="pretrained for 12 steps, but the run has only 12: "):
        make_system("magan", options=options | {"epochs": 3})
    with pytest.raises(UserError, match="pretrained for 14 steps, but the run has only 12: "):
        make_system("magan", options={"set": "period=7,pretraining=2", "epochs": 3})


def test_the_margin_never_rises():
    energies = np.random.default_rng(0).gamma(2.0, 2.0, (200, 2))
    energies[:, 0] *= np.linspace(3.0, 0.1, 200)  # real images cost less and less
    values = margins(make(), energies.astype(np.float32).tolist())[3:]
    assert np.all(np.diff(values) <= 0) and len(set(values)) > 3


def test_the_generator_stands_still_until_the_margin_is_known(eagerly):
    options = {"set": "period=2,pretraining=2"}
    model = make_system("magan", optimizer=keras.optimizers.SGD(0.1), options=options)
    weights = [v.numpy() for v in model.generator.trainable_variables]
    model.fit(make_dataset(4), verbose=0)  # two periods of two steps
    for before, variable in zip(weights, model.generator.trainable_variables, strict=True):
        np.testing.assert_array_equal(before, variable.numpy())
    assert float(model.margin) > 0
    model.fit(make_dataset(1), initial_epoch=1, epochs=2, verbose=0)
    moved = [
        (before != variable.numpy()).any()
        for before, variable in zip(weights, model.generator.trainable_variables, strict=True)
    ]
    assert all(moved)


def test_weight_decay_does_not_move_a_generator_that_stands_still(eagerly):
    model = make_system(
        "magan",
        optimizer=tb.optimizers.Adam(1e-2),
        options={"set": "period=99,pretraining=1", "l2": 1e-2},
    )
    before = [v.numpy() for v in model.generator.trainable_variables]
    model.fit(make_dataset(2), verbose=0)
    for a, v in zip(before, model.generator.trainable_variables, strict=True):
        np.testing.assert_array_equal(a, v.numpy())


def test_the_generators_first_moves_are_no_larger_than_the_rate(eagerly):
    """Adam's bias correction counts G's moves, not the steps in which G waits."""
    model = make_system("magan", options={"set": "period=6,pretraining=2"}, steps_per_execution=1)
    data = make_dataset(batches=13)
    model.fit(data.take(12), epochs=1, verbose=0)
    before = [v.numpy() for v in model.generator.trainable_variables]
    model.fit(data.skip(12), initial_epoch=0, epochs=1, verbose=0)
    moved = [
        np.abs(v.numpy() - w).max()
        for v, w in zip(model.generator.trainable_variables, before, strict=True)
    ]
    assert 0.5e-3 < max(moved) < 1.1e-3


def test_gradients_accumulate_from_the_generators_first_move(eagerly):
    """The first step is D's alone: the second and the third make one move of G."""
    optimizer = keras.optimizers.SGD(0.1, gradient_accumulation_steps=2)
    model = make_system("magan", optimizer=optimizer)
    kernel, moved = model.generator.trainable_variables[0], []
    for seed in range(3):
        before = kernel.numpy()
        model.train_step(make_batch(seed=seed))
        moved.append((kernel.numpy() != before).any())
    assert moved == [False, False, True]
