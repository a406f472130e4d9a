"""Stops the training cleanly on Ctrl-C or SIGTERM."""

import os
import signal
import threading

from absl import logging

from tf_bigan.callbacks.base import Callback

_SIGNALS = (signal.SIGINT, signal.SIGTERM)


class StopOnSignal(Callback):
    """Stops after the current call at the first Ctrl-C or SIGTERM, immediately at the second.

    Afterwards `received` is the signal, or None. The signal handlers are replaced during the
    training. Use the callback as a context manager around `fit`, so that they are restored even if
    `fit` raises. Outside the main thread, where Python allows no handlers, it only warns. List it
    last, so that it also covers the final work of other callbacks:

        with StopOnSignal() as stop:
            model.fit(..., callbacks=[..., stop])
        if stop.received: ...

    Raises:
        KeyboardInterrupt: at a second signal.
    """

    chief_only = False

    def __init__(self):
        super().__init__()
        self.received: signal.Signals | None = None
        self._previous: dict = {}

    def __enter__(self) -> "StopOnSignal":
        return self

    def __exit__(self, *exception) -> None:
        self._restore_handlers()

    def on_train_begin(self, logs: dict | None = None) -> None:
        self.received = None
        if threading.current_thread() is not threading.main_thread():
            logging.warning("signals cannot stop this training: it is not in the main thread")
            return
        for number in _SIGNALS:
            previous = signal.signal(number, self._receive)
            self._previous.setdefault(number, previous)

    def on_train_batch_end(self, batch: int, logs: dict | None = None) -> None:
        if self.received is not None:
            self.model.stop_training = True

    def on_epoch_end(self, epoch: int, logs: dict | None = None) -> None:
        self.on_train_batch_end(0)

    def on_train_end(self, logs: dict | None = None) -> None:
        self._restore_handlers()

    def _receive(self, number, frame) -> None:
        if self.received is not None:
            self._restore_handlers()
            raise KeyboardInterrupt
        self.received = signal.Signals(number)
        # Not with print, because the signal may have interrupted a print.
        os.write(2, b"\nstopping after this step, then saving; repeat to stop immediately\n")

    def _restore_handlers(self) -> None:
        for number, handler in self._previous.items():
            signal.signal(number, handler)
        self._previous.clear()
