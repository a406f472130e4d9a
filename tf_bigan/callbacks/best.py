"""Which checkpoint is the best so far."""

import json
import math
import os

import keras

from tf_bigan.atomic import atomically
from tf_bigan.callbacks.saving import save_model
from tf_bigan.errors import UserError, did_you_mean
from tf_bigan.evaluation.registry import METRICS

# Words in the names of logs outside of METRICS that mean: the higher the better.
_HIGHER_IS_BETTER = ("accuracy", "nnc", "cls", "auroc", "auprc")


class Best:
    """Keeps the model with the best value of one log.

    `best.keras` is the model and `best.json` its value, so that a resumed run knows it.

    Args:
        directory: where both are written.
        monitor: the log's name.
        mode: "min", "max", or "auto": as `metrics.METRICS` has it, and for other logs "max" for
            accuracies (accuracy, NNC, CLS, AUROC, AUPRC).

    Raises:
        ValueError: another mode.
    """

    def __init__(self, directory: str, monitor: str, mode: str = "auto"):
        if mode not in ("auto", "min", "max"):
            raise ValueError(f'mode must be "auto", "min" or "max", not {mode!r}')
        if mode == "auto":
            mode = "max" if _higher_is_better(monitor.removeprefix("val_")) else "min"
        self.monitor, self.mode = monitor, mode
        self.value: float | None = None
        self._model_path = os.path.join(directory, "best.keras")
        self._record_path = os.path.join(directory, "best.json")

    def load(self):
        """Goes on from an earlier run's value, if that run monitored the same log."""
        if not os.path.exists(self._record_path):
            return
        with open(self._record_path, encoding="utf-8") as file:
            record = json.load(file)
        if record["monitor"] == self.monitor:
            self.value = record["value"]

    def improves(self, logs: dict) -> bool:
        """Whether the logs hold a better value than any before.

        Raises:
            UserError: the logs have no such name.
        """
        if self.monitor not in logs:
            raise UserError(f"no log is named {self.monitor}{did_you_mean(self.monitor, logs)}")
        value = logs[self.monitor]
        if not math.isfinite(value):
            return False
        if self.value is None:
            return True
        return value > self.value if self.mode == "max" else value < self.value

    def keep(self, model: keras.Model, logs: dict, epoch: int):
        """Saves the model and records its value. Raises UserError as `save_model`."""
        save_model(model, self._model_path)
        value, step = float(logs[self.monitor]), int(model.step.numpy())
        record = {"monitor": self.monitor, "value": value, "epoch": epoch, "step": step}
        with (
            atomically(self._record_path) as temporary,
            open(temporary, "w", encoding="utf-8") as file,
        ):
            json.dump(record, file)
        self.value = value


def _higher_is_better(name: str) -> bool:
    if name in METRICS:
        return METRICS[name].better == "higher"
    return any(word in name.lower() for word in _HIGHER_IS_BETTER)
