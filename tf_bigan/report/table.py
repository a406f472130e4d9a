"""Tables of metrics: for the terminal, as Markdown and as CSV.

The columns are models and references, the rows metrics. `means` is a data frame or {column: {row:
value}}; `spreads` has the same form. NaN means that there is no value, or a single one without
spread.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import pandas as pd

from tf_bigan.evaluation.registry import METRICS

_NOTHING = 1e-9  # shows as 0.00

Values = pd.DataFrame | Mapping[str, Mapping[str, float]]


def format_table(means: Values, spreads: Values | None = None) -> str:
    """Lays out a table for the terminal.

        format_table({"trained": {"NND": 4.61, "EGr": 7.3}, "untrained": {"NND": 13.4}})

    Args:
        means: the values; rows come in the order in which they first appear, and a value that a
            column lacks shows as "-".
        spreads: their standard deviations, shown as "4.614 ± 0.023", or None.

    Returns:
        Lines without trailing spaces, joined by newlines, none at the end.

    Raises:
        ValueError: there is no column or no row.
    """
    texts = shown(means, spreads)
    rows = [
        ["", *texts],
        *([name, *row] for name, row in zip(texts.index, texts.to_numpy(), strict=True)),
    ]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return "\n".join(
        "  ".join([row[0].ljust(widths[0]), *map(str.rjust, row[1:], widths[1:])]).rstrip()
        for row in rows
    )


def markdown_table(means: Values, spreads: Values | None = None) -> str:
    """The same as Markdown. Raises ValueError as `format_table`."""
    texts = shown(means, spreads, missing="")
    rows = [["metric", *texts], ["---", *["---:"] * texts.shape[1]]]
    rows += [[str(name), *row] for name, row in zip(texts.index, texts.to_numpy(), strict=True)]
    return "\n".join("| " + " | ".join(row) + " |" for row in rows)


def csv_table(means: Values, spreads: Values | None = None) -> str:
    """The same as CSV in full precision: a column of means, and "NAME sd" where there is a spread.

    Raises ValueError as `format_table`.
    """
    values, deviations = _frames(means, spreads)
    columns = {}
    for name in values:
        columns[name] = values[name]
        if deviations[name].notna().any():
            columns[f"{name} sd"] = deviations[name]
    return pd.DataFrame(columns).to_csv(index_label="metric", lineterminator="\n")


def shown(means: Values, spreads: Values | None = None, missing: str = "-") -> pd.DataFrame:
    """The texts of a table's cells: "4.61", "4.614 ± 0.023", or what stands for a missing value.

    Two decimals or those of the registry, and more where a number is small.

    Raises:
        ValueError: there is no column or no row.
    """
    values, deviations = _frames(means, spreads)
    texts = {
        name: [
            _text(row, mean, spread, missing)
            for row, mean, spread in zip(values.index, values[name], deviations[name], strict=True)
        ]
        for name in values
    }
    return pd.DataFrame(texts, values.index)


def _frames(means: Values, spreads: Values | None) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Both as data frames of floats, of one shape."""
    values = pd.DataFrame(means).astype(float)
    if values.empty:
        raise ValueError("means: expected at least one column with one value")
    deviations = pd.DataFrame({} if spreads is None else spreads)
    deviations = deviations.reindex(index=values.index, columns=values.columns)
    return values, deviations.astype(float)


def _text(row: Any, mean: float, spread: float, missing: str) -> str:
    if math.isnan(mean):
        return missing
    digits = METRICS[row].digits if row in METRICS else 2
    if math.isnan(spread):
        return _rounded(mean, mean, digits)
    digits = max(digits, 2)  # a mean has decimals, also that of a count
    finest = spread if spread >= _NOTHING else mean
    return f"{_rounded(mean, finest, digits)} ± {_rounded(spread, finest, digits)}"


def _rounded(value: float, finest: float, digits: int) -> str:
    """So many decimals, or as many as show two digits of what is smaller."""
    size = abs(finest)
    if _NOTHING <= size < 0.1:
        digits = max(digits, 1 - math.floor(math.log10(size)))
    return f"{value:.{digits}f}"
