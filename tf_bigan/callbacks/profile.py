"""A profile of some training steps."""

import os

import tensorflow as tf

from tf_bigan.callbacks.base import Callback


class Profile(Callback):
    """Profiles the steps from `start` up to `stop`, exclusive, for TensorBoard's Profile tab.

    Only complete calls of the training loop are profiled, so a few steps before and after may be
    included. Steps count from 0 over the whole training: a run that resumes after `stop` profiles
    nothing.

    Args:
        log_dir: the directory of the event files.
        start, stop: 0 <= start < stop.

    Raises:
        ValueError: start is negative or not below stop.
    """

    def __init__(self, log_dir: str | os.PathLike, start: int, stop: int):
        super().__init__()
        if not 0 <= start < stop:
            raise ValueError(f"start must be at least 0 and below stop, not {start} and {stop}")
        self.log_dir, self.start, self.stop = os.fspath(log_dir), start, stop
        self._running = False

    def on_train_batch_begin(self, batch: int, logs: dict | None = None) -> None:
        step = self.step
        last = step + self.model.steps_of_call - 1
        if not self._running and step < self.stop and last >= self.start:
            tf.profiler.experimental.start(self.log_dir)
            self._running = True

    def on_train_batch_end(self, batch: int, logs: dict | None = None) -> None:
        if self.step >= self.stop:
            self._end()

    def on_train_end(self, logs: dict | None = None) -> None:
        self._end()

    def _end(self) -> None:
        if self._running:
            tf.profiler.experimental.stop()
        self._running = False
