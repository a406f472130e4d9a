"""Checkpoints: the full state of a training."""

import os

from tf_bigan.atomic import remove_incomplete
from tf_bigan.callbacks.base import Callback
from tf_bigan.callbacks.best import Best, Mode
from tf_bigan.callbacks.restore import checkpoint_path, checkpoints
from tf_bigan.callbacks.saving import save_model
from tf_bigan.constraints import Count, check_arguments
from tf_bigan.errors import UserError


class Checkpoint(Callback):
    """Saves model, optimizers and step as `step-00001234.keras`, and the best as `best.keras`.

    List it after the callbacks whose values it monitors. The state at the end of training is
    always saved, even in the middle of an epoch. `restore` loads the newest checkpoint. Files are
    written atomically. With several workers the chief saves and all restore, so they must share
    the directory.

    Args:
        directory: directory of the checkpoints; created if it does not exist.
        every_steps: save when the step reaches or passes a multiple of this; None: never.
        every_epochs: epochs between two checkpoints; None: never.
        keep: number of newest checkpoints to keep, besides the best.
        monitor: the log whose best value selects `best.keras`. The value is stored in `best.json`
            for resumed runs. None: no best model.
        mode: "min", "max", or "auto": see `Best`.
        monitor_every: epochs between two values of `monitor`.

    Raises:
        UserError: an argument is out of range; in training, the monitored log does not exist, a
            weight is not finite, the file cannot be written, or the directory has checkpoints of
            another training. Earlier checkpoints are not changed.

    Example:
        model.fit(batches, epochs=10, callbacks=[Checkpoint("runs/a", monitor="val_loss_EG")])
    """

    def __init__(
        self,
        directory: str | os.PathLike,
        every_steps: Count | None = None,
        every_epochs: Count | None = 1,
        keep: Count = 3,
        monitor: str | None = None,
        mode: Mode = "auto",
        monitor_every: Count = 1,
    ):
        super().__init__()
        values = {"every_steps": every_steps, "every_epochs": every_epochs, "keep": keep}
        check_arguments(Checkpoint, {**values, "mode": mode, "monitor_every": monitor_every})
        self.directory = os.fspath(directory)
        self.every_steps, self.every_epochs, self.keep = every_steps, every_epochs, keep
        self.best = None if monitor is None else Best(self.directory, monitor, mode)
        self.monitor_every = monitor_every

    def on_train_begin(self, logs: dict | None = None) -> None:
        try:
            os.makedirs(self.directory, exist_ok=True)
        except OSError as error:
            raise UserError(f"no checkpoints in {self.directory}: {error.strerror}") from error
        remove_incomplete(self.directory)
        self._saved_step = self.step
        there = checkpoints(self.directory)
        if self._saved_step == 0 and there and there[-1][0] > 0:
            raise UserError(
                f"{self.directory} holds the checkpoints of an earlier training: resume it "
                "with tf_bigan.callbacks.restore, or use another directory"
            )
        self._epoch_is_done = False
        if self.best:
            self.best.load(resumed=self._saved_step > 0)

    def on_train_batch_end(self, batch: int, logs: dict | None = None) -> None:
        # An epoch's last step is saved in `on_epoch_end`, after the other callbacks of this epoch,
        # because a run resumed from it would not run them again.
        self._epoch_is_done = batch + 1 == self.params["steps"]
        if self._steps_are_due() and not self._epoch_is_done:
            self.save()

    def on_epoch_end(self, epoch: int, logs: dict | None = None) -> None:
        if not self._epoch_is_done:
            return
        # The best comes first: a run resumed from this checkpoint would not check it again.
        if self.best:
            logs = logs or {}
            due = (epoch + 1) % self.monitor_every == 0 or self.best.monitor in logs
            if due and self.best.improves(logs):
                self.best.keep(self.model, logs, epoch + 1)
        if self._steps_are_due() or self.every_epochs and (epoch + 1) % self.every_epochs == 0:
            self.save()

    def on_train_end(self, logs: dict | None = None) -> None:
        self.save()

    def save(self) -> str:
        """Saves the current state, unless it is saved already, and returns the path."""
        step = self.step
        path = checkpoint_path(self.directory, step)
        if step > self._saved_step:  # it is less if a callback has restored earlier weights
            save_model(self.model, path)
            self._saved_step = step
            # Checkpoints of later steps belong to another run, or are damaged; keep them.
            ours = [old for old_step, old in checkpoints(self.directory) if old_step <= step]
            for old in ours[: -self.keep]:
                os.remove(old)
        return path

    def _steps_are_due(self) -> bool:
        every = self.every_steps
        return every is not None and self.step // every > self._saved_step // every
