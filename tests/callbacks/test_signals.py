import os
import signal

import keras
import pytest

from tf_bigan.callbacks import Checkpoint, StopOnSignal, restore


class Send(keras.callbacks.Callback):
    """Sends signals to this process after the first call of the loop."""

    def __init__(self, *numbers):
        super().__init__()
        self.numbers = numbers

    def on_train_batch_end(self, batch, logs=None):
        for number in self.numbers:
            os.kill(os.getpid(), number)


@pytest.fixture
def handlers():
    """The handlers before; fails a test that leaves others behind."""
    before = {n: signal.getsignal(n) for n in (signal.SIGINT, signal.SIGTERM)}
    yield before
    assert before == {n: signal.getsignal(n) for n in before}


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_stops_at_the_boundary_and_saves(tmp_path, model, fit, handlers, number):
    with StopOnSignal() as stop:
        fit(model, 5, [Checkpoint(tmp_path), Send(number), stop])
    assert stop.received is number
    assert int(model.step.numpy()) == 1  # the first call makes one step
    assert int(restore(tmp_path)[0].step.numpy()) == 1


def test_nothing_received(model, play, handlers):
    stop = StopOnSignal()
    play(model, 1, [stop])  # without `with`: the end of training puts the handlers back
    assert stop.received is None
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    play(model, 2, [stop])
    assert signal.getsignal(signal.SIGINT) is signal.SIG_IGN
    signal.signal(signal.SIGINT, handlers[signal.SIGINT])


def test_second_signal_ends_at_once(model, play, handlers):
    with pytest.raises(KeyboardInterrupt):
        play(model, 5, [StopOnSignal(), Send(signal.SIGTERM, signal.SIGINT)])
    assert int(model.step.numpy()) == 2


def test_training_that_raises_leaves_no_handler(model, play, handlers):
    class Break(keras.callbacks.Callback):
        def on_train_batch_end(self, batch, logs=None):
            raise RuntimeError("broken")

    with pytest.raises(RuntimeError, match="broken"), StopOnSignal() as stop:
        play(model, 1, [stop, Break()])
