"""Metrics during training."""

import json
import math
import os
import time
from collections.abc import Callable, Mapping

from tf_bigan.atomic import atomically
from tf_bigan.callbacks.periodic import Periodic
from tf_bigan.core.model import AdversarialModel
from tf_bigan.errors import UserError


class Evaluation(Periodic):
    """Computes metrics before the first step and every few epochs, and appends them to a file.

    Each evaluation adds one line of JSON, {"epoch", "step", "seconds", **values}: finished epochs
    and steps, and seconds of training including the earlier parts of a resumed run. The values
    are also added to the logs, for callbacks listed after this one; values that are not finite
    only to the logs. When the training starts, lines of later steps than the model's, from a
    killed run, are removed.

    Args:
        function: model -> {name: value}.
        path: the file. Its directory is created if it does not exist.
        every: epochs between two evaluations.

    Raises:
        UserError: `every` is below 1; at the start of training, `path` is not a file of metrics.

    Example:
        Evaluation(lambda model: {"error": error_of(model)}, "runs/a/metrics.jsonl", every=5)
    """

    def __init__(
        self,
        function: Callable[[AdversarialModel], Mapping[str, float]],
        path: str | os.PathLike,
        every: int = 1,
    ):
        super().__init__(every)
        self.function, self.path = function, os.fspath(path)

    def on_train_begin(self, logs: dict | None = None) -> None:
        self._earlier = self._read()
        seconds = self._earlier[-1]["seconds"] if self._earlier else 0.0
        self._start = time.monotonic() - seconds

    def on_epoch_begin(self, epoch: int, logs: dict | None = None) -> None:
        # Not earlier, because another callback could still reject the training.
        if self._earlier is not None and os.path.exists(self.path):
            with atomically(self.path) as temporary, open(temporary, "w", encoding="utf-8") as file:
                file.writelines(json.dumps(record) + "\n" for record in self._earlier)
        self._earlier = None
        super().on_epoch_begin(epoch, logs)

    def run(self, epoch: int, logs: dict) -> None:
        step = self.step
        values = {name: float(value) for name, value in self.function(self.model).items()}
        logs.update(values)
        seconds = round(time.monotonic() - self._start, 1)
        finite = {name: value for name, value in values.items() if math.isfinite(value)}
        line = json.dumps({"epoch": epoch, "step": step, "seconds": seconds, **finite})
        os.makedirs(os.path.dirname(self.path) or ".", exist_ok=True)
        with open(self.path, "a", encoding="utf-8") as file:
            file.write(line + "\n")

    def _read(self) -> list[dict]:
        """The records of earlier steps that this run continues."""
        if not os.path.exists(self.path):
            return []
        step = self.step
        try:
            with open(self.path, encoding="utf-8") as file:
                lines = [line for line in file if line.endswith("\n")]  # the last may be cut off
            records = [json.loads(line) for line in lines]
            return [r for r in records if r["step"] <= step and r["seconds"] >= 0 and step > 0]
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise UserError(
                f"{self.path} is not a file of metrics: move it away, or use another file"
            ) from error
