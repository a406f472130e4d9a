"""The full state of a training, saved so that it can always go on from a good one."""

import os

import keras

from tf_bigan.atomic import remove_incomplete
from tf_bigan.callbacks.best import Best
from tf_bigan.callbacks.restore import checkpoint_path, checkpoints
from tf_bigan.callbacks.saving import save_model
from tf_bigan.errors import UserError


class Checkpoint(keras.callbacks.Callback):
    """Saves model, optimizers and step as `step-00001234.keras`, and the best as `best.keras`.

    List it after the callbacks whose values it monitors. Where training ends is always saved, in
    the middle of an epoch too. `restore` loads the newest; a file is whole or not there. Of several
    workers the chief saves, and all restore, so they must see the same directory.

    Args:
        directory: where to write; made if it does not exist.
        every_steps: save at the first call boundary at or after each multiple; None for not.
        every_epochs: save after each so many epochs; None for not.
        keep: number of newest checkpoints to keep, besides the best.
        monitor: the log whose best value picks `best.keras`; `best.json` holds that value, so
            that a resumed run goes on from it. None for no best.
        mode: "min", "max", or "auto": as `metrics.METRICS` has it, and for other logs "max" for
            accuracies (accuracy, NNC, CLS, AUROC, AUPRC).
        monitor_every: epochs between two values of `monitor`.

    Raises:
        ValueError: an argument is out of its range.
        UserError: in training, the monitored log does not exist, a weight is not finite, the file
            cannot be written, or a new model would mix its checkpoints with those of an earlier
            training. Earlier checkpoints stay as they are.
    """

    chief_only = True

    def __init__(
        self,
        directory: str | os.PathLike,
        every_steps: int | None = None,
        every_epochs: int | None = 1,
        keep: int = 3,
        monitor: str | None = None,
        mode: str = "auto",
        monitor_every: int = 1,
    ):
        super().__init__()
        counts = {"every_steps": every_steps, "every_epochs": every_epochs}
        for name, count in {**counts, "keep": keep, "monitor_every": monitor_every}.items():
            if count is not None and count < 1:
                raise ValueError(f"{name} must be at least 1, not {count}")
        self.directory = os.fspath(directory)
        self.every_steps, self.every_epochs, self.keep = every_steps, every_epochs, keep
        self.best = None if monitor is None else Best(self.directory, monitor, mode)
        self.monitor_every = monitor_every

    def on_train_begin(self, logs=None):
        os.makedirs(self.directory, exist_ok=True)
        remove_incomplete(self.directory)
        self._saved_step = self._step()
        there = checkpoints(self.directory)
        if self._saved_step == 0 and there and there[-1][0] > 0:
            raise UserError(
                f"{self.directory} holds the checkpoints of an earlier training: go on from them "
                "with tf_bigan.callbacks.restore, or name another directory"
            )
        self._epoch_is_done = False
        if self.best:
            self.best.load()

    def on_train_batch_end(self, batch, logs=None):
        # An epoch's last step is saved at the epoch's end, after what other callbacks do there:
        # a run that resumes from it would not do that again.
        self._epoch_is_done = batch + 1 == self.params["steps"]
        if self._steps_are_due() and not self._epoch_is_done:
            self.save()

    def on_epoch_end(self, epoch, logs=None):
        if not self._epoch_is_done:
            return
        # First the best: a run that resumes from this step's checkpoint would not look again.
        if self.best:
            due = (epoch + 1) % self.monitor_every == 0 or self.best.monitor in logs
            if due and self.best.improves(logs):
                self.best.keep(self.model, logs, epoch + 1)
        if self._steps_are_due() or self.every_epochs and (epoch + 1) % self.every_epochs == 0:
            self.save()

    def on_train_end(self, logs=None):
        self.save()

    def save(self) -> str:
        """Saves the state of now, unless that is done; the path. Raises UserError as above."""
        step = self._step()
        path = checkpoint_path(self.directory, step)
        if step > self._saved_step:  # less where a callback has put back earlier weights
            save_model(self.model, path)
            self._saved_step = step
            # Checkpoints of later steps are another run's, or damaged: not ours to delete.
            ours = [old for old_step, old in checkpoints(self.directory) if old_step <= step]
            for old in ours[: -self.keep]:
                os.remove(old)
        return path

    def _step(self) -> int:
        return int(self.model.step.numpy())

    def _steps_are_due(self) -> bool:
        every = self.every_steps
        return every is not None and self._step() // every > self._saved_step // every
