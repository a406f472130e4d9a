"""The progress of the training on the terminal."""

import datetime
import sys
import time

from tqdm import tqdm

from tf_bigan.callbacks.base import Callback


class Progress(Callback):
    """A progress bar during an epoch, and a line after it: losses, metrics, speed, time left.

    For `fit(verbose=0)`. List it after the callbacks whose values it should show. If the output is
    not a terminal, only the lines are printed.

    Args:
        batch_size: global batch size, over all replicas.
    """

    def __init__(self, batch_size: int):
        super().__init__()
        self.batch_size = batch_size

    def on_train_begin(self, logs: dict | None = None) -> None:
        self._since = None  # (epoch, time) at the end of the first epoch, which compiles

    def on_epoch_begin(self, epoch: int, logs: dict | None = None) -> None:
        if logs:  # metrics of the untrained model
            self._print(0, _format(logs))
        self._begin, self._images, self._seconds, self._done = time.monotonic(), 0, 0.0, 0
        self._bar = tqdm(
            desc=f"epoch {epoch + 1}/{self.params['epochs']}",
            total=self.params["steps"],
            unit=" steps",
            file=sys.stdout,
            leave=False,  # the line replaces it
            disable=None,  # if it is not a terminal
        )

    def on_train_batch_begin(self, batch: int, logs: dict | None = None) -> None:
        self._call_step, self._call_begin = batch, time.monotonic()

    def on_train_batch_end(self, batch: int, logs: dict | None = None) -> None:
        self._seconds += time.monotonic() - self._call_begin
        self._images += (batch + 1 - self._call_step) * self.batch_size
        self._done = batch + 1
        losses = {name: value for name, value in (logs or {}).items() if name.startswith("loss_")}
        self._bar.set_postfix_str(f"{_format(losses)}  {self._speed()}", refresh=False)
        self._bar.update(self._done - self._bar.n)

    def on_epoch_end(self, epoch: int, logs: dict | None = None) -> None:
        self._bar.close()
        now, epochs, steps = time.monotonic(), self.params["epochs"], self.params["steps"]
        seconds = now - self._begin
        end = f"{self._speed()}  {seconds:.1f} s"
        if self._done < steps:
            end += f"  stopped after {self._done} of {steps} steps"
        elif epoch + 1 < epochs:
            # Uses the mean, because not every epoch is evaluated.
            mean = (now - self._since[1]) / (epoch - self._since[0]) if self._since else seconds
            end += f"  {datetime.timedelta(seconds=round(mean * (epochs - epoch - 1)))} left"
            self._since = self._since or (epoch, now)
        self._print(epoch + 1, f"{_format(logs or {})}  {end}")

    def _speed(self) -> str:
        return f"{self._images / max(self._seconds, 1e-9):,.0f} images/s"

    def _print(self, epoch: int, text: str) -> None:
        epochs = self.params["epochs"]
        print(f"epoch {epoch:>{len(str(epochs))}}/{epochs}  {text}", flush=True)


def _format(logs: dict) -> str:
    """Losses first, then the rest; no logits, and only the losses of the validation."""
    names = [
        name
        for name in logs
        if not name.startswith(("logits_", "val_")) or name.startswith("val_loss_")
    ]
    names.sort(key=lambda name: "loss_" not in name)
    return "  ".join(f"{name} {logs[name]:.4g}" for name in names)
