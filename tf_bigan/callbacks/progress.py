"""Where the training is, on the terminal."""

import datetime
import sys
import time

import keras

from tf_bigan.run.quiet import is_terminal


class Progress(keras.callbacks.Callback):
    """A bar within an epoch and one line after it: losses, metrics, speed, time left.

    For `fit(verbose=0)`; list it after the callbacks whose values it shall show. Where the output
    is not a terminal there are only the lines.

    Args:
        epochs: the epoch at which training ends.
        steps: steps in an epoch.
        batch_size: images in a step over all replicas.
        verbose: 0 for nothing, 1 for bar and lines, 2 for lines.
    """

    chief_only = True

    def __init__(self, epochs: int, steps: int, batch_size: int, verbose: int = 1):
        super().__init__()
        self.epochs, self.steps, self.batch_size = epochs, steps, batch_size
        self.verbose = verbose
        self._bar = None

    def on_train_begin(self, logs=None):
        self._since = None  # (epoch, time) of the end of the first, which compiles
        if logs:  # metrics of the untrained model
            self._print("0", _format(logs))

    def on_epoch_begin(self, epoch, logs=None):
        self._begin, self._images, self._seconds, self._done = time.monotonic(), 0, 0.0, 0
        if self.verbose == 1 and is_terminal(sys.stdout):
            shown = ["images/s", *(f"loss_{player}" for player in self.model.players)]
            # The logs are means already: not to be averaged again.
            self._bar = keras.utils.Progbar(self.steps, stateful_metrics=shown)

    def on_train_batch_begin(self, batch, logs=None):
        self._call_step, self._call_begin = batch, time.monotonic()

    def on_train_batch_end(self, batch, logs=None):
        self._done = batch + 1
        self._images += (self._done - self._call_step) * self.batch_size
        self._seconds += time.monotonic() - self._call_begin
        if self._bar is not None:
            values = [(name, value) for name, value in logs.items() if name.startswith("loss_")]
            values.append(("images/s", round(self._rate())))
            self._bar.update(self._done, values, finalize=False)

    def on_epoch_end(self, epoch, logs=None):
        now = time.monotonic()
        seconds = now - self._begin
        end = f"{self._rate():,.0f} images/s  {seconds:.1f} s"
        if self._done < self.steps:
            end += f"  stopped after {self._done} of {self.steps} steps"
        elif epoch + 1 < self.epochs:
            # By the mean, as not every epoch is measured or drawn.
            mean = (now - self._since[1]) / (epoch - self._since[0]) if self._since else seconds
            left = datetime.timedelta(seconds=round(mean * (self.epochs - epoch - 1)))
            end += f"  {left} left"
            self._since = self._since or (epoch, now)
        if self._bar is not None:
            print("\r\x1b[2K", end="")  # the line takes the place of the bar
        self._print(str(epoch + 1), f"{_format(logs)}  {end}")

    def _rate(self) -> float:
        return self._images / max(self._seconds, 1e-9)

    def _print(self, epoch: str, text: str):
        if self.verbose:
            print(f"epoch {epoch.rjust(len(str(self.epochs)))}/{self.epochs}  {text}", flush=True)


def _format(logs: dict) -> str:
    """The losses, then the rest; of the validation only the losses, and no logits."""
    names = [
        name
        for name in logs
        if not name.startswith(("logits_", "val_")) or name.startswith("val_loss_")
    ]
    names.sort(key=lambda name: "loss_" not in name)
    return "  ".join(f"{name} {logs[name]:.4g}" for name in names)
