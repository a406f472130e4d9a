"""What a report consists of. The page and the PNG are two views of the same parts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, NamedTuple

import numpy as np
import pandas as pd


class Table(NamedTuple):
    """Values under a heading: a row for each metric, a column for each model or reference.

    title: of the section; tables of one title are shown together.
    means: the values. spreads: their standard deviations, NaN where there is a single value.
    notes: lines of plain text below it.
    emphasised: how many columns, from the left, are the models; the others are references.
    """

    title: str
    means: pd.DataFrame
    spreads: pd.DataFrame | None = None
    notes: Sequence[str] = ()
    emphasised: int = 1


class Figure(NamedTuple):
    """A picture, uint8 [H, W, C] with C of 1, 3 or 4."""

    title: str
    note: str
    picture: np.ndarray
    width: Literal["full", "third", "map"] = "full"


class Section(NamedTuple):
    """What is shown of one model: figures, and its settings by name."""

    title: str
    figures: Sequence[Figure]
    settings: Mapping[str, object]


@dataclass(frozen=True)
class Report:
    """All parts.

    title: the heading. facts: a line below it.
    curves: chart's title -> line's name -> (epochs, y); see `line_chart`.
    sections: one for each model.
    """

    title: str
    facts: str = ""
    tables: Sequence[Table] = ()
    curves: Mapping[str, Mapping[str, tuple[Sequence[float], Sequence[float]]]] = field(
        default_factory=dict
    )
    sections: Sequence[Section] = ()
