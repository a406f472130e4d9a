"""One step against a step written out by hand; what a step depends on; saving and loading."""

import keras
import numpy as np
import pytest
import tensorflow as tf

import tf_bigan as tb
from tests.conftest import BATCH, IMAGE_SHAPE, LATENT
from tests.models.conftest import step_eagerly

SEED = 3


@keras.saving.register_keras_serializable("tests")
class AlternatingBiGAN(tb.models.BiGAN):
    schedule = (("D",), ("EG",))


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


@pytest.mark.parametrize("xla", [False, True])
@pytest.mark.parametrize("system", [tb.models.BiGAN, AlternatingBiGAN])
def test_steps_equal_steps_by_hand(make_bigan, images, system, xla):
    rate = 0.2
    model = make_bigan(system, keras.optimizers.SGD(rate), seed=SEED, jit_compile=xla)
    reference = make_bigan(system)
    before = [v.numpy() for v in model.trainable_variables]
    batches = tb.data.pipeline.ArrayBatches({"image": images}, BATCH)
    model.fit(batches, epochs=1, steps_per_epoch=3, verbose=0)
    for step, batch in enumerate(batches.dataset().take(3)):
        step_by_hand(reference, batch["image"], step, rate, system.schedule)
    for mine, hand, first in zip(
        model.trainable_variables, reference.trainable_variables, before, strict=True
    ):
        assert np.abs(mine.numpy() - first).max() > 1e-4, "the step must be large enough to judge"
        np.testing.assert_allclose(mine.numpy(), hand.numpy(), atol=3e-6, err_msg=mine.path)


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


def test_a_second_compile_leaves_nothing_of_the_first(make_bigan, images, tmp_path):
    model = make_bigan(ema=0.9)
    model.compile(ema=0.5, jit_compile=False)
    assert len(model.variables) == len(make_bigan(ema=0.5).variables)
    model.fit(images, batch_size=BATCH, verbose=0)
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    for a, b in zip(weights(model), weights(loaded), strict=True):
        np.testing.assert_array_equal(a, b)


def test_simultaneous_and_alternating_steps_differ(make_bigan, images):
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


def test_the_step_depends_on_seed_and_number_alone(make_bigan, images):
    def run(seed, steps_per_execution):
        model = make_bigan(seed=seed, steps_per_execution=steps_per_execution)
        model.fit(images, batch_size=BATCH, epochs=2, verbose=0)
        return weights(model)

    first, again, other = run(0, 1), run(0, 3), run(1, 3)
    for a, b in zip(first, again, strict=True):
        np.testing.assert_array_equal(a, b)
    assert any((a != b).any() for a, b in zip(first, other, strict=True))


def test_every_group_and_every_step_has_random_numbers_of_its_own(make_bigan, images):
    model, batch = make_bigan(), {"image": tf.constant(images[:BATCH])}
    draws = []
    for step in range(2):
        model.step.assign(step)
        draws += [model._draw(batch, index) for index in range(3)]
    for values in zip(*draws, strict=True):  # z and the keys
        assert len({value.numpy().tobytes() for value in values}) == len(draws)


def test_dropout_and_noise_follow_the_step_and_not_their_past(make_bigan, images):
    def noisy(past):
        networks = make_bigan()
        keras.utils.set_random_seed(1)
        model = tb.models.BiGAN(
            prior=tb.priors.Uniform(LATENT),
            encoder=NoisyEncoder(),
            generator=networks.generator,
            discriminator=networks.discriminator,
        )
        model.compile(jit_compile=False)
        for _ in range(past):  # moves the layers' own seed generators
            model.encoder(images[:2], training=True)
        model.fit(images, batch_size=BATCH, epochs=1, verbose=0)
        return weights(model)

    for a, b in zip(noisy(0), noisy(5), strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize(
    "system, ema", [(tb.models.BiGAN, 0.9), (AlternatingBiGAN, None)], ids=["ema", "alternating"]
)
def test_the_step_after_a_reload_is_the_step_without_it(make_bigan, images, tmp_path, system, ema):
    schedule = tb.optimizers.ConstantThenExponential(1e-3, epochs=2, steps_per_epoch=4)
    optimizers = {"D": tb.optimizers.Adam(schedule, 0.5), "EG": keras.optimizers.RMSprop(1e-4)}
    model = make_bigan(system, optimizers, ema=ema, seed=5)
    model.fit(images, batch_size=BATCH, epochs=1, verbose=0)
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    assert type(loaded) is system and loaded.seed == 5 and loaded.ema == ema
    for one in (model, loaded):
        one.fit(images, batch_size=BATCH, epochs=2, initial_epoch=1, verbose=0)
    state = [model, *map(model.optimizer_of, model.players)]
    again = [loaded, *map(loaded.optimizer_of, loaded.players)]
    for a, b in zip(state, again, strict=True):
        for mine, theirs in zip(a.variables, b.variables, strict=True):
            np.testing.assert_array_equal(mine.numpy(), theirs.numpy(), err_msg=mine.path)
    np.testing.assert_array_equal(model.encode(images), loaded.encode(images))


def test_moving_average_of_weights(make_bigan, images):
    plain, averaged = make_bigan(), make_bigan(ema=0.75)
    expected = [v.numpy() for v in plain.trainable_variables]
    for epoch in range(3):
        for model in (plain, averaged):
            model.fit(
                images[:BATCH], batch_size=BATCH, initial_epoch=epoch, epochs=epoch + 1, verbose=0
            )
        expected = [
            0.75 * e + 0.25 * v.numpy()
            for e, v in zip(expected, plain.trainable_variables, strict=True)
        ]
    names = plain.network_names()
    average = [v for n in names for v in getattr(averaged.average, n).trainable_variables]
    for a, e in zip(average, expected, strict=True):
        np.testing.assert_allclose(a.numpy(), e, atol=1e-6)
    assert averaged.inference_model() is averaged.average
    np.testing.assert_array_equal(
        averaged.encode(images), averaged.average.encoder(images, training=False).numpy()
    )


def test_average_has_the_batch_statistics_of_its_own_weights(make_bigan, images):
    """After the tenth step: 0.9 of the initial statistics, 0.1 of the averaged weights' own."""
    data = images[:BATCH]
    model = make_bigan(optimizer=keras.optimizers.SGD(0.5), ema=0.9)
    model.fit(data, batch_size=BATCH, epochs=10, verbose=0)
    encoder = model.average.encoder
    hidden = tf.nn.leaky_relu(encoder.dense1(encoder.flatten(data)), 0.2)
    own = encoder.dense2(hidden).numpy()
    np.testing.assert_allclose(encoder.norm2.moving_mean, 0.1 * own.mean(0), atol=1e-6)
    np.testing.assert_allclose(
        encoder.norm2.moving_variance, 0.9 + 0.1 * own.var(0, ddof=1), rtol=1e-5
    )


def test_calibrate_averages_batch_means_and_unbiased_variances(make_bigan, images):
    model = make_bigan()
    batches = [{"image": tf.constant(images[i : i + BATCH])} for i in range(0, 48, BATCH)]
    model.calibrate(iter(batches), steps=4)
    encoder = model.encoder
    hidden = encoder.dense2(tf.nn.leaky_relu(encoder.dense1(encoder.flatten(images)), 0.2))
    parts = hidden.numpy().reshape(4, BATCH, -1)
    np.testing.assert_allclose(encoder.norm2.moving_mean, parts.mean(1).mean(0), atol=1e-6)
    np.testing.assert_allclose(
        encoder.norm2.moving_variance, parts.var(1, ddof=1).mean(0), rtol=1e-5
    )


def test_an_uncompiled_model_says_what_is_missing(make_bigan, images):
    config = make_bigan().get_config()
    model, batch = tb.models.BiGAN.from_config(config), {"image": images[:BATCH]}
    for call in (lambda: model.calibrate([batch]), lambda: model.diagnose(batch)):
        with pytest.raises(ValueError, match="^compile the model first"):
            call()


def test_calibrate_averages_over_the_batches_that_there_are(make_bigan, images):
    model = make_bigan()
    batches = [{"image": tf.constant(images[i : i + BATCH])} for i in (0, BATCH)]

    def statistics(steps):
        model.calibrate(iter(batches), steps=steps)
        norm = model.encoder.norm2
        return np.stack([norm.moving_mean.numpy(), norm.moving_variance.numpy()])

    np.testing.assert_array_equal(statistics(9), statistics(2))
    assert np.abs(statistics(1) - statistics(2)).max() > 1e-3  # and no more than are wanted


def test_diagnose_leaves_the_model_as_it_was(make_bigan, images):
    model = make_bigan()
    before = weights(model)
    values = model.diagnose({"image": images[:BATCH]})
    for a, b in zip(before, weights(model), strict=True):
        np.testing.assert_array_equal(a, b)
    assert values["logits_real"].shape == (BATCH, 1)
    with tf.GradientTape(persistent=True) as tape:
        seed = tf.random.experimental.stateless_fold_in([0, 0], 0)
        z = tf.random.stateless_uniform((BATCH, LATENT), seed, -1, 1, alg="philox")
        d, eg = losses_by_hand(model, images[:BATCH], z)
    for player, loss in (("D", d), ("EG", eg)):
        norm = tf.linalg.global_norm(tape.gradient(loss, model.player_variables(player)))
        np.testing.assert_allclose(values[f"gradient_norm/{player}"], norm, rtol=1e-4)


def test_arrays_of_any_length(make_bigan, images):
    model = make_bigan()
    for n in (1, 7, 12, 30):
        assert model.encode(images[:n], batch_size=7).shape == (n, LATENT)
    whole = model.reconstruct(images, batch_size=48)
    np.testing.assert_allclose(model.reconstruct(images, batch_size=5), whole, atol=1e-6)
    path = model.interpolate(images[:2], images[2:4], steps=5)
    assert path.shape == (2, 5, *IMAGE_SHAPE)
    np.testing.assert_allclose(path[:, 0], model.reconstruct(images[:2]), atol=1e-6)
    np.testing.assert_allclose(path[:, -1], model.reconstruct(images[2:4]), atol=1e-6)
    assert model.features(images)["e-"].shape == (48, 16)
    np.testing.assert_allclose(
        np.tanh(model.features(images)["e"] / 2), model.encode(images), atol=1e-6
    )


def test_wrong_use_is_named(make_bigan, images):
    model = make_bigan()
    with pytest.raises(ValueError, match=r"encoder takes .*\[N, 8, 8, 1\].*not \[48, 8, 8\]"):
        model.encode(images[..., 0])
    with pytest.raises(ValueError, match="N > 0"):
        model.encode(images[:0])
    with pytest.raises(ValueError, match="ema is a decay between 0 and 1"):
        model.compile(ema=1.0)
    with pytest.raises(ValueError, match="optimizers are for"):
        model.compile({"D": keras.optimizers.SGD(0.1)})
    parts = {name: getattr(model, name) for name in model.network_names()}
    with pytest.raises(ValueError, match="did you mean generator"):
        tb.models.BiGAN(prior=model.prior, **parts, generater=model.generator)
    with pytest.raises(ValueError, match="needs the networks encoder"):
        tb.models.BiGAN(
            prior=model.prior, generator=parts["generator"], discriminator=parts["discriminator"]
        )
    wrong = tb.networks.MLPEncoder(IMAGE_SHAPE, LATENT + 1, width=4)
    with pytest.raises(ValueError, match="encoder gives"):
        tb.models.BiGAN(prior=model.prior, **(parts | {"encoder": wrong}))


def test_scaled_losses_give_the_same_step(make_bigan, images):
    def after(optimizer):
        model = make_bigan()
        model.compile(optimizer, jit_compile=False)
        model.fit(images, batch_size=BATCH, verbose=0)
        return weights(model)

    sgd = keras.optimizers.SGD
    plain = after(sgd(0.1))
    for scaled in (
        sgd(0.1, loss_scale_factor=1024.0),
        keras.optimizers.LossScaleOptimizer(sgd(0.1), initial_scale=1024.0),
    ):
        for one, other in zip(plain, after(scaled), strict=True):
            np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("ema", [None, 0.9])
def test_frozen_layers_stay_frozen_after_a_reload(make_bigan, images, tmp_path, ema):
    model = make_bigan()
    model.discriminator.trainable = False
    next(layer for layer in model.encoder.layers if layer.weights).trainable = False
    model.compile(keras.optimizers.SGD(0.1), ema=ema, jit_compile=False)
    model.save(tmp_path / "frozen.keras")
    reloaded = keras.saving.load_model(tmp_path / "frozen.keras")
    names = ("discriminator", "generator")
    before = {name: getattr(model, name).get_weights() for name in names}
    for one in (model, reloaded):
        one.fit(images, batch_size=BATCH, verbose=0)
    for a, b in zip(weights(model), weights(reloaded), strict=True):
        np.testing.assert_array_equal(a, b)
    for name, stays in zip(names, (True, False), strict=True):
        pairs = zip(before[name], getattr(reloaded, name).get_weights(), strict=True)
        assert all(np.array_equal(*pair) for pair in pairs) == stays


def test_a_model_without_compile_encodes_and_is_saved(make_bigan, images, tmp_path):
    compiled = make_bigan()
    fresh = type(compiled).from_config(compiled.get_config())
    with pytest.raises(ValueError, match="compile the model first"):
        fresh.evaluate(images, batch_size=BATCH)
    fresh.save(tmp_path / "model.keras")
    again = keras.saving.load_model(tmp_path / "model.keras")
    np.testing.assert_array_equal(fresh.encode(images), again.encode(images))
    compiled.save(tmp_path / "model.keras")
    again = keras.saving.load_model(tmp_path / "model.keras", compile=False)
    np.testing.assert_array_equal(compiled.encode(images), again.encode(images))


def test_predict_uses_the_average(make_bigan, images):
    model = make_bigan(ema=0.9)
    model.fit(images, batch_size=BATCH, verbose=0)
    np.testing.assert_allclose(
        model.predict(images, verbose=0), model.reconstruct(images), atol=1e-6
    )


def test_images_as_bytes_are_encoded_as_fit_takes_them(make_bigan, images):
    model, levels = make_bigan(), np.rint(images * 255).astype(np.uint8)
    np.testing.assert_array_equal(model.encode(levels), model.encode(levels / np.float32(255)))
    with pytest.raises(ValueError, match="uint8, or float in .*, not int64"):
        model.encode(levels.astype(np.int64))
    with pytest.raises(ValueError, match=r"in \[0, 1\], not \["):
        model.encode(levels.astype(np.float32))


def test_one_optimizer_for_two_players_is_refused(make_bigan):
    one = keras.optimizers.SGD(0.1)
    with pytest.raises(ValueError, match="an optimizer of its own"):
        make_bigan().compile({"D": one, "EG": one})


def test_a_player_twice_at_one_moment_is_refused(make_bigan):
    parts = {name: getattr(make_bigan(), name) for name in tb.models.BiGAN.network_names()}
    with pytest.raises(ValueError, match="moves D twice at the same moment"):
        tb.models.BiGAN(prior=tb.priors.Uniform(LATENT), schedule=(("D", "EG", "D"),), **parts)
    with pytest.raises(ValueError, match="a move without players"):
        tb.models.BiGAN(prior=tb.priors.Uniform(LATENT), schedule=(("D", "EG"), ()), **parts)
    twice = tb.models.BiGAN(prior=tb.priors.Uniform(LATENT), schedule=(("D",), ("D",)), **parts)
    assert twice.schedule == (("D",), ("D",))


def test_a_weight_that_no_loss_reaches_stays_as_it_is(make_bigan, images):
    class Unreached(tb.models.BiGAN):
        def player_losses(self, batch, z, training):
            losses, logs = super().player_losses(batch, z, training)
            return losses | {"D": tf.zeros(())}, logs

    model = make_bigan(Unreached)
    before = [v.numpy() for v in model.discriminator.trainable_variables]
    model.fit(images, batch_size=BATCH, verbose=0)
    model.diagnose({"image": images[:BATCH]})
    for old, new in zip(before, model.discriminator.trainable_variables, strict=True):
        np.testing.assert_array_equal(old, new.numpy())


def test_wrong_numbers_of_images_are_named(make_bigan, images):
    model = make_bigan()
    with pytest.raises(ValueError, match="not 2 and 3 images in 8 steps"):
        model.interpolate(images[:2], images[:3])
    with pytest.raises(ValueError, match="at least 2 steps"):
        model.interpolate(images[:2], images[:2], steps=0)
    with pytest.raises(ValueError, match="at least 1 draw, not 0"):
        model.sample(0)
    parts = {name: getattr(model, name) for name in model.network_names()}
    with pytest.raises(ValueError, match="generator does not take z of 6"):
        tb.models.BiGAN(prior=tb.priors.Uniform(LATENT + 1), **parts)


def test_bytes_are_called_and_predicted_as_they_are_reconstructed(make_bigan, images):
    model, levels = make_bigan(), np.rint(images * 255).astype(np.uint8)
    expected = model.reconstruct(levels)
    np.testing.assert_allclose(model(levels), expected, atol=1e-6)
    np.testing.assert_allclose(model.predict(levels, verbose=0), expected, atol=1e-6)


@pytest.mark.parametrize(
    "losses, message",
    [
        ({"D": 0.0}, "no loss for player EG"),
        ({"D": 0.0, "EG": [1.0, 2.0]}, r"player EG a loss of shape \[2\]: it must be one number"),
    ],
)
def test_a_loss_that_is_missing_or_no_number_is_named(make_bigan, images, losses, message):
    class Wrong(tb.models.BiGAN):
        def player_losses(self, batch, z, training):
            return {player: tf.constant(loss) for player, loss in losses.items()}, {}

    with pytest.raises(ValueError, match=message):
        make_bigan(Wrong).fit(images, batch_size=BATCH, verbose=0)
    with pytest.raises(ValueError, match=message):
        make_bigan(Wrong).diagnose({"image": images[:BATCH]})


def test_a_saved_model_of_the_whole(make_bigan, images, tmp_path):
    model = make_bigan()
    model.fit(images, batch_size=BATCH, verbose=0)
    shape = keras.InputSpec(shape=(None, *images.shape[1:]), dtype="float32")
    model.export(tmp_path / "saved", input_signature=[shape], verbose=False)
    saved = tf.saved_model.load(tmp_path / "saved")
    np.testing.assert_allclose(saved.serve(images), model.reconstruct(images), atol=1e-6)
