"""The compiled loop: any number of steps a call, replicas, logs, and honest failure."""

import functools

import keras
import numpy as np
import pytest
import tensorflow as tf

import tf_bigan as tb
from tests.conftest import BATCH, IMAGE_SHAPE, LATENT
from tests.test_game import AlternatingBiGAN, weights


@keras.saving.register_keras_serializable("tests")
class PlainDiscriminator(keras.Model):
    """No batch statistics, so that rows do not depend on each other."""

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.flatten, self.hidden = keras.layers.Flatten(), keras.layers.Dense(8, "tanh")
        self.logit = keras.layers.Dense(1)
        self([keras.Input(IMAGE_SHAPE), keras.Input((LATENT,))])

    def call(self, inputs, training=False):
        x, z = inputs
        return self.logit(self.hidden(tf.concat([self.flatten(x), z], -1)))

    def get_config(self):
        return {"name": self.name}


def plain_networks():
    generator = keras.Sequential(
        [
            keras.Input((LATENT,)),
            keras.layers.Dense(64, "sigmoid"),
            keras.layers.Reshape(IMAGE_SHAPE),
        ]
    )
    encoder = keras.Sequential(
        [keras.Input(IMAGE_SHAPE), keras.layers.Flatten(), keras.layers.Dense(LATENT, "tanh")]
    )
    return {
        "generator": generator,
        "encoder": encoder,
        "discriminator": PlainDiscriminator(),
    }


@functools.cache
def two_replicas() -> tf.distribute.Strategy:
    # One for all tests: TensorFlow's collectives of two strategies in a process collide.
    return tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"])


def plain_bigan(system, optimizer, strategy, **compile_arguments):
    with strategy.scope():
        keras.utils.set_random_seed(5)
        model = system(prior=tb.priors.Uniform(LATENT), **plain_networks())
        model.compile(optimizer(), seed=2, **compile_arguments)
    return model


@pytest.mark.parametrize("system", [tb.models.BiGAN, AlternatingBiGAN])
@pytest.mark.parametrize(
    "optimizer",
    [lambda: keras.optimizers.SGD(0.5), lambda: tb.optimizers.Adam(0.01, beta_1=0.5)],
)
def test_two_replicas_equal_one_with_the_whole_batch(images, system, optimizer):
    one = plain_bigan(system, optimizer, tf.distribute.get_strategy(), jit_compile=False)
    two = plain_bigan(system, optimizer, two_replicas(), jit_compile=True)
    data = {"x": images, "batch_size": BATCH, "validation_data": images[BATCH:]}
    history = [model.fit(**data, epochs=2, verbose=0).history for model in (one, two)]
    assert {"loss_D", "loss_EG", "val_loss_D", "val_loss_EG"} <= set(history[1])
    for a, b in zip(one.trainable_variables, two.trainable_variables, strict=True):
        np.testing.assert_allclose(a.numpy(), b.numpy(), atol=2e-5, err_msg=a.path)
    for name, values in history[0].items():  # the logs are those of the global batch
        np.testing.assert_allclose(values, history[1][name], atol=2e-5, err_msg=name)


def test_replicas_agree_in_everything_after_training(make_bigan, images):
    strategy = two_replicas()
    with strategy.scope():
        model = make_bigan(ema=0.9, jit_compile=True, steps_per_execution=3)
    model.fit(images, batch_size=BATCH, epochs=3, verbose=0)
    for variable in model.variables:
        values = [v.numpy() for v in strategy.experimental_local_results(variable.value)]
        assert len(values) == 2
        np.testing.assert_array_equal(values[0], values[1], err_msg=variable.path)
    assert model.step.numpy() == 12


def test_each_replica_draws_its_own_z(make_bigan, images):
    strategy = two_replicas()
    with strategy.scope():
        model = make_bigan()
    batch = {"image": tf.constant(images[:6])}
    draws = strategy.run(lambda: model._draw(batch, 0))
    z, seed = (strategy.experimental_local_results(value) for value in draws)
    assert np.abs(z[0] - z[1]).min() > 0
    assert (seed[0].numpy() != seed[1].numpy()).any()


@pytest.mark.parametrize("steps_per_execution", [1, 3, 100])
def test_no_call_runs_past_the_end_of_an_epoch(make_bigan, images, steps_per_execution):
    model = make_bigan(steps_per_execution=steps_per_execution)
    dataset = tf.data.Dataset.from_tensor_slices(images).batch(BATCH, drop_remainder=True)
    seen = []
    callback = keras.callbacks.LambdaCallback(
        on_train_batch_end=lambda step, logs: seen.append(step)
    )
    model.fit(dataset, epochs=2, verbose=0, callbacks=[callback])
    assert model.step.numpy() == 8
    assert all(model.optimizer_of(p).iterations.numpy() == 8 for p in model.players)
    assert seen[-1] == 3


def test_a_run_begun_in_mid_epoch_ends_with_the_same_bits(make_bigan, images, tmp_path):
    batches = tb.data.pipeline.ArrayBatches({"image": images}, BATCH, seed=4)
    whole = make_bigan(ema=0.9, steps_per_execution=2)
    whole.fit(batches, epochs=3, verbose=0)

    class Stop(keras.callbacks.Callback):
        def on_train_batch_end(self, step, logs=None):
            if self.model.step.numpy() == 6:
                self.model.stop_training = True

    part = make_bigan(ema=0.9, steps_per_execution=2)
    part.fit(batches, epochs=3, verbose=0, callbacks=[Stop()])
    part.save(tmp_path / "part.keras")
    part = keras.saving.load_model(tmp_path / "part.keras")
    epoch, step = divmod(int(part.step.numpy()), batches.steps_per_epoch)
    assert (epoch, step) == (1, 2)
    part.fit(batches, epochs=3, initial_epoch=epoch, initial_step=step, verbose=0)
    for a, b in zip(weights(whole), weights(part), strict=True):
        np.testing.assert_array_equal(a, b)


def test_history_is_the_mean_over_the_steps(make_bigan, images):
    rows = []

    class Collect(keras.callbacks.Callback):
        def on_train_batch_end(self, step, logs=None):
            rows.append(self.model.last_logs["loss_D"])

    model = make_bigan(steps_per_execution=1)
    history = model.fit(images, batch_size=BATCH, verbose=0, callbacks=[Collect()]).history
    assert len(rows) == 4
    np.testing.assert_allclose(history["loss_D"], [np.mean(rows)], rtol=1e-6)


def test_validation_is_evaluated_in_inference_mode(make_bigan, images):
    model = make_bigan()
    history = model.fit(images, batch_size=BATCH, verbose=0, validation_data=images[:BATCH]).history
    before = weights(model)
    values = model.evaluate(images[:BATCH], batch_size=BATCH)
    np.testing.assert_allclose(history["val_loss_D"], [values["loss_D"]], rtol=1e-6)
    for a, b in zip(before, weights(model), strict=True):
        np.testing.assert_array_equal(a, b)


def test_a_loss_that_breaks_is_named_with_its_step(make_bigan, images):
    model = make_bigan(steps_per_execution=3)
    images[2 * BATCH :] = np.nan
    dataset = tf.data.Dataset.from_tensor_slices(images).batch(BATCH, drop_remainder=True)
    with pytest.raises(tb.NonFiniteLoss, match="loss_D became nan in step 3$"):
        model.fit(dataset, epochs=1, verbose=0)


def test_images_in_any_usual_form_give_the_same_step(make_bigan, images):
    levels = np.round(images[:BATCH] * 255).astype(np.uint8)
    floats = levels / np.float32(255)
    label = np.zeros(BATCH, np.int64)
    forms = [
        tf.data.Dataset.from_tensors(levels),
        tf.data.Dataset.from_tensors((floats, label)),
        tf.data.Dataset.from_tensors({"image": floats, "label": label}),
    ]
    losses = [make_bigan().fit(x, verbose=0).history["loss_EG"] for x in forms]
    assert losses[0] == losses[1] == losses[2]


def test_unusable_data_is_named(make_bigan, images):
    model = make_bigan()
    with pytest.raises(ValueError, match="batch_size is needed"):
        model.fit(images)
    with pytest.raises(ValueError, match=r"images must be in \[0, 1\], not \[.*2\.0\]"):
        model.fit(np.full_like(images, 2.0), batch_size=BATCH)
    with pytest.raises(ValueError, match=r"must be in \[0, 1\], not \[nan"):
        model.fit(np.full_like(images, np.nan), batch_size=BATCH)
    with pytest.raises(ValueError, match="steps_per_epoch is needed"):
        model.fit(tf.data.Dataset.from_tensors(images).repeat())
    with pytest.raises(ValueError, match="not list"):
        model.fit([1, 2])
