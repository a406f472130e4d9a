"""Keras's own callbacks, as a user of stock Keras writes them."""

import csv

import keras
import numpy as np
import pytest


def test_they_work_in_our_fit(tmp_path, model, fit):
    class Mine(keras.callbacks.Callback):
        """Uses the model, and adds to the logs."""

        def on_epoch_end(self, epoch, logs=None):
            z = keras.ops.convert_to_numpy(self.model.encoder(np.zeros((1, 8, 8, 1), "float32")))
            logs["mine"] = 0.0 * float(z.sum())
            self.model.get_layer(self.model.generator.name)

    told = []
    callbacks = [
        Mine(),
        keras.callbacks.CSVLogger(tmp_path / "log.csv"),
        keras.callbacks.LambdaCallback(on_epoch_end=lambda epoch, logs: told.append(epoch)),
        keras.callbacks.TerminateOnNaN(),
        keras.callbacks.EarlyStopping(monitor="mine", mode="min"),
        keras.callbacks.ModelCheckpoint(tmp_path / "{epoch}-{loss_D:.2f}.keras", monitor="loss_D"),
        keras.callbacks.TensorBoard(tmp_path / "logs", histogram_freq=1, update_freq="epoch"),
    ]
    history = fit(model, 3, callbacks).history
    assert told == [0, 1] and len(history["mine"]) == 2  # EarlyStopping ended it
    with open(tmp_path / "log.csv") as file:
        rows = list(csv.DictReader(file))
    assert [float(row["loss_D"]) for row in rows] == history["loss_D"]
    first, second = sorted(tmp_path.glob("*.keras"))
    assert int(keras.saving.load_model(second).step.numpy()) == 8
    assert first.name == f"1-{history['loss_D'][0]:.2f}.keras"
    assert list((tmp_path / "logs").rglob("*tfevents*"))


def test_the_speed_that_tensorboard_asks_the_one_optimizer_for_is_refused(tmp_path, model, fit):
    callback = keras.callbacks.TensorBoard(tmp_path, write_steps_per_second=True)
    with pytest.raises(ValueError, match="write_steps_per_second=True.* use callbacks.Dashboard$"):
        fit(model, 1, [callback])
