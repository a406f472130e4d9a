"""The parts of a report, shown both by the page and by the PNG."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, NamedTuple

import numpy as np
import pandas as pd


class Table(NamedTuple):
    """Values with one row per metric and one column per model or reference.

    title: title of the section; tables with the same title are shown together.
    means: the values. spreads: their standard deviations, NaN for single values.
    notes: lines of plain text below the table.
    emphasised: number of columns, from the left, for models; the others are references.
    """

    title: str
    means: pd.DataFrame
    spreads: pd.DataFrame | None = None
    notes: Sequence[str] = ()
    emphasised: int = 1


class Figure(NamedTuple):
    """A picture, uint8 [H, W, C] with C = 1, 3 or 4."""

    title: str
    note: str
    picture: np.ndarray
    width: Literal["full", "third", "map"] = "full"


class Section(NamedTuple):
    """The figures of one model, and its options by name."""

    title: str
    figures: Sequence[Figure]
    settings: Mapping[str, object]


@dataclass(frozen=True)
class Report:
    """All parts of a report.

    title: the heading. facts: a line below it.
    curves: title of a chart -> name of a line -> (epochs, y); see `line_chart`.
    sections: one for each model.
    """

    title: str
    facts: str = ""
    tables: Sequence[Table] = ()
    curves: Mapping[str, Mapping[str, tuple[Sequence[float], Sequence[float]]]] = field(
        default_factory=dict
    )
    sections: Sequence[Section] = ()
