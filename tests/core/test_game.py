"""One step against a step written out by hand, and what a step depends on."""

import keras
import numpy as np
import pytest
import tensorflow as tf

import tf_bigan as tb
from tests.models.conftest import step_eagerly
from tests.small import (
    BATCH,
    IMAGE_SHAPE,
    LATENT,
    PlainDiscriminator,
    as_it_was,
    make_plain,
    plain_networks,
    state_of,
)
from tf_bigan.core.statistics import diagnose

SEED = 3


@keras.saving.register_keras_serializable("tests")
class AlternatingBiGAN(tb.models.BiGAN):
    moves = (("D",), ("EG",))


@keras.saving.register_keras_serializable("tests")
class NoisyEncoder(keras.Model):
    """An encoder with stock dropout and noise layers, whose seeds the game must control."""

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.flatten, self.dense = keras.layers.Flatten(), keras.layers.Dense(LATENT)
        self.dropout, self.noise = keras.layers.Dropout(0.5), keras.layers.GaussianNoise(0.3)
        self(keras.Input(IMAGE_SHAPE))

    def call(self, x, training=False):
        hidden = self.dropout(self.flatten(x), training=training)
        return self.dense(self.noise(hidden, training=training))

    def get_config(self):
        return {"name": self.name}


def weights(model) -> list[np.ndarray]:
    return [v.numpy() for v in model.variables]


def draw(model, step, index):
    seed = tf.random.experimental.stateless_fold_in([SEED, step], index)
    return tf.random.stateless_uniform((BATCH, LATENT), seed, -1, 1, alg="philox")


def losses_by_hand(model, x, z):
    """Donahue et al. 2017 with probabilities and logarithms, each branch in a call of its own."""
    real = tf.sigmoid(model.discriminator([x, model.encoder(x, training=True)], training=True))
    fake = tf.sigmoid(model.discriminator([model.generator(z, training=True), z], training=True))
    discriminator = -0.5 * tf.reduce_mean(tf.math.log(real) + tf.math.log(1 - fake))
    return discriminator, -0.5 * tf.reduce_mean(tf.math.log(1 - real) + tf.math.log(fake))


def step_by_hand(model, x, step, rate, groups):
    """Plain gradient descent; `groups` as in a schedule."""
    players = {"D": [model.discriminator], "EG": [model.encoder, model.generator]}
    for index, group in enumerate(groups):
        z = draw(model, step, index)
        with tf.GradientTape(persistent=True) as tape:
            losses = dict(zip(("D", "EG"), losses_by_hand(model, x, z), strict=True))
        updates = []
        for player in group:
            variables = [v for network in players[player] for v in network.trainable_variables]
            gradients = tape.gradient(losses[player], variables)
            updates += zip(variables, gradients, strict=True)
        for variable, gradient in updates:
            variable.assign_sub(rate * gradient)


@pytest.mark.parametrize("xla", [False, pytest.param(True, marks=pytest.mark.slow)])
@pytest.mark.parametrize("system", [tb.models.BiGAN, AlternatingBiGAN])
def test_steps_equal_steps_by_hand(make_bigan, images, system, xla):
    rate = 0.2
    model = make_bigan(system, keras.optimizers.SGD(rate), seed=SEED, jit_compile=xla)
    before = [v.numpy() for v in model.trainable_variables]
    new = [v.numpy() for v in state_of(model)]
    batches = tb.data.pipeline.ArrayBatches({"image": images}, BATCH)
    model.fit(batches, epochs=1, steps_per_epoch=3, verbose=0)
    after = [v.numpy() for v in model.trainable_variables]
    as_it_was(model, new)
    for step, batch in enumerate(batches.dataset().take(3)):
        step_by_hand(model, batch["image"], step, rate, system.moves)
    for hand, mine, first in zip(model.trainable_variables, after, before, strict=True):
        assert np.abs(mine - first).max() > 1e-4, "the step must be large enough to judge"
        np.testing.assert_allclose(mine, hand.numpy(), atol=3e-6, err_msg=hand.path)


def test_weight_decay_is_a_part_of_every_players_gradient(make_bigan, images):
    """A step with it and a step without differ by rate·l2·w."""
    rate, l2 = 0.2, 0.1
    plain = make_bigan(optimizer=keras.optimizers.SGD(rate))
    decayed = make_bigan(optimizer=keras.optimizers.SGD(rate), l2=l2)
    start = [v.numpy() for v in plain.trainable_variables]
    for model in (plain, decayed):
        step_eagerly(model, {"image": tf.constant(images[:BATCH])})
    pairs = zip(start, plain.trainable_variables, decayed.trainable_variables, strict=True)
    for w, without, with_decay in pairs:
        np.testing.assert_allclose(
            without.numpy() - with_decay.numpy(), rate * l2 * w, atol=2e-6, err_msg=without.path
        )


def test_simultaneous_and_alternating_steps_differ(make_bigan, images, eagerly):
    together, in_turn = make_bigan(), make_bigan(AlternatingBiGAN)
    for model in (together, in_turn):
        model.fit(images, batch_size=BATCH, steps_per_epoch=1, verbose=0)
    same = [
        np.allclose(a.numpy(), b.numpy(), atol=1e-6)
        for a, b in zip(together.trainable_variables, in_turn.trainable_variables, strict=True)
    ]
    # D moves first and alike in both; E and G see the old D in one and the new D in the other.
    d = len(together.discriminator.trainable_variables)
    assert all(same[:d]) and not any(same[d:])


def test_the_step_depends_on_seed_and_number_alone(images):
    models = [make_plain(seed=seed) for seed in (0, 1)]
    new = [v.numpy() for v in state_of(models[0])]

    def run(seed, steps_per_execution):
        model = as_it_was(models[seed], new)
        model.steps_per_execution = steps_per_execution
        model.fit(images, batch_size=BATCH, epochs=2, verbose=0)
        return weights(model)

    first, again, other = run(0, 1), run(0, 3), run(1, 3)
    for a, b in zip(first, again, strict=True):
        np.testing.assert_array_equal(a, b)
    assert any((a != b).any() for a, b in zip(first, other, strict=True))


def test_every_group_and_every_step_has_random_numbers_of_its_own(bigan, images):
    batch = {"image": tf.constant(images[:BATCH])}
    draws = []
    for step in range(2):
        bigan.step.assign(step)
        draws += [bigan._draw(batch, index) for index in range(3)]
    for values in zip(*draws, strict=True):  # z and the keys
        assert len({value.numpy().tobytes() for value in values}) == len(draws)


def test_dropout_and_noise_follow_the_step_and_not_their_past(images):
    parts = plain_networks() | {"encoder": NoisyEncoder()}
    model = tb.models.BiGAN(prior=tb.priors.Uniform(LATENT), **parts)
    model.compile(jit_compile=False)
    new = [v.numpy() for v in state_of(model)]

    def noisy(past):
        as_it_was(model, new)
        for _ in range(past):  # moves the layers' own seed generators
            model.encoder(images[:2], training=True)
        model.fit(images, batch_size=BATCH, epochs=1, verbose=0)
        return weights(model)

    for a, b in zip(noisy(0), noisy(5), strict=True):
        np.testing.assert_array_equal(a, b)


@keras.saving.register_keras_serializable("tests")
class ActiveDiscriminator(PlainDiscriminator):
    """With a loss of its activities."""

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.hidden.activity_regularizer = keras.regularizers.L2(0.1)


def test_a_penalty_of_weight_0_changes_nothing(images, eagerly):
    """Not even where D's layers have losses, which each call of D replaces."""
    states = []
    for penalty in ("none", "r1:gamma=0"):
        keras.utils.set_random_seed(0)
        networks = plain_networks() | {"discriminator": ActiveDiscriminator()}
        model = tb.models.BiGAN(**networks, prior=tb.priors.Uniform(LATENT))
        model.compile(keras.optimizers.SGD(0.1), penalty=penalty, jit_compile=False)
        step_eagerly(model, {"image": tf.constant(images[:BATCH])})
        states.append(weights(model))
    for a, b in zip(*states, strict=True):
        np.testing.assert_array_equal(a, b)


def test_a_player_twice_at_one_moment_is_refused(bigan):
    parts = {name: getattr(bigan, name) for name in tb.models.BiGAN.network_names()}
    with pytest.raises(ValueError, match="moves: D is twice in the same group"):
        tb.models.BiGAN(prior=tb.priors.Uniform(LATENT), moves=(("D", "EG", "D"),), **parts)
    with pytest.raises(ValueError, match="moves: a group without players"):
        tb.models.BiGAN(prior=tb.priors.Uniform(LATENT), moves=(("D", "EG"), ()), **parts)
    twice = tb.models.BiGAN(prior=tb.priors.Uniform(LATENT), moves=(("D",), ("D",)), **parts)
    assert twice.moves == (("D",), ("D",))


def test_a_weight_that_no_loss_reaches_stays_as_it_is(images, eagerly):
    class Unreached(tb.models.BiGAN):
        def player_losses(self, batch, z, training):
            losses, logs = super().player_losses(batch, z, training)
            return losses | {"D": tf.zeros(())}, logs

    model = make_plain(Unreached)
    before = [v.numpy() for v in model.discriminator.trainable_variables]
    model.fit(images, batch_size=BATCH, verbose=0)
    diagnose(model, {"image": images[:BATCH]})
    for old, new in zip(before, model.discriminator.trainable_variables, strict=True):
        np.testing.assert_array_equal(old, new.numpy())


@pytest.mark.parametrize(
    "losses, message",
    [
        ({"D": 0.0}, "no loss for player EG"),
        ({"D": 0.0, "EG": [1.0, 2.0]}, r"player EG a loss of shape \[2\]: it must be one number"),
    ],
)
def test_a_loss_that_is_missing_or_no_number_is_named(images, eagerly, losses, message):
    class Wrong(tb.models.BiGAN):
        def player_losses(self, batch, z, training):
            return {player: tf.constant(loss) for player, loss in losses.items()}, {}

    model = make_plain(Wrong)
    with pytest.raises(ValueError, match=message):
        model.fit(images, batch_size=BATCH, verbose=0)
    with pytest.raises(ValueError, match=message):
        diagnose(model, {"image": images[:BATCH]})
