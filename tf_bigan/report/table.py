"""Tables of metrics: for the terminal, as Markdown and as CSV.

A table is {column: {name: value}}; a value is a number, or a sequence of numbers of several seeds
that shows as mean ± standard deviation.
"""

import csv
import io
import math
from collections.abc import Mapping, Sequence

import numpy as np

_NOTHING = 1e-9  # shows as 0.00

Value = float | Sequence[float]
Columns = Mapping[str, Mapping[str, Value]]


def format_table(columns: Columns) -> str:
    """Lays out columns of named values for the terminal, one row a name.

    Args:
        columns: heading -> {name: value}, as {"trained": {...}, "untrained": {...}}. Rows come in
            the order in which names first appear; a value that a column lacks shows as "-".

    Returns:
        Lines without trailing spaces, joined by newlines, none at the end.

    Raises:
        ValueError: if there is no column or no name.
    """
    rows = [["", *columns]]
    for name in row_names(columns):
        rows.append([name, *(shown(values.get(name), "-") for values in columns.values())])
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return "\n".join(
        "  ".join([row[0].ljust(widths[0]), *map(str.rjust, row[1:], widths[1:])]).rstrip()
        for row in rows
    )


def markdown_table(columns: Columns) -> str:
    """The same as Markdown. Raises ValueError as `format_table`."""
    names = row_names(columns)
    rows = [["metric", *columns], ["---", *["---:"] * len(columns)]]
    for name in names:
        rows.append([name, *(shown(values.get(name), "") for values in columns.values())])
    return "\n".join("| " + " | ".join(row) + " |" for row in rows)


def csv_table(columns: Columns) -> str:
    """The same as CSV in full precision: a column of means, and "NAME sd" where there are several.

    Raises ValueError as `format_table`.
    """
    names = row_names(columns)
    several = {
        heading for heading, values in columns.items() if any(map(_is_several, values.values()))
    }
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    heads = ([head, f"{head} sd"] if head in several else [head] for head in columns)
    writer.writerow(["metric", *(cell for pair in heads for cell in pair)])
    for name in names:
        cells = []
        for heading, values in columns.items():
            there = name in values
            cells.append(mean(values[name]) if there else "")
            if heading in several:
                cells.append(spread(values[name]) if there and _is_several(values[name]) else "")
        writer.writerow([name, *cells])
    return text.getvalue()


def row_names(columns: Columns) -> list[str]:
    """The names of all columns, in the order in which they first appear. Raises ValueError."""
    names = list(dict.fromkeys(name for values in columns.values() for name in values))
    if not names:
        raise ValueError("columns: expected at least one column with one value")
    return names


def shown(value: Value | None, missing: str) -> str:
    """ "4.61" or "4.614 ± 0.023": two decimals, or what shows two digits of a small number."""
    if value is None:
        return missing
    if not _is_several(value):
        return _rounded(mean(value), mean(value))
    finest = spread(value) if spread(value) >= _NOTHING else mean(value)
    return f"{_rounded(mean(value), finest)} ± {_rounded(spread(value), finest)}"


def mean(value: Value) -> float:
    """Of one number or several."""
    return float(np.mean(value))


def spread(value: Value) -> float:
    """The sample standard deviation; 0 of a single number."""
    return float(np.std(value, ddof=1)) if _is_several(value) else 0.0


def _is_several(value: Value) -> bool:
    return np.size(value) > 1


def _rounded(value: float, finest: float) -> str:
    """Two decimals, or as many as show two digits of what is smaller."""
    size = abs(finest)
    decimals = 1 - math.floor(math.log10(size)) if _NOTHING <= size < 0.1 else 2  # 2 of NaN too
    return f"{value:.{decimals}f}"
