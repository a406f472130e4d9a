"""report.html: a complete report in one file, without scripts or links to other files."""

from __future__ import annotations

import base64
import os
from importlib import resources
from pathlib import Path

import jinja2
import numpy as np

from tf_bigan.atomic import atomically
from tf_bigan.evaluation.registry import METRICS
from tf_bigan.report.line_chart import line_chart
from tf_bigan.report.parts import Report, Table
from tf_bigan.report.pictures import png_bytes
from tf_bigan.report.table import shown

_TRAINING = "Training, by epoch"
_COLOURS = 6  # number of line colours in page.css
_ARROWS = {"lower": " ↓", "higher": " ↑", "": ""}


def report_html(path: str | os.PathLike, report: Report) -> None:
    """Writes a page of tables, training curves and figures, for light and dark screens.

    Args:
        path: file to write, atomically.
        report: the report. Each row of a table shows the meaning of its metric.

    Raises:
        ValueError: a picture or a line of a wrong form, or a table without values.
        UserError: the file cannot be written.
    """
    environment = jinja2.Environment(
        autoescape=True, undefined=jinja2.StrictUndefined, keep_trailing_newline=True
    )
    names = dict.fromkeys(name for lines in report.curves.values() for name in lines)
    sections = {}  # title -> tables
    for table in report.tables:
        sections.setdefault(table.title, []).append((table, _rows(table)))
    headings = [*sections, *(section.title for section in report.sections)]
    if report.curves:
        headings.insert(len(sections), _TRAINING)
    page = environment.from_string(_file("page.html")).render(
        report=report,
        style=_file("page.css"),
        tables=sections,
        training=_TRAINING,
        ids={heading: f"part-{i}" for i, heading in enumerate(headings)},
        colours={name: f"var(--c{i % _COLOURS})" for i, name in enumerate(names)},
        charts=[  # a name has the same number, and so the same colour, in all charts
            line_chart(title, {name: lines.get(name, ((), ())) for name in names})
            for title, lines in report.curves.items()
        ],
        png=_png,
    )
    with atomically(path) as temporary:
        Path(temporary).write_text(page, encoding="utf-8", errors="backslashreplace")


def _file(name: str) -> str:
    return resources.files("tf_bigan.report").joinpath(name).read_text(encoding="utf-8")


def _rows(table: Table) -> list[tuple[str, list[str], str]]:
    """(name with its arrow, cells, description) of each row."""
    rows = []
    for name, cells in shown(table.means, table.spreads, "–").T.items():
        metric = METRICS.get(str(name))
        arrow, about = (_ARROWS[metric.better], metric.about) if metric else ("", "")
        rows.append((f"{name}{arrow}", cells.tolist(), about))
    return rows


def _png(picture: np.ndarray) -> str:
    return base64.b64encode(png_bytes(picture)).decode()
