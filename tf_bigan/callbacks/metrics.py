"""Metrics while the model trains."""

import json
import math
import os
import time
from collections.abc import Callable, Mapping

import keras

from tf_bigan.atomic import atomically
from tf_bigan.callbacks.periodic import Periodic
from tf_bigan.errors import UserError


class Evaluation(Periodic):
    """Computes metrics every few epochs, and before the first step, and records them.

    Each time one line {"epoch", "step", "seconds", **values} is added to a file of JSON lines,
    with the epochs and steps done and the seconds of training, earlier parts of a resumed run
    included. The values join the logs, for the callbacks listed after this one; those that are not
    finite are in the logs alone. Lines of steps that a killed run had made and the resumed one will
    make again are removed.

    Args:
        function: the model -> {name: value}.
        path: the file; its directory is made if it does not exist.
        every: epochs between two evaluations.

    Raises:
        ValueError: `every` is below 1.
        UserError: at the start of training, `path` holds something else.
    """

    def __init__(
        self,
        function: Callable[[keras.Model], Mapping[str, float]],
        path: str | os.PathLike,
        every: int = 1,
    ):
        super().__init__(every)
        self.function, self.path = function, os.fspath(path)

    def on_train_begin(self, logs=None):
        os.makedirs(os.path.dirname(self.path) or ".", exist_ok=True)
        self._start = time.monotonic() - self._seconds_before()
        super().on_train_begin(logs)

    def run(self, epoch: int, logs: dict):
        step = int(self.model.step.numpy())
        values = {name: float(value) for name, value in self.function(self.model).items()}
        logs.update(values)
        seconds = round(time.monotonic() - self._start, 1)
        finite = {name: value for name, value in values.items() if math.isfinite(value)}
        line = json.dumps({"epoch": epoch, "step": step, "seconds": seconds, **finite})
        with open(self.path, "a", encoding="utf-8") as file:
            file.write(line + "\n")

    def _seconds_before(self) -> float:
        """Removes the lines that this run will write again; the seconds of the last one left."""
        if not os.path.exists(self.path):
            return 0.0
        with open(self.path, encoding="utf-8") as file:
            lines = [line for line in file if line.endswith("\n")]  # the last may be cut off
        step = int(self.model.step.numpy())
        try:
            records = [json.loads(line) for line in lines]
            kept = [r for r in records if r["step"] <= step and step > 0]
        except (ValueError, KeyError, TypeError) as error:
            raise UserError(
                f"{self.path} is not a file of metrics: move it away, or name another file"
            ) from error
        with atomically(self.path) as temporary, open(temporary, "w", encoding="utf-8") as file:
            file.writelines(json.dumps(record) + "\n" for record in kept)
        return kept[-1]["seconds"] if kept else 0.0
