"""BEGAN's losses against NumPy, k step by step, the halving of the learning rates."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from tests.closeness import assert_close
from tests.models.conftest import make_batch, make_dataset, make_system, with_settings


def make(settings, rate):
    """With Keras's Adam and a rate, or a schedule of rates."""
    return make_system("began", options={"set": settings}, optimizer=keras.optimizers.Adam(rate))


@pytest.mark.parametrize(("gamma", "sign"), [(0.7, 1), (0.01, -1)])
def test_losses_against_numpy(gamma, sign):
    model, batch = with_settings("began", gamma=gamma), make_batch()
    model.k.assign(0.4)
    z = model.prior.sample(8, 5)
    x, fake = batch["image"].numpy(), model.generator(z).numpy()
    real, generated = (np.abs(v - model.discriminator(v).numpy()).mean() for v in (x, fake))
    losses, logs = model.player_losses(batch, z, training=False)
    np.testing.assert_allclose(losses["D"], real - 0.4 * generated, rtol=1e-5)
    np.testing.assert_allclose(losses["G"], generated, rtol=1e-5)
    assert np.sign(gamma * real - generated) == sign  # of what M takes the size of
    m_global = real + sign * (gamma * real - generated)
    np.testing.assert_allclose(logs["m_global"], m_global, rtol=1e-5)


def test_k_step_by_step():
    model = with_settings("began", gamma=0.5, lambda_k=0.1)
    assert float(model.k) == 0
    expected = [
        (4.0, 1.0, 0.1),  # + .1·(.5·4 - 1)
        (10.0, 1.0, 0.5),
        (2.0, 3.0, 0.3),  # - .1·2
        (0.0, 9.0, 0.0),  # not below 0
        (30.0, 0.0, 1.0),  # not above 1
    ]
    for real, fake, k in expected:
        model.adapt({"loss_real": tf.constant(real), "loss_fake": tf.constant(fake)})
        assert float(model.k) == pytest.approx(k, abs=1e-5)


def test_k_moves_as_with_the_papers_images():
    """In [-1, 1] all errors are twice as large, and the paper's λ is .001."""
    model, k = with_settings("began"), 0.0
    for real, fake in np.random.default_rng(0).uniform(0, [0.5, 0.2], (20, 2)).astype(np.float32):
        model.adapt({"loss_real": tf.constant(real), "loss_fake": tf.constant(fake)})
        k = min(max(k + 0.001 * (0.5 * 2 * real - 2 * fake), 0.0), 1.0)
    assert k > 1e-3 and float(model.k) == pytest.approx(k, rel=1e-4)


def test_learning_rates_are_halved_down_to_the_floor(eagerly):
    model = make("halve_every=3,lowest_rate=3e-4", 1e-3)
    model.steps_per_execution = 1
    rates = []

    def collect(step, logs):
        rates.append([float(model.optimizer_of(p).learning_rate) for p in model.players])

    watch = keras.callbacks.LambdaCallback(on_train_batch_end=collect)
    model.fit(make_dataset(5), epochs=2, verbose=0, callbacks=[watch])
    expected = [1e-3, 1e-3, 5e-4, 5e-4, 5e-4, 3e-4, 3e-4, 3e-4, 3e-4, 3e-4]
    assert_close(rates, [[rate] * 2 for rate in expected], 1e-6)


def test_a_rate_below_the_floor_and_a_schedule_stay(eagerly):
    low = make("halve_every=1,lowest_rate=1e-3", 2e-4)
    schedule = keras.optimizers.schedules.ExponentialDecay(1e-3, 10, 0.5)
    planned = make("halve_every=1", schedule)
    for model in (low, planned):
        model.fit(make_dataset(2), verbose=0)
    assert float(low.optimizer_of("D").learning_rate) == pytest.approx(2e-4, rel=1e-5)
    assert float(planned.optimizer_of("D").learning_rate) == pytest.approx(1e-3 * 0.5**0.2)
