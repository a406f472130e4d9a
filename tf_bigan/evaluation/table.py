"""Metrics as a plain-text table for the terminal."""

from collections.abc import Mapping


def format_table(columns: Mapping[str, Mapping[str, float]]) -> str:
    """Lays out columns of named values, two decimals each, one row a name.

    Args:
        columns: heading -> {name: value}, as {"trained": {...}, "untrained": {...}}. Rows come in
            the order in which names first appear; a value that a column lacks shows as "-".

    Returns:
        Lines without trailing spaces, joined by newlines, none at the end.

    Raises:
        ValueError: if there is no column or no name.
    """
    names = list(dict.fromkeys(name for values in columns.values() for name in values))
    if not names:
        raise ValueError("columns: expected at least one column with one value")
    rows = [["", *columns]]
    for name in names:
        cells = [f"{values[name]:.2f}" if name in values else "-" for values in columns.values()]
        rows.append([name, *cells])
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return "\n".join(
        "  ".join([row[0].ljust(widths[0]), *map(str.rjust, row[1:], widths[1:])]).rstrip()
        for row in rows
    )
