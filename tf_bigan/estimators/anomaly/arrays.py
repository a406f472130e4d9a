"""Fixed arrays in a graph, which pickle as NumPy arrays."""

from typing import Any

import numpy as np
import tensorflow as tf

ROWS = 256
VALUES = 2**22


def rows_at_once(values: int) -> int:
    """How many rows of so many values are computed with in one call.

    There are several times as many values at work, as of neighbours, and of large images 256 rows
    take gigabytes.
    """
    return max(1, min(ROWS, VALUES // values))


class Arrays(tf.Module):
    """A part of the detector: arrays that were computed once, and numbers.

    Arrays become variables, so that a SavedModel contains each once.

    Args:
        **values: attributes by name.
    """

    def __init__(self, **values: Any):
        super().__init__()
        self._names = tuple(values)
        for name, value in values.items():
            is_array = isinstance(value, np.ndarray)
            setattr(self, name, tf.Variable(value, trainable=False) if is_array else value)

    def __getstate__(self) -> dict[str, Any]:
        values = {name: getattr(self, name) for name in self._names}
        return {n: v.numpy() if isinstance(v, tf.Variable) else v for n, v in values.items()}

    def __setstate__(self, state: dict[str, Any]) -> None:
        Arrays.__init__(self, **state)
