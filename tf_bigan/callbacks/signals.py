"""Ctrl-C and SIGTERM end the training in good order."""

import os
import signal
import threading
from collections.abc import Iterable

import keras
from absl import logging


class StopOnSignal(keras.callbacks.Callback):
    """The first signal stops the training at the next call boundary, a second one at once.

    Afterwards `received` is the signal, or None. While the training runs, the signals' handlers
    are this callback's. Use it as a context manager around `fit` and they are put back even if
    `fit` raises; in another thread than the main one, where Python allows no handlers, it warns and
    does nothing. List it last, so that what other callbacks do at the end is covered too:

        with StopOnSignal() as stop:
            model.fit(..., callbacks=[..., stop])
        if stop.received: ...

    Raises:
        KeyboardInterrupt: at a second signal.
    """

    def __init__(self, signals: Iterable[signal.Signals] = (signal.SIGINT, signal.SIGTERM)):
        super().__init__()
        self.signals = tuple(signals)
        self.received: signal.Signals | None = None
        self._previous: dict = {}

    def __enter__(self) -> "StopOnSignal":
        return self

    def __exit__(self, *exception):
        self._put_back()

    def on_train_begin(self, logs=None):
        self.received = None
        if threading.current_thread() is not threading.main_thread():
            logging.warning("no signal stops this training: it is not in the main thread")
            return
        for number in self.signals:
            previous = signal.signal(number, self._receive)
            self._previous.setdefault(number, previous)

    def on_train_batch_end(self, batch, logs=None):
        if self.received is not None:
            self.model.stop_training = True

    def on_epoch_end(self, epoch, logs=None):
        self.on_train_batch_end(0)

    def on_train_end(self, logs=None):
        self._put_back()

    def _receive(self, number, frame):
        if self.received is not None:
            self._put_back()
            raise KeyboardInterrupt
        self.received = signal.Signals(number)
        # Not by print, which may be what the signal has interrupted.
        os.write(2, b"\nstopping after this step, then saving; once more to stop at once\n")

    def _put_back(self):
        for number, handler in self._previous.items():
            signal.signal(number, handler)
        self._previous.clear()
