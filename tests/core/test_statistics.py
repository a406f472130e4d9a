"""Batch statistics averaged anew, and a look at gradients that changes nothing."""

import keras
import numpy as np
import pytest
import tensorflow as tf

import tf_bigan as tb
from tests.closeness import assert_close
from tests.core.test_game import losses_by_hand, weights
from tests.core.test_loop import two_replicas
from tests.small import BATCH, IMAGE_SHAPE, LATENT
from tf_bigan.core.statistics import calibrate, diagnose
from tf_bigan.networks.normalization import unchanged_statistics


def test_average_has_the_batch_statistics_of_its_own_weights(make_bigan, images, eagerly):
    """In each of the first steps 0.9 of the former statistics, 0.1 of the averaged weights' own."""
    data = images[:BATCH]
    model = make_bigan(optimizer=keras.optimizers.SGD(0.5), ema=0.9)
    encoder, mean, variance = model.average.encoder, 0.0, 1.0
    for epoch in range(3):
        model.fit(data, batch_size=BATCH, initial_epoch=epoch, epochs=epoch + 1, verbose=0)
        hidden = tf.nn.leaky_relu(encoder.dense1(encoder.flatten(data)), 0.2)
        own = encoder.dense2(hidden).numpy()
        mean, variance = 0.9 * mean + 0.1 * own.mean(0), 0.9 * variance + 0.1 * own.var(0, ddof=1)
    assert_close(encoder.norm2.moving_mean, mean)
    assert_close(encoder.norm2.moving_variance, variance)


def test_average_sees_a_batch_every_tenth_step_after_the_first_fifty(make_bigan, images, eagerly):
    model, seen = make_bigan(ema=0.9), []
    norm = model.average.encoder.norm2
    for step in (48, 49, 50, 51, 58, 59, 60):
        model.step.assign(step)
        before = norm.moving_mean.numpy()
        model.fit(images[:BATCH], batch_size=BATCH, verbose=0)
        seen.append(bool((norm.moving_mean.numpy() != before).any()))
    assert seen == [True, True, False, False, False, True, False]


def test_calibrate_averages_batch_means_and_unbiased_variances(bigan, images):
    batches = [{"image": tf.constant(images[i : i + BATCH])} for i in range(0, 48, BATCH)]
    calibrate(bigan, iter(batches), steps=4)
    encoder = bigan.encoder
    hidden = encoder.dense2(tf.nn.leaky_relu(encoder.dense1(encoder.flatten(images)), 0.2))
    parts = hidden.numpy().reshape(4, BATCH, -1)
    assert_close(encoder.norm2.moving_mean, parts.mean(1).mean(0))
    assert_close(encoder.norm2.moving_variance, parts.var(1, ddof=1).mean(0))


def test_an_uncompiled_model_is_an_error(bigan, images):
    model, batch = tb.models.BiGAN.from_config(bigan.get_config()), {"image": images[:BATCH]}
    for call in (lambda: calibrate(model, [batch]), lambda: diagnose(model, batch)):
        with pytest.raises(ValueError, match="^compile the model first"):
            call()


def test_calibrate_averages_over_the_batches_that_there_are(bigan, images):
    batches = [{"image": tf.constant(images[i : i + BATCH])} for i in (0, BATCH)]

    def statistics(steps):
        calibrate(bigan, iter(batches), steps=steps)
        norm = bigan.encoder.norm2
        return np.stack([norm.moving_mean.numpy(), norm.moving_variance.numpy()])

    np.testing.assert_array_equal(statistics(9), statistics(2))
    assert np.abs(statistics(1) - statistics(2)).max() > 1e-3  # and no more than are wanted


def test_diagnose_leaves_the_model_as_it_was(bigan, images):
    before = weights(bigan)
    values = diagnose(bigan, {"image": images[:BATCH]})
    for a, b in zip(before, weights(bigan), strict=True):
        np.testing.assert_array_equal(a, b)
    assert values["logits_real"].shape == (BATCH, 1)
    with tf.GradientTape(persistent=True) as tape:
        seed = tf.random.experimental.stateless_fold_in([0, 0], 0)
        z = tf.random.stateless_uniform((BATCH, LATENT), seed, -1, 1, alg="philox")
        d, eg = losses_by_hand(bigan, images[:BATCH], z)
    for player, loss in (("D", d), ("EG", eg)):
        norm = tf.linalg.global_norm(tape.gradient(loss, bigan.player_variables(player)))
        np.testing.assert_allclose(values[f"gradient_norm/{player}"], norm, rtol=1e-4)


def test_the_gradient_norm_of_d_is_that_of_its_loss_and_penalty(make_bigan, images, eagerly):
    model, x = make_bigan(penalty="r1:gamma=6,every_row=1"), tf.constant(images[:BATCH])
    values = diagnose(model, {"image": x})
    seed = tf.random.experimental.stateless_fold_in([0, 0], 0)
    z = tf.random.stateless_uniform((BATCH, LATENT), seed, -1, 1, alg="philox")
    pair = [x, model.encoder(x, training=True)]
    with tf.GradientTape(persistent=True) as tape:
        d, eg = losses_by_hand(model, x, z)
        with tf.GradientTape() as inner:
            inner.watch(pair)
            logits = model.discriminator(pair, training=True)
        of_x, of_z = inner.gradient(logits, pair)
        squares = tf.reduce_sum(of_x**2, (1, 2, 3)) + tf.reduce_sum(of_z**2, 1)
        d_penalised = d + 6 / 2 * tf.reduce_mean(squares)
    norm = {
        loss: tf.linalg.global_norm(tape.gradient(value, model.player_variables(player))).numpy()
        for loss, value, player in (("D", d, "D"), ("R1", d_penalised, "D"), ("EG", eg, "EG"))
    }
    assert abs(norm["R1"] - norm["D"]) > 0.01 * norm["D"]
    np.testing.assert_allclose(values["gradient_norm/D"], norm["R1"], rtol=1e-4)
    np.testing.assert_allclose(values["gradient_norm/EG"], norm["EG"], rtol=1e-4)


@pytest.mark.slow
def test_synchronised_statistics_of_the_average_are_those_of_the_global_batch(
    make_bigan, images, eagerly
):
    """Two replicas as one: what differs between the replicas' rows counts as well."""
    found = []
    for strategy in (tf.distribute.get_strategy(), two_replicas()):
        with strategy.scope():
            model = make_bigan(optimizer=keras.optimizers.SGD(0.1), ema=0.9, sync_batch_norm=True)
        model.fit(images, batch_size=BATCH, steps_per_epoch=3, verbose=0)
        norm = model.average.encoder.norm2
        found.append([norm.moving_mean.numpy(), norm.moving_variance.numpy()])
    for one, two in zip(*found, strict=True):
        np.testing.assert_allclose(one, two, atol=2e-5)
    assert np.abs(found[0][1] - 0.9**3).min() > 1e-3  # they have moved


@pytest.mark.slow
@pytest.mark.parametrize(
    "options", [{"penalty": "r1:gamma=1,every_row=1"}, {"augmentation": "translation"}]
)
def test_replicas_that_synchronise_do_not_share_draws_and_judgements(images, options):
    """They take turns inside of a pass, wherever a layer waits for the statistics of all."""
    found = []
    for strategy in (tf.distribute.get_strategy(), two_replicas()):
        keras.utils.set_random_seed(0)
        with strategy.scope():
            model = tb.models.BiGAN(  # without batch statistics in D, where R1 is of single rows
                encoder=tb.networks.ConvEncoder(IMAGE_SHAPE, LATENT, width=4, hidden=8),
                generator=tb.networks.ConvGenerator(IMAGE_SHAPE, LATENT, width=4),
                discriminator=tb.networks.ConvDiscriminator(IMAGE_SHAPE, LATENT, width=4, hidden=8),
                prior=tb.priors.Normal(LATENT),
            )
            options |= {"optimizer": keras.optimizers.SGD(0.1), "sync_batch_norm": True}
            model.compile(jit_compile=False, **options)
        logs = model.train_on_batch(images[:BATCH])
        found.append([*logs.values(), *weights(model)])
        assert ("penalty_D" in logs) == ("penalty" in options)
    for one, two in zip(*found, strict=True):
        np.testing.assert_allclose(one, two, atol=1e-5)


@pytest.mark.parametrize("unless, moved", [(False, False), (True, True)])
def test_a_call_that_leaves_the_statistics_alone(bigan, images, unless, moved):
    norm = bigan.encoder.norm2
    before = norm.moving_mean.numpy()
    with unchanged_statistics(bigan.encoder, unless=tf.constant(unless)):
        bigan.encoder(images, training=True)
    assert bool((norm.moving_mean.numpy() != before).any()) == moved
