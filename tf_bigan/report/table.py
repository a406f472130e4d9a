"""Tables of metrics: for the terminal, as Markdown and as CSV.

The columns are models and references, the rows are metrics. `means` is a data frame or {column:
{row: value}}; `spreads` has the same form. NaN means no value, or no standard deviation.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import pandas as pd

from tf_bigan.evaluation.registry import METRICS

_NOTHING = 1e-9  # smaller values are shown as 0.00

Values = pd.DataFrame | Mapping[str, Mapping[str, float]]


def format_table(means: Values, spreads: Values | None = None) -> str:
    """Formats a table for the terminal.

        format_table({"trained": {"NND": 4.61, "EGr": 7.3}, "untrained": {"NND": 13.4}})

    Args:
        means: the values; rows are in the order of their first occurrence, and missing values are
            shown as "-".
        spreads: their standard deviations, shown as "4.614 ± 0.023", or None.

    Returns:
        Lines without trailing spaces, joined by newlines, without a final newline.

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
    """The same as Markdown. Raises ValueError as `format_table` does."""
    texts = shown(means, spreads, missing="")
    rows = [["metric", *texts], ["---", *["---:"] * texts.shape[1]]]
    rows += [[str(name), *row] for name, row in zip(texts.index, texts.to_numpy(), strict=True)]
    cells = [[str(cell).replace("|", "\\|") for cell in row] for row in rows]
    return "\n".join("| " + " | ".join(row) + " |" for row in cells)


def csv_table(means: Values, spreads: Values | None = None) -> str:
    """The same as CSV in full precision: columns of means, and "NAME sd" for standard deviations.

    Raises ValueError as `format_table` does.
    """
    values, deviations = _frames(means, spreads)
    columns = {}
    for name in values:
        columns[name] = values[name]
        if deviations[name].notna().any():
            columns[f"{name} sd"] = deviations[name]
    return pd.DataFrame(columns).to_csv(index_label="metric", lineterminator="\n")


def shown(means: Values, spreads: Values | None = None, missing: str = "-") -> pd.DataFrame:
    """The texts of a table's cells: "4.61", "4.614 ± 0.023", or `missing`.

    Two decimals, or the digits of the registry, and more for small numbers.

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
    """Both as data frames of floats with the same shape."""
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
    digits = max(digits, 2)  # the mean of counts has decimals too
    finest = spread if spread >= _NOTHING else mean
    return f"{_rounded(mean, finest, digits)} ± {_rounded(spread, finest, digits)}"


def _rounded(value: float, finest: float, digits: int) -> str:
    """Rounds to `digits` decimals, or to more, so that small values show two digits."""
    size = abs(finest)
    if _NOTHING <= size < 0.1:
        digits = max(digits, 1 - math.floor(math.log10(size)))
    text = f"{value:.{digits}f}"
    return text if float(text) else text.lstrip("-")  # not "-0.00"
