"""What a Keras user writes: fit, evaluate, callbacks, save and export do what they do there."""

import keras
import numpy as np
import pytest
import tensorflow as tf

import tf_bigan as tb
from tests.models.conftest import make_system
from tests.small import BATCH, IMAGE_SHAPE, LATENT, make_plain

SGD = keras.optimizers.SGD


@pytest.fixture(scope="module")
def autoencoder():
    return make_plain(tb.models.Autoencoder, SGD(0.0))  # which stays as it is


def error_of(model, images):
    """The autoencoder's loss of each image."""
    return np.square(images - model.reconstruct(images)).sum((1, 2, 3))


@pytest.mark.parametrize("rows", [12, 20, 47, 5])
def test_evaluate_counts_each_example_once(autoencoder, images, rows):
    expected = error_of(autoencoder, images[:rows]).mean()
    labels = np.zeros(rows, np.int64)
    data = tf.data.Dataset.from_tensor_slices(images[:rows]).batch(BATCH)
    for values in (
        autoencoder.evaluate(images[:rows], batch_size=min(BATCH, rows)),
        autoencoder.evaluate(images[:rows]),  # in batches of 32, or fewer
        autoencoder.evaluate(images[:rows], labels, BATCH if rows >= BATCH else rows),
        autoencoder.evaluate(data),
        autoencoder.evaluate(tb.data.ImageData("x", to_bytes(images[:rows])).batches(5)),
    ):
        assert values["loss_EG"] == pytest.approx(expected, rel=1e-2 if rows == 0 else 5e-3)
    exact = autoencoder.evaluate(images[:rows], batch_size=5)["loss_EG"]
    assert exact == pytest.approx(expected, rel=1e-5)


def to_bytes(images):
    return np.rint(images * 255).astype(np.uint8)


def test_a_validation_split_is_the_last_rows(autoencoder, images):
    history = autoencoder.fit(images, batch_size=BATCH, validation_split=0.25, verbose=0).history
    errors = error_of(autoencoder, images)
    assert history["val_loss_EG"][0] == pytest.approx(errors[36:].mean(), rel=1e-5)
    assert history["loss_EG"][0] == pytest.approx(errors[:36].mean(), rel=1e-5)
    with pytest.raises(tb.UserError, match="validation_split=1.0: it must be a float in"):
        autoencoder.fit(images, validation_split=1.0)
    data = tf.data.Dataset.from_tensor_slices(images).batch(4)
    with pytest.raises(tb.UserError, match="validation_split=0.5: only for arrays"):
        autoencoder.fit(data, validation_split=0.5)


def test_validation_data_go_before_a_split(autoencoder, images):
    """As in Keras: all rows are then trained on."""
    options = {"validation_split": 0.25, "validation_data": images[:7], "verbose": 0}
    before = int(autoencoder.step.numpy())
    history = autoencoder.fit(images, batch_size=BATCH, **options).history
    assert int(autoencoder.step.numpy()) - before == len(images) // BATCH
    expected = error_of(autoencoder, images[:7]).mean()
    assert history["val_loss_EG"][0] == pytest.approx(expected, rel=1e-5)


def test_validation_data_with_labels(autoencoder, images):
    labels = np.zeros(len(images), np.int64)
    history = autoencoder.fit(
        images, labels, validation_data=(images[:7], labels[:7]), verbose=0
    ).history
    expected = error_of(autoencoder, images[:7]).mean()
    assert history["val_loss_EG"][0] == pytest.approx(expected, rel=1e-5)


def test_validation_data_as_a_list_and_with_weights(autoencoder, images):
    labels = np.zeros(7, np.int64)
    data = [images[:7], labels]
    history = autoencoder.fit(images, validation_data=data, verbose=0).history
    expected = error_of(autoencoder, images[:7]).mean()
    assert history["val_loss_EG"][0] == pytest.approx(expected, rel=1e-5)
    with pytest.raises(tb.UserError, match="^validation_data has 3 parts: give images, or"):
        autoencoder.fit(images, validation_data=(*data, labels), verbose=0)


@pytest.mark.parametrize("argument", [{"epochs": 1.5}, {"epochs": -1}, {"initial_epoch": -1}])
def test_epochs_are_whole_numbers(autoencoder, images, argument):
    with pytest.raises(tb.UserError, match="epoch.*: it must be an int in"):
        autoencoder.fit(images, **argument)


def test_the_default_batch_is_of_32_or_of_all_rows(autoencoder, images):
    for rows, steps in ((48, 2), (20, 1)):
        before = int(autoencoder.step.numpy())
        autoencoder.fit(images[:rows], verbose=0)
        assert int(autoencoder.step.numpy()) - before == steps


def test_batches_of_image_dataset_from_directory(autoencoder, tmp_path):
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        for i in range(5):
            pixels = np.random.default_rng(i).integers(0, 256, IMAGE_SHAPE, np.uint8)
            keras.utils.save_img(tmp_path / name / f"{i}.png", pixels, scale=False)
    data = keras.utils.image_dataset_from_directory(
        tmp_path, color_mode="grayscale", image_size=IMAGE_SHAPE[:2], batch_size=4, verbose=False
    )
    with pytest.raises(tb.UserError, match="divide by 255"):
        autoencoder.fit(data, verbose=0)
    data = data.map(lambda x, y: (x / 255.0, y))
    before = int(autoencoder.step.numpy())
    history = autoencoder.fit(data, validation_data=data, epochs=2, verbose=0).history
    assert int(autoencoder.step.numpy()) - before == 6  # batches of 4, 4 and 2, rebatched
    images = np.concatenate([x for x, _ in data])
    expected = error_of(autoencoder, images).mean()
    assert history["val_loss_EG"][1] == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("name", ["sgan", "triple_gan"])
def test_labelled_arrays(name, images, eagerly):
    model = make_system(name)
    labels = np.arange(len(images)) % 3
    history = model.fit(images, labels, batch_size=24, verbose=0).history
    assert np.isfinite(history["loss_D"][0]) and "accuracy_labelled" in history
    with pytest.raises(ValueError, match="needs batches with label"):
        model.fit(images, batch_size=8)
    with pytest.raises(tb.UserError, match="labels must be integers from 0"):
        model.fit(images, labels - 1, batch_size=8)
    with pytest.raises(tb.UserError, match="differ in length"):
        model.fit(images, labels[:-1], batch_size=8)
    unknown = tf.data.Dataset.from_tensor_slices((images, labels - 1)).batch(8)
    for data in ({"x": images, "y": labels + 1, "batch_size": 8}, {"x": unknown}):
        for method in (model.fit, model.evaluate):
            with pytest.raises(tb.UserError, match="^labels must be from 0 to 2, of 3 classes$"):
                method(**data)
    for wrong in (np.eye(3)[labels], labels[:, None], labels.astype(np.float32)):
        data = tf.data.Dataset.from_tensor_slices((images, wrong)).batch(8)
        with pytest.raises(tb.UserError, match=r"^label must be integers \[B\]"):
            model.fit(data)


def test_one_batch_is_one_step(images):
    model, other = make_plain(optimizer=SGD(0.1)), make_plain(optimizer=SGD(0.1))
    logs = model.train_on_batch(images[:BATCH])
    history = other.fit(images[:BATCH], batch_size=BATCH, verbose=0).history
    assert logs["loss_D"] == pytest.approx(history["loss_D"][0], rel=1e-5)
    assert int(model.step.numpy()) == 1
    pixels = to_bytes(images[:BATCH])
    of_bytes, of_floats = (
        make_plain(optimizer=SGD(0.1)).train_on_batch(x) for x in (pixels, pixels / np.float32(255))
    )
    assert of_bytes["loss_D"] == pytest.approx(of_floats["loss_D"], rel=1e-6)
    tested = model.test_on_batch(images[:BATCH], np.zeros(BATCH, np.int64))
    assert set(tested) >= {"loss_D", "loss_EG"} and int(model.step.numpy()) == 1
    with pytest.raises(ValueError, match="leave return_dict out"):
        model.train_on_batch(images[:BATCH], return_dict=False)


@pytest.mark.parametrize("monitor", ["loss_EG", "val_loss_EG"])
def test_early_stopping_knows_that_a_loss_falls(autoencoder, images, monitor):
    stop = keras.callbacks.EarlyStopping(monitor=monitor, patience=1, min_delta=1e-3)
    data = {"batch_size": 48, "validation_data": images, "verbose": 0, "callbacks": [stop]}
    history = autoencoder.fit(images, epochs=9, **data).history
    assert len(history["loss_EG"]) == 2  # nothing falls with a rate of 0


def test_early_stopping_restores_the_averaged_copy(images, eagerly):
    model = make_plain(optimizer=SGD(0.5), ema=0.5)
    stop = keras.callbacks.EarlyStopping(
        monitor="loss_D", mode="max", patience=9, restore_best_weights=True, min_delta=-9.0
    )
    stop.baseline = None
    model.fit(images, batch_size=48, epochs=2, verbose=0, callbacks=[stop])
    kept = model.get_weights()
    assert len(kept) == len(model.weights) + len(model.average.weights)
    other = make_plain(ema=0.5)
    other.set_weights(kept)
    np.testing.assert_array_equal(other.encode(images), model.encode(images))


def test_the_averaged_copy_is_not_counted(images, tmp_path):
    plain, averaged = make_plain(), make_plain(ema=0.9)
    assert len(averaged.trainable_variables) == len(plain.trainable_variables)
    assert averaged.count_params() == plain.count_params()
    text = []
    averaged.summary(print_fn=text.append)
    assert "average" not in "".join(text)
    averaged.fit(images, batch_size=BATCH, verbose=0)  # and is saved all the same
    averaged.save(tmp_path / "model.keras")
    again = keras.saving.load_model(tmp_path / "model.keras")
    for a, b in zip(averaged.average.weights, again.average.weights, strict=True):
        np.testing.assert_array_equal(a.numpy(), b.numpy())


@pytest.mark.parametrize("file", ["model.keras", "model.weights.h5"])
def test_weights_of_a_file_without_an_average_start_it(images, tmp_path, file):
    plain, averaged = make_plain(), make_plain(ema=0.9)
    plain.encoder.set_weights([weight + 1.0 for weight in plain.encoder.get_weights()])
    plain.step.assign(7)
    (plain.save if file.endswith(".keras") else plain.save_weights)(tmp_path / file)
    averaged.load_weights(tmp_path / file)
    assert int(averaged.step.numpy()) == 7
    np.testing.assert_array_equal(averaged.encode(images), plain.encode(images))
    make_plain(tb.models.Autoencoder).save_weights(tmp_path / "other.weights.h5")
    with pytest.raises(ValueError, match="could not be loaded"):  # it lacks more
        averaged.load_weights(tmp_path / "other.weights.h5")
    assert averaged.average is not None


def test_another_format_is_refused_and_leaves_no_file(tmp_path):
    with pytest.raises(ValueError, match="saved as FILE.keras"):
        make_plain().save(tmp_path / "model.h5")
    assert not list(tmp_path.iterdir())


def test_float16_is_trained_with_loss_scaling(images):
    keras.utils.set_random_seed(3)
    encoder, generator = (
        tb.networks.make(
            "paper",
            role,
            image_shape=IMAGE_SHAPE,
            latent_dim=LATENT,
            width=8,
            dtype="mixed_float16",
        )
        for role in ("encoder", "generator")
    )
    model = tb.models.Autoencoder(encoder, generator, tb.priors.Uniform(LATENT))
    model.compile(tb.optimizers.Adam(1e-3), jit_compile=False)
    optimizer = model.optimizer_of("EG")
    assert isinstance(optimizer, keras.optimizers.LossScaleOptimizer)
    before = [v.numpy() for v in model.trainable_variables]
    model.fit(images, batch_size=BATCH, epochs=3, verbose=0)
    moved = [(v.numpy() != w).any() for v, w in zip(model.trainable_variables, before, strict=True)]
    assert all(moved)


def test_from_preset():
    preset = "beats_official_mnist"
    model = tb.models.BiGAN.from_preset(preset, image_shape=(8, 8, 1), width=8)
    assert type(model) is tb.models.BiGAN and model.compiled and model.prior.dim == 16
    assert model.ema == 0.9995 and model.seed == 42
    model = tb.models.CycleBiGAN.from_preset(preset, image_shape=(8, 8, 1), width=8)
    assert (model.cycle, model.mask_rate) == (0.1, 0.5)
    assert float(model.optimizer_of("D").learning_rate) == pytest.approx(2e-5)
    with pytest.raises(tb.UserError, match="best_mnis"):
        tb.models.BiGAN.from_preset("best_mnis", image_shape=(8, 8, 1))


def test_a_batch_larger_than_the_data_to_evaluate_on_is_all_of_it(autoencoder, images):
    few = images[:7]
    expected = autoencoder.evaluate(few, batch_size=7)
    assert autoencoder.evaluate(few, batch_size=256) == expected
    history = autoencoder.fit(images[:40], batch_size=16, validation_split=0.2, verbose=0).history
    assert len(history["val_loss_EG"]) == 1


def test_callbacks_hear_of_validation(autoencoder, images):
    heard = []
    callback = keras.callbacks.LambdaCallback()
    callback.on_test_begin = lambda logs=None: heard.append("begin")
    callback.on_test_end = lambda logs=None: heard.append(sorted(logs or {}))
    options = {"validation_data": images[:12], "callbacks": [callback], "verbose": 0}
    autoencoder.fit(images[:24], batch_size=12, epochs=2, **options)
    assert heard[::2] == 2 * ["begin"] and "loss_EG" in heard[1] and len(heard) == 4


def stock_gan(policy, penalty):
    """A GAN of Keras's own layers in a dtype policy, always with the same weights."""
    rng = np.random.default_rng(3)
    generator = [
        keras.Input((LATENT,)),
        keras.layers.Dense(64, "sigmoid", dtype=policy),
        keras.layers.Reshape(IMAGE_SHAPE, dtype=policy),
    ]
    discriminator = [
        keras.Input(IMAGE_SHAPE),
        keras.layers.Flatten(dtype=policy),
        keras.layers.Dense(1, dtype=policy),
    ]
    networks = keras.Sequential(generator), keras.Sequential(discriminator)
    for weight in (w for network in networks for w in network.weights):
        weight.assign(rng.normal(0, 0.3, weight.shape))
    model = tb.models.GAN(*networks, tb.priors.Normal(LATENT))
    model.compile(SGD(0.1), penalty=penalty, jit_compile=False, seed=0)
    return model


@pytest.mark.parametrize(("policy", "tolerance"), [("mixed_bfloat16", 2e-2), ("float64", 1e-4)])
@pytest.mark.parametrize("penalty", ["none", "r1", "gradient"])
def test_stock_networks_of_another_dtype(policy, tolerance, penalty, images, eagerly):
    expected = stock_gan("float32", penalty).train_on_batch(images[:BATCH])
    found = stock_gan(policy, penalty).train_on_batch(images[:BATCH])
    assert set(found) == set(expected)
    for name in (name for name in expected if not name.startswith("accuracy")):
        assert found[name] == pytest.approx(expected[name], rel=tolerance, abs=tolerance), name


def test_a_network_frozen_after_compile_keeps_its_average(images, eagerly):
    model = make_plain(optimizer=SGD(0.1), ema=0.5)
    model.encoder.trainable = False
    before = [[w.numpy() for w in one.encoder.weights] for one in (model, model.average)]
    generator = [w.numpy() for w in model.average.generator.weights]
    model.train_on_batch(images[:BATCH])
    for one, values in zip((model, model.average), before, strict=True):
        for weight, value in zip(one.encoder.weights, values, strict=True):
            np.testing.assert_array_equal(weight, value)
    assert any(
        (w.numpy() != g).any()
        for w, g in zip(model.average.generator.weights, generator, strict=True)
    )


def stock_system(name, policy):
    """A system of Keras's own layers, which all compute in a policy, always with the same weights.

    What its generator makes has the policy's dtype, and images have float32.
    """

    def vector(units, *shapes):
        inputs = [keras.Input(shape) for shape in shapes]
        flat = [keras.layers.Flatten(dtype=policy)(one) for one in inputs]
        joined = keras.layers.Concatenate(dtype=policy)(flat) if len(flat) > 1 else flat[0]
        outputs = keras.layers.Dense(units, dtype=policy)(joined)
        return keras.Model(inputs if len(inputs) > 1 else inputs[0], outputs)

    def image(*shape):
        layers = keras.layers.Flatten, keras.layers.Dense, keras.layers.Reshape
        arguments = (), (64, "sigmoid"), (IMAGE_SHAPE,)
        made = (one(*a, dtype=policy) for one, a in zip(layers, arguments, strict=True))
        return keras.Sequential([keras.Input(shape), *made])

    code, pair = (LATENT,), (*IMAGE_SHAPE[:2], 2)
    networks = {
        "alad": {
            "encoder": vector(LATENT, IMAGE_SHAPE),
            "discriminator_xz": vector(1, IMAGE_SHAPE, code),
            "discriminator_xx": vector(1, pair),
            "discriminator_zz": vector(1, (2 * LATENT,)),
        },
        "began": {"discriminator": image(*IMAGE_SHAPE)},
        "gan": {"discriminator": tb.networks.ConvDiscriminator(IMAGE_SHAPE, width=2, hidden=4)},
        "loss_sensitive_gan": {"discriminator": vector(1, IMAGE_SHAPE)},
        "sgan": {"discriminator": vector(4, IMAGE_SHAPE)},
        "triple_gan": {
            "discriminator": vector(1, IMAGE_SHAPE, (3,)),
            "classifier": vector(3, IMAGE_SHAPE),
        },
    }[name] | {"generator": image(LATENT)}
    rng = np.random.default_rng(3)
    for key in sorted(networks):
        for weight in networks[key].weights:
            weight.assign(rng.normal(0, 0.2, weight.shape))
    prior = tb.priors.from_text(
        "normal2+categorical3" if name == "triple_gan" else "normal", LATENT
    )
    model = tb.models.find(name)(prior=prior, **networks)
    game = {"augmentation": "color"} if name == "gan" else {}
    model.compile(SGD(0.1), jit_compile=False, seed=0, **game)
    return model


@pytest.mark.parametrize(
    "name", ["alad", "began", "gan", "loss_sensitive_gan", "sgan", "triple_gan"]
)
def test_samples_of_another_dtype_than_images(name, images, eagerly):
    labels = np.arange(BATCH) % 3
    expected, found = (
        stock_system(name, policy).train_on_batch(images[:BATCH], labels)
        for policy in ("float32", "mixed_bfloat16")
    )
    assert set(found) == set(expected)
    for key in (key for key in expected if not key.startswith("accuracy")):
        assert found[key] == pytest.approx(expected[key], rel=3e-2, abs=3e-2), key
