"""Optimizers, the moving average, saving: what a model is after a reload or a second compile."""

import keras
import numpy as np
import pytest
import tensorflow as tf

import tf_bigan as tb
from tests.closeness import assert_close
from tests.core.test_game import AlternatingBiGAN, weights
from tests.core.test_loop import two_replicas
from tests.small import BATCH, IMAGE_SHAPE, LATENT, make_plain, plain_networks

pytestmark = pytest.mark.usefixtures("eagerly")


def test_a_second_compile_leaves_nothing_of_the_first(images, tmp_path):
    model = make_plain(ema=0.9)
    model.compile(ema=0.5, jit_compile=False)
    assert len(model.variables) == len(make_plain(ema=0.5).variables)
    model.fit(images, batch_size=BATCH, verbose=0)
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    for a, b in zip(weights(model), weights(loaded), strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize(
    "system, ema", [(tb.models.BiGAN, 0.9), (AlternatingBiGAN, None)], ids=["ema", "alternating"]
)
def test_the_step_after_a_reload_is_the_step_without_it(make_bigan, images, tmp_path, system, ema):
    schedule = tb.optimizers.ConstantThenExponential(1e-3, epochs=2, steps_per_epoch=2)
    optimizers = {"D": tb.optimizers.Adam(schedule, 0.5), "EG": keras.optimizers.RMSprop(1e-4)}
    model = make_bigan(system, optimizers, ema=ema, seed=5)
    epochs = {"batch_size": BATCH, "steps_per_epoch": 2, "verbose": 0}
    model.fit(images, **epochs)
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    assert type(loaded) is system and loaded.seed == 5 and loaded.ema == ema
    for one in (model, loaded):
        one.fit(images, epochs=2, initial_epoch=1, **epochs)
    state = [model, *map(model.optimizer_of, model.players)]
    again = [loaded, *map(loaded.optimizer_of, loaded.players)]
    for a, b in zip(state, again, strict=True):
        for mine, theirs in zip(a.variables, b.variables, strict=True):
            np.testing.assert_array_equal(mine.numpy(), theirs.numpy(), err_msg=mine.path)
    np.testing.assert_array_equal(model.encode(images), loaded.encode(images))


def test_moving_average_of_weights(images):
    """The decay of step n is min(0.15, (1 + n) / (10 + n)): 0.1, then 0.15 twice."""
    plain, averaged = make_plain(), make_plain(ema=0.15)
    expected = [v.numpy() for v in plain.trainable_variables]
    for epoch, decay in enumerate((0.1, 0.15, 0.15)):
        for model in (plain, averaged):
            model.fit(
                images[:BATCH], batch_size=BATCH, initial_epoch=epoch, epochs=epoch + 1, verbose=0
            )
        expected = [
            decay * e + (1 - decay) * v.numpy()
            for e, v in zip(expected, plain.trainable_variables, strict=True)
        ]
    names = plain.network_names()
    average = [v for n in names for v in getattr(averaged.average, n).trainable_variables]
    for a, e in zip(average, expected, strict=True):
        assert_close(a.numpy(), e)
    assert averaged.inference_model() is averaged.average
    np.testing.assert_array_equal(
        averaged.encode(images), averaged.average.encoder(images, training=False).numpy()
    )


def test_scaled_losses_give_the_same_step(images):
    model = make_plain()
    new = model.get_weights()

    def after(optimizer):
        model.set_weights(new)
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
            assert_close(one, other)


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
        one.fit(images, batch_size=BATCH, steps_per_epoch=2, verbose=0)
    for a, b in zip(weights(model), weights(reloaded), strict=True):
        np.testing.assert_array_equal(a, b)
    for name, stays in zip(names, (True, False), strict=True):
        pairs = zip(before[name], getattr(reloaded, name).get_weights(), strict=True)
        assert all(np.array_equal(*pair) for pair in pairs) == stays


def test_a_model_without_compile_encodes_and_is_saved(images, tmp_path):
    compiled = make_plain()
    fresh = type(compiled).from_config(compiled.get_config())
    with pytest.raises(ValueError, match="compile the model first"):
        fresh.evaluate(images, batch_size=BATCH)
    fresh.save(tmp_path / "model.keras")
    again = keras.saving.load_model(tmp_path / "model.keras")
    np.testing.assert_array_equal(fresh.encode(images), again.encode(images))
    compiled.save(tmp_path / "model.keras")
    again = keras.saving.load_model(tmp_path / "model.keras", compile=False)
    np.testing.assert_array_equal(compiled.encode(images), again.encode(images))


def test_one_optimizer_for_two_players_is_refused():
    one = keras.optimizers.SGD(0.1)
    with pytest.raises(ValueError, match="its own optimizer"):
        make_plain().compile({"D": one, "EG": one})


def test_an_average_of_the_optimizer_is_refused():
    """It would never reach the weights."""
    for one in (
        keras.optimizers.SGD(use_ema=True),
        {"D": "sgd", "EG": keras.optimizers.Adam(use_ema=True)},
    ):
        with pytest.raises(tb.UserError, match="^use_ema=True .*: use compile[(]ema=0.999[)]"):
            make_plain(optimizer=one)


def test_a_network_that_is_not_built_is_named():
    stock = keras.Sequential([keras.layers.Flatten(), keras.layers.Dense(1)])
    prior = tb.priors.Uniform(LATENT)
    model = tb.models.GAN(plain_networks()["generator"], stock, prior=prior)
    with pytest.raises(tb.UserError, match="^discriminator is not built.*keras.Input$"):
        model.compile()


def test_networks_that_share_a_layer_are_refused():
    """Keras saves it once, and cannot load it."""
    image, z = keras.Input(IMAGE_SHAPE), keras.Input((LATENT,))
    shared = keras.layers.Dense(9, name="trunk")
    hidden = shared(keras.layers.Flatten()(image))
    encoder = keras.Model(image, keras.layers.Dense(LATENT)(hidden))
    judge = keras.Model([image, z], keras.layers.Dense(1)(keras.layers.Concatenate()([hidden, z])))
    generator, prior = plain_networks()["generator"], tb.priors.Uniform(LATENT)
    with pytest.raises(tb.UserError, match="share the weight trunk/kernel: give each network"):
        tb.models.BiGAN(encoder, generator, judge, prior=prior)


@pytest.mark.parametrize("system", ["ALI", "VAEGAN", "LatentRegressor"])
def test_a_network_without_the_method_that_a_system_calls(system):
    system, networks = getattr(tb.models, system), plain_networks()
    with pytest.raises(tb.UserError, match=rf"^{system.__name__}: encoder has no method \w+\(\)"):
        system(**networks, prior=tb.priors.Normal(LATENT))


def test_a_prior_by_name_is_refused():
    with pytest.raises(tb.UserError, match="^prior='normal': give a Prior, as tb.priors.Normal"):
        tb.models.BiGAN(**plain_networks(), prior="normal")


def test_a_saved_model_of_the_whole(images, tmp_path):
    model = make_plain()
    model.fit(images, batch_size=BATCH, verbose=0)
    model.export(tmp_path / "saved", verbose=False)
    saved = tf.saved_model.load(tmp_path / "saved")
    assert_close(saved.serve(images), model.reconstruct(images))


def test_layers_in_float16_have_their_losses_scaled():
    """Also if the network that they are in has another policy."""
    networks = plain_networks()
    networks["generator"] = keras.Sequential(
        [
            keras.Input((LATENT,)),
            keras.layers.Dense(64, "sigmoid", dtype="mixed_float16"),
            keras.layers.Reshape(IMAGE_SHAPE),
        ]
    )
    assert networks["generator"].dtype_policy.name == "float32"
    model = tb.models.BiGAN(prior=tb.priors.Uniform(LATENT), **networks)
    model.compile("sgd")
    scaled = keras.optimizers.LossScaleOptimizer
    assert isinstance(model.optimizer_of("EG"), scaled)
    assert not isinstance(model.optimizer_of("D"), scaled)


def test_accumulated_gradients_are_their_mean(images, eagerly):
    """Two steps of half of the rows are one of all, for a loss that is a mean over rows."""

    def after(optimizer, parts):
        model = make_plain(tb.models.Autoencoder, optimizer)
        for part in np.split(images[: 2 * BATCH], parts):
            model.train_on_batch(part)
        return [v.numpy() for v in model.trainable_variables]

    for kind in (keras.optimizers.Adam, tb.optimizers.Adam):
        whole = after(kind(1e-2), 1)
        halves = after(kind(1e-2, gradient_accumulation_steps=2), 2)
        for one, other in zip(whole, halves, strict=True):
            assert_close(one, other, 1e-4)


def test_optimizers_that_several_replicas_cannot_have_are_refused():
    with two_replicas().scope():
        model = make_plain()
    accumulating = keras.optimizers.SGD(0.1, gradient_accumulation_steps=2)
    with pytest.raises(tb.UserError, match="^gradient_accumulation_steps .*: Keras cannot.*larger"):
        model.compile(accumulating)
    with pytest.raises(ValueError, match="^mixed_float16 needs loss scaling.*use mixed_bfloat16$"):
        model.compile(keras.optimizers.LossScaleOptimizer(keras.optimizers.SGD(0.1)))


@keras.saving.register_keras_serializable("tests")
class WithAHead(tb.models.Autoencoder):
    """A layer that no player owns."""

    def __init__(self, encoder, generator, prior, *, head_trains: bool = True, name=None):
        tb.AdversarialModel.__init__(
            self, prior, name=name, encoder=encoder, generator=generator, head_trains=head_trains
        )
        self.norm = "l2"
        self.head = keras.layers.Dense(1, name="head", trainable=head_trains)
        self.head.build((None, LATENT))


def test_a_trainable_weight_of_no_player_is_named():
    networks = plain_networks()
    del networks["discriminator"]
    prior = tb.priors.Uniform(LATENT)
    WithAHead(prior=prior, head_trains=False, **networks).compile()
    with pytest.raises(tb.UserError, match="^the weight head/kernel belongs to no player, and"):
        WithAHead(prior=prior, **networks).compile()


def test_weights_that_an_optimizer_does_not_know_are_named(images):
    """They were frozen when the model was compiled, or are another model's."""
    model = make_plain()
    model.encoder.trainable = False
    optimizers = {player: keras.optimizers.SGD(0.1) for player in model.players}
    model.compile(optimizers, jit_compile=False)
    model.encoder.trainable = True
    other = make_plain(optimizer=optimizers)
    for one, player in ((model, "EG"), (other, "D")):
        for method in (one.fit, one.train_on_batch):
            message = f"^the optimizer of {player} does not know the weight .*kernel: compile .*new"
            with pytest.raises(tb.UserError, match=message):
                method(images[:BATCH])
    assert "loss_D" in model.test_on_batch(images[:BATCH])


@pytest.mark.parametrize("argument", [{"jit_compile": "yes"}, {"sync_batch_norm": "no"}])
def test_a_text_is_no_yes_or_no(argument):
    ((name, value),) = argument.items()
    with pytest.raises(tb.UserError, match=f"^{name}={value}: it must be a bool$"):
        make_plain(**argument)


def test_batch_statistics_that_cannot_be_synchronised_are_named():
    def compiled(norm, **arguments):
        layers = keras.layers.Dense(64), norm, keras.layers.Reshape(IMAGE_SHAPE)
        generator = keras.Sequential([keras.Input((LATENT,)), *layers])
        networks = plain_networks() | {"generator": generator}
        tb.models.BiGAN(prior=tb.priors.Uniform(LATENT), **networks).compile(**arguments)

    stock = keras.layers.BatchNormalization
    compiled(stock())
    for norm in (stock(synchronized=True), tb.networks.BatchNormalization()):
        compiled(norm, sync_batch_norm=True)
    with pytest.raises(tb.UserError, match="^sync_batch_norm: generator has .*use tb.networks"):
        compiled(stock(), sync_batch_norm=True)
