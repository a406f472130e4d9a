"""The base class of callbacks that run every few epochs."""

from tf_bigan.callbacks.base import Callback
from tf_bigan.constraints import Count, check_arguments


class Periodic(Callback):
    """Calls `run(epoch, logs)` before the first step, after every `every`-th epoch and the last.

    `epoch` is the number of finished epochs. An interrupted epoch does not count; the resumed run
    finishes it. With several workers only the chief calls `run`. Nothing runs in
    `on_train_begin`, where other callbacks may still reject the training.

    Args:
        every: epochs between two runs.

    Raises:
        UserError: `every` is below 1.
    """

    def __init__(self, every: Count = 1):
        super().__init__()
        check_arguments(Periodic, {"every": every})
        self.every = every
        self._steps_done = 0

    def run(self, epoch: int, logs: dict) -> None:
        """Called when `epoch` epochs are finished. Later callbacks see what it adds to `logs`."""
        raise NotImplementedError

    def on_epoch_begin(self, epoch: int, logs: dict | None = None) -> None:
        if self.step == 0:
            self.run(0, {} if logs is None else logs)

    def on_train_batch_end(self, batch: int, logs: dict | None = None) -> None:
        self._steps_done = batch + 1

    def on_epoch_end(self, epoch: int, logs: dict | None = None) -> None:
        due = (epoch + 1) % self.every == 0 or epoch + 1 == self.params["epochs"]
        if due and self._steps_done == self.params["steps"]:
            self.run(epoch + 1, {} if logs is None else logs)
