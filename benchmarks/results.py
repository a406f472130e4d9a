"""Stored results of a benchmark, one JSON record per line."""

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np


def read(path: Path) -> list[dict]:
    """All stored records; none of a file that does not exist yet."""
    if not path.exists():
        return []
    with path.open() as file:
        return [json.loads(line) for line in file]


def append(path: Path, record: dict):
    """Adds a record to the end of a file, which is made if it is missing."""
    with path.open("a") as file:
        file.write(json.dumps(record) + "\n")


def mean_and_spread(values: Sequence[float], digits: int) -> str:
    """The cell of a table: "1.23 ± 0.04", of one value "1.23", of none "".

    The standard deviation is that over n - 1. The mean has thousands separators.
    """
    if not values:
        return ""
    mean = f"{np.mean(values):,.{digits}f}"
    return mean if len(values) == 1 else f"{mean} ± {np.std(values, ddof=1):.{digits}f}"
