"""The best model so far."""

import json
import math
import os
from typing import Literal

from tf_bigan.atomic import atomically
from tf_bigan.callbacks.saving import save_model
from tf_bigan.constraints import check_arguments
from tf_bigan.core.model import AdversarialModel
from tf_bigan.errors import UserError, did_you_mean
from tf_bigan.evaluation.registry import METRICS

Mode = Literal["auto", "min", "max"]

# For logs that are not registered metrics: higher is better if the name contains one of these.
_HIGHER_IS_BETTER = ("accuracy", "nnc", "cls", "auroc", "auprc")


class Best:
    """Saves the model with the best value of a log as `best.keras`, the value as `best.json`.

    Args:
        directory: directory of both files.
        monitor: the log's name.
        mode: "min", "max", or "auto": the direction of a metric of the registry; for other logs
            "max" if the name says accuracy, NNC, CLS, AUROC or AUPRC, else "min".

    Raises:
        UserError: an unknown mode.
    """

    def __init__(self, directory: str, monitor: str, mode: Mode = "auto"):
        check_arguments(Best, {"mode": mode})
        if mode == "auto":
            mode = "max" if _higher_is_better(monitor.removeprefix("val_")) else "min"
        self.monitor, self.mode = monitor, mode
        self.value: float | None = None
        self._model_path = os.path.join(directory, "best.keras")
        self._record_path = os.path.join(directory, "best.json")

    def load(self, resumed: bool) -> None:
        """Reads the best value of an earlier part of the run, if it monitored the same log."""
        self.value = None
        if not resumed or not os.path.exists(self._record_path):
            return
        try:
            with open(self._record_path, encoding="utf-8") as file:
                record = json.load(file)
            monitor, value = record["monitor"], float(record["value"])
        except (ValueError, KeyError, TypeError) as error:
            raise UserError(
                f"{self._record_path} is broken: remove it, and the best model is chosen anew"
            ) from error
        if monitor == self.monitor:
            self.value = value

    def improves(self, logs: dict) -> bool:
        """Whether the logs have a better value than before. UserError: the log is missing."""
        if self.monitor not in logs:
            raise UserError(f"no log is named {self.monitor}{did_you_mean(self.monitor, logs)}")
        value = logs[self.monitor]
        if not math.isfinite(value):
            return False
        if self.value is None:
            return True
        return value > self.value if self.mode == "max" else value < self.value

    def keep(self, model: AdversarialModel, logs: dict, epoch: int) -> None:
        """Saves the model and its value. Raises UserError as `save_model` does."""
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
