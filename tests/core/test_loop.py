"""The compiled loop: any number of steps a call, replicas, logs, and honest failure."""

import functools

import keras
import numpy as np
import pytest
import tensorflow as tf

import tf_bigan as tb
from tests.core.test_game import AlternatingBiGAN, weights
from tests.small import BATCH, as_it_was, make_plain, state_of
from tf_bigan.core import trainer
from tf_bigan.core.statistics import diagnose


@functools.cache
def two_replicas() -> tf.distribute.Strategy:
    # One for all tests: TensorFlow's collectives of two strategies in a process collide.
    return tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"])


def plain_bigan(system, optimizer, strategy, **compile_arguments):
    with strategy.scope():
        return make_plain(system, optimizer(), seed=2, **compile_arguments)


def plain_autoencoder(system=tb.models.Autoencoder):
    """One player and one loss: traced in a third of a BiGAN's time."""
    return make_plain(system, keras.optimizers.SGD(0.1), steps_per_execution=3)


@pytest.fixture(scope="module")
def mirrored(make_bigan):
    """(a BiGAN with averaged weights on two replicas, all its state when it was new).

    Of two replicas, as tracing takes twice as long for them, all tests but the first share it.
    """
    with two_replicas().scope():
        model = make_bigan(ema=0.9)
    return model, [v.numpy() for v in state_of(model)]


def test_two_replicas_equal_one_with_the_whole_batch(images):
    """Players in turn, so that each draws; Adam for one, SGD to see the gradients' size."""

    def optimizers():
        return {"D": tb.optimizers.Adam(0.01, beta_1=0.5), "EG": keras.optimizers.SGD(0.5)}

    default = tf.distribute.get_strategy()
    one = plain_bigan(AlternatingBiGAN, optimizers, default, jit_compile=False)
    two = plain_bigan(AlternatingBiGAN, optimizers, two_replicas(), jit_compile=True)
    data = {"x": images, "batch_size": BATCH, "validation_data": images[BATCH:]}
    history = [model.fit(**data, epochs=2, verbose=0).history for model in (one, two)]
    assert {"loss_D", "loss_EG", "val_loss_D", "val_loss_EG"} <= set(history[1])
    for a, b in zip(one.trainable_variables, two.trainable_variables, strict=True):
        np.testing.assert_allclose(a.numpy(), b.numpy(), atol=2e-5, err_msg=a.path)
    for name, values in history[0].items():  # the logs are those of the global batch
        np.testing.assert_allclose(values, history[1][name], atol=2e-5, err_msg=name)


def test_replicas_evaluate_equal_parts_of_a_dataset(images):
    """Also outside of the scope: a replica without rows would have a mean of NaN."""
    one = make_plain(tb.models.Autoencoder)
    with two_replicas().scope():
        two = make_plain(tb.models.Autoencoder)
    data = tf.data.Dataset.from_tensor_slices(images[:9]).batch(4)
    found, expected = two.evaluate(data), one.evaluate(images[:8])
    assert found["loss_EG"] == pytest.approx(expected["loss_EG"], rel=1e-5)


@pytest.mark.slow
def test_replicas_agree_in_everything_after_training(mirrored, images):
    strategy, model = two_replicas(), as_it_was(*mirrored)
    model.steps_per_execution = 3
    model.fit(images, batch_size=BATCH, epochs=3, verbose=0)
    for variable in model.variables:
        values = [v.numpy() for v in strategy.experimental_local_results(variable.value)]
        assert len(values) == 2
        np.testing.assert_array_equal(values[0], values[1], err_msg=variable.path)
    assert model.step.numpy() == 12


def test_each_replica_draws_its_own_z(mirrored, images):
    strategy, model = two_replicas(), as_it_was(*mirrored)
    batch = {"image": tf.constant(images[:6])}
    draws = strategy.run(lambda: model._draw(batch, 0))
    z, seed = (strategy.experimental_local_results(value) for value in draws)
    assert np.abs(z[0] - z[1]).min() > 0
    assert (seed[0].numpy() != seed[1].numpy()).any()


@pytest.mark.parametrize("steps_per_execution", [1, 3, 100])
def test_no_call_runs_past_the_end_of_an_epoch(bigan, images, steps_per_execution):
    bigan.steps_per_execution = steps_per_execution
    dataset = tf.data.Dataset.from_tensor_slices(images).batch(BATCH, drop_remainder=True)
    seen = []
    callback = keras.callbacks.LambdaCallback(
        on_train_batch_end=lambda step, logs: seen.append(step)
    )
    bigan.fit(dataset, epochs=2, verbose=0, callbacks=[callback])
    assert bigan.step.numpy() == 8
    assert all(bigan.optimizer_of(p).iterations.numpy() == 8 for p in bigan.players)
    assert seen[-1] == 3


@pytest.fixture
def clock(monkeypatch):
    """A clock of the loop's own, as [seconds]."""
    now = [0.0]
    monkeypatch.setattr(trainer.time, "monotonic", lambda: now[0])
    return now


def test_a_call_takes_about_a_second_whatever_a_step_costs(bigan, images, monkeypatch, clock):
    """Steps of .3 s, the first of 60 s, as it is compiled; but from the 10th on they cost 5 s."""
    run_steps, calls = trainer.Trainer._run_steps, []

    def slowly(self, iterator, count):
        step = sum(calls)
        clock[0] += sum(60 if i == 0 else 0.3 if i < 10 else 5 for i in range(step, step + count))
        calls.append(count)
        return run_steps(self, iterator, count)

    monkeypatch.setattr(trainer.Trainer, "_run_steps", slowly)
    bigan.fit(images, batch_size=BATCH, steps_per_epoch=16, verbose=0)
    assert calls == [1, 1, 3, 3, 3, 1, 1, 1, 1, 1]


def test_calls_of_fast_steps_end_at_the_same_steps_everywhere(clock):
    pace, ends = trainer._Pace(16, tf.distribute.get_strategy()), [0]
    while ends[-1] < 40:
        count = pace.steps(ends[-1], 40)
        with pace.measured(count):
            clock[0] += 0.001 * count
        ends.append(ends[-1] + count)
    assert ends == [0, 1, 16, 32, 40]


def test_bits_do_not_depend_on_how_many_steps_a_call_makes(mirrored, images):
    """On two replicas, whose batch statistics are averaged, and with averaged weights."""
    states = []
    for steps in (1, 3):
        model = as_it_was(*mirrored)
        model.steps_per_execution = steps
        model.fit(images, batch_size=BATCH, epochs=3, verbose=0)
        states.append([v.numpy() for v in model.variables])
    for a, b in zip(*states, strict=True):
        np.testing.assert_array_equal(a, b)


def test_a_run_begun_in_mid_epoch_ends_with_the_same_bits(make_bigan, images, tmp_path, eagerly):
    batches = tb.data.pipeline.ArrayBatches({"image": images}, BATCH, seed=4)

    class Save(keras.callbacks.Callback):
        def on_train_batch_end(self, step, logs=None):
            if self.model.step.numpy() == 6:
                self.model.save(tmp_path / "part.keras")

    whole = make_bigan(ema=0.9, steps_per_execution=2)
    whole.fit(batches, epochs=3, verbose=0, callbacks=[Save()])
    part = keras.saving.load_model(tmp_path / "part.keras")
    epoch, step = divmod(int(part.step.numpy()), batches.steps_per_epoch)
    assert (epoch, step) == (1, 2)
    part.fit(batches, epochs=3, initial_epoch=epoch, initial_step=step, verbose=0)
    for a, b in zip(weights(whole), weights(part), strict=True):
        np.testing.assert_array_equal(a, b)


def test_history_is_the_mean_over_the_steps(bigan, images):
    rows = []

    class Collect(keras.callbacks.Callback):
        def on_train_batch_end(self, step, logs=None):
            rows.append(self.model.last_logs["loss_D"])

    bigan.steps_per_execution = 1
    history = bigan.fit(images, batch_size=BATCH, verbose=0, callbacks=[Collect()]).history
    assert len(rows) == 4
    np.testing.assert_allclose(history["loss_D"], [np.mean(rows)], rtol=1e-5)


def test_validation_is_evaluated_in_inference_mode(bigan, images):
    history = bigan.fit(images, batch_size=BATCH, verbose=0, validation_data=images[:BATCH]).history
    before = weights(bigan)
    values = bigan.evaluate(images[:BATCH], batch_size=BATCH)
    np.testing.assert_allclose(history["val_loss_D"], [values["loss_D"]], rtol=1e-5)
    for a, b in zip(before, weights(bigan), strict=True):
        np.testing.assert_array_equal(a, b)


def test_a_loss_that_breaks_is_named_with_its_step(images, eagerly):
    class Breaks(tb.models.Autoencoder):
        def player_losses(self, batch, z, training):
            losses, logs = super().player_losses(batch, z, training)
            broken = tf.where(self.step.value == 2, np.nan, 0.0)
            return {player: loss + broken for player, loss in losses.items()}, logs

    with pytest.raises(tb.NonFiniteLoss, match="loss_EG became nan in step 3$"):
        plain_autoencoder(Breaks).fit(images, batch_size=BATCH, verbose=0)


@pytest.mark.parametrize("worst", [-0.1, 255.0, np.nan])
def test_images_of_a_dataset_out_of_their_range_are_refused(bigan, images, worst):
    images[-1, 0, 0, 0] = worst
    dataset = tf.data.Dataset.from_tensor_slices(images).batch(BATCH, drop_remainder=True)
    with pytest.raises(ValueError, match=r"must be uint8 or floats in \[0, 1\]"):
        bigan.fit(dataset, verbose=0)
    with pytest.raises(ValueError, match=r"must be uint8 or floats in \[0, 1\]"):
        bigan.evaluate(dataset)


def test_images_in_any_usual_form_give_the_same_step(built_bigan, images, eagerly):
    levels = np.round(images[:BATCH] * 255).astype(np.uint8)
    floats = levels / np.float32(255)
    label = np.zeros(BATCH, np.int64)
    forms = [
        tf.data.Dataset.from_tensors(levels),
        tf.data.Dataset.from_tensors((floats, label)),
        tf.data.Dataset.from_tensors({"image": floats, "label": label}),
    ]
    losses = [as_it_was(*built_bigan).fit(x, verbose=0).history["loss_EG"] for x in forms]
    assert losses[0] == losses[1] == losses[2]


def test_unusable_data_is_named(bigan, images):
    with pytest.raises(ValueError, match="images has values from 2 to 2; pixels must be"):
        bigan.fit(np.full_like(images, 2.0), batch_size=BATCH)
    with pytest.raises(ValueError, match="images contains NaN"):
        bigan.fit(np.full_like(images, np.nan), batch_size=BATCH)
    with pytest.raises(ValueError, match="steps_per_epoch=N is needed"):
        bigan.fit(tf.data.Dataset.from_tensors(images).repeat())
    with pytest.raises(ValueError, match=r"an array \[N, H, W, C\], not \[2\]"):
        bigan.fit([1, 2])
    with pytest.raises(ValueError, match="not generator"):
        bigan.fit(image for image in images)
    dataset = tf.data.Dataset.from_tensor_slices(images)
    with pytest.raises(ValueError, match="no whole batch"):
        bigan.fit(dataset.batch(10_000, drop_remainder=True))
    whole = dataset.batch(BATCH, drop_remainder=True)
    with pytest.raises(ValueError, match="validation_steps=N is needed"):
        bigan.fit(whole, validation_data=whole.filter(lambda x: True))
    with pytest.raises(ValueError, match="dtype int32; pixels must be"):
        bigan.fit(whole.map(lambda x: tf.cast(x, tf.int32)))
    with pytest.raises(ValueError, match="or a dict of them"):
        bigan.fit(whole.map(lambda x: (x, x[:, 0], x[:, 0])))
    with pytest.raises(ValueError, match="initial_step=4: an epoch has the steps 0 to 3"):
        bigan.fit(whole, steps_per_epoch=4, initial_step=4)


@pytest.mark.parametrize(
    ("callback", "instead"),
    [
        (keras.callbacks.ReduceLROnPlateau("loss_D"), "a schedule"),
        (keras.callbacks.LearningRateScheduler(lambda epoch: 0.1), "a schedule"),
        (keras.callbacks.BackupAndRestore("unused"), "Checkpoint"),
        (keras.callbacks.SwapEMAWeights(), "compile"),
    ],
)
def test_callbacks_that_would_do_nothing_are_refused(bigan, images, callback, instead):
    with pytest.raises(ValueError, match=f"{type(callback).__name__} needs stock.*{instead}"):
        bigan.fit(images, batch_size=BATCH, callbacks=[callback], verbose=0)


def test_each_batch_of_a_validation_has_its_own_z(bigan, images):
    half = images[:BATCH]
    one, other = (bigan.evaluate(x, batch_size=BATCH) for x in (half, np.tile(half, (2, 1, 1, 1))))
    assert one["logits_real"] == pytest.approx(other["logits_real"], rel=1e-5)
    assert abs(one["logits_fake"] - other["logits_fake"]) > 1e-5


def test_an_epoch_that_is_whole_is_validated_also_where_training_stops(built_bigan, images):
    def stop_at(step):
        def stop(batch, logs):
            model.stop_training = batch + 1 == step

        return keras.callbacks.LambdaCallback(on_train_batch_end=stop)

    found = []
    for step in (2, 4):
        model = as_it_was(*built_bigan)
        model.steps_per_execution = 2
        history = model.fit(
            images,
            batch_size=BATCH,
            validation_data=images,
            callbacks=[stop_at(step)],
            epochs=3,
            verbose=0,
        )
        found.append("val_loss_D" in history.history)
        assert int(model.step.numpy()) == step
    assert found == [False, True]


@pytest.mark.slow
def test_compile_outside_of_the_scope_in_which_the_model_was_made(images, eagerly):
    losses = []
    for inside in (True, False):
        with two_replicas().scope():
            model = plain_autoencoder()
            if inside:
                model.compile("adam", ema=0.9)
        if not inside:
            model.compile("adam", ema=0.9)
        history = model.fit(images, batch_size=BATCH, steps_per_epoch=2, verbose=0).history
        losses.append(history["loss_EG"])
    assert losses[0] == losses[1]


def test_batches_of_another_size_are_compiled_anew(images):
    model = plain_autoencoder()
    for size in (12, 6, 12):
        model.fit(images, batch_size=size, verbose=0)
        model.evaluate(images, batch_size=size + 2, verbose=0, return_dict=True)
        diagnose(model, {"image": images[:size]})
    assert int(model.step.numpy()) == 4 + 8 + 4


def test_logs_that_depend_on_the_entries_keep_their_names(images):
    class Counts(tb.models.Autoencoder):
        def player_losses(self, batch, z, training):
            losses, logs = super().player_losses(batch, z, training)
            return losses, logs | ({"a_label": batch["label"]} if "label" in batch else {})

    model, labels = plain_autoencoder(Counts), np.full(len(images), 3)
    data = [
        tf.data.Dataset.from_tensor_slices(x).batch(12, drop_remainder=True)
        for x in ((images, labels), images)
    ]
    for named, plain in (data, data):
        assert model.fit(named, verbose=0).history["a_label"] == [3.0]
        assert "a_label" not in model.fit(plain, verbose=0).history


@pytest.mark.parametrize("shape", [(12, 9, 8, 1), (12, 8, 8, 3), (12, 8, 8), (8, 8, 1), (12, 64)])
def test_batches_of_other_images_are_refused_before_a_step(bigan, images, shape):
    wrong = tf.data.Dataset.from_tensors(np.zeros(shape, np.float32))
    line = "batches of image must be .B, 8, 8, 1., B a multiple"
    with pytest.raises(ValueError, match=line):
        bigan.fit(wrong, verbose=0)
    with pytest.raises(ValueError, match=line):  # and not after an epoch
        bigan.fit(images, batch_size=12, validation_data=wrong, verbose=0)
    assert bigan.step.numpy() == 0


def test_steps_of_nothing_are_refused(bigan, images):
    with pytest.raises(ValueError, match="steps_per_epoch=0: it must be an int in"):
        bigan.fit(images, batch_size=12, steps_per_epoch=0)
