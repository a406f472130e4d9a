"""Where the time of some steps goes."""

import os

import keras
import tensorflow as tf


class Profile(keras.callbacks.Callback):
    """Writes a profile of the steps `start` ... `stop` - 1 for TensorBoard's Profile tab.

    Whole calls of the loop are profiled, those in which the steps lie. Steps count from 0 over
    the whole training, so a resumed run that begins behind them profiles nothing.

    Args:
        log_dir: the directory of the event files.
        start, stop: as above.

    Raises:
        ValueError: there are no steps between the two.
    """

    chief_only = True

    def __init__(self, log_dir: str | os.PathLike, start: int, stop: int):
        super().__init__()
        if not 0 <= start < stop:
            raise ValueError(f"start must be at least 0 and below stop, not {start} and {stop}")
        self.log_dir, self.start, self.stop = os.fspath(log_dir), start, stop
        self._running = False

    def on_train_batch_begin(self, batch, logs=None):
        step = int(self.model.step.numpy())
        last = step + self.model.steps_of_call - 1
        if not self._running and step < self.stop and last >= self.start:
            tf.profiler.experimental.start(self.log_dir)
            self._running = True

    def on_train_batch_end(self, batch, logs=None):
        if int(self.model.step.numpy()) >= self.stop:
            self._end()

    def on_train_end(self, logs=None):
        self._end()

    def _end(self):
        if self._running:
            tf.profiler.experimental.stop()
        self._running = False
