"""report.png: the figures and the first table of a report in one picture."""

from __future__ import annotations

import os
import textwrap
import threading
from collections.abc import Sequence

import numpy as np
from matplotlib import style
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure as Canvas

from tf_bigan.errors import drawable
from tf_bigan.report import parts
from tf_bigan.report.pictures import save_png
from tf_bigan.report.table import shown

_INK, _FAINT, _RULE = "#222222", "#777777", "#cccccc"
_PANEL, _TITLE_HEIGHT, _GAP = 5.4, 0.6, 0.5  # inches
_COLUMNS = {"third": 1, "map": 2, "full": 3}
# A user's style may require LaTeX. Matplotlib has one style for all threads.
_STYLE = threading.Lock()


def report_png(path: str | os.PathLike, report: parts.Report, *, dpi: int = 110) -> None:
    """Draws the title, the figures and the first table, with three panels per row.

    Args:
        path: PNG file to write, atomically.
        report: the report.
        dpi: pixels per inch; the picture is up to 16 inches wide.

    Raises:
        ValueError: there is nothing to draw, or a picture has a wrong form.
        UserError: the file cannot be written.
    """
    panels: list[Panel] = [f for section in report.sections for f in section.figures]
    panels += report.tables[:1]
    if not panels:
        raise ValueError("report: expected a figure or a table to draw")
    rows = _rows(panels)
    heights = [_height(row) for row in rows]
    width = _PANEL * max(sum(map(_columns, row)) for row in rows)
    height = _TITLE_HEIGHT + sum(heights) + _GAP * len(rows)
    with _STYLE, style.context(["default", {"text.parse_math": False}]):
        figure = Canvas(figsize=(width, height), dpi=dpi, facecolor="white")
        canvas = FigureCanvasAgg(figure)
        figure.text(
            0.3 / width, 1 - 0.5 * _TITLE_HEIGHT / height, drawable(report.title),
            va="center", fontsize=19, fontweight="bold", color=_INK,
        )  # fmt: skip
        top = height - _TITLE_HEIGHT
        for row, row_height in zip(rows, heights, strict=True):
            top -= _GAP + row_height
            left = 0.0
            for panel in row:
                inches = _PANEL * _columns(panel)
                place = (left + 0.3, top, inches - 0.4, row_height)
                axes = figure.add_axes(
                    (place[0] / width, place[1] / height, place[2] / width, place[3] / height)
                )
                if isinstance(panel, parts.Table):
                    _draw_table(axes, panel)
                else:
                    _draw_figure(axes, panel)
                left += inches
        canvas.draw()
    save_png(path, np.asarray(canvas.buffer_rgba())[:, :, :3])


Panel = parts.Figure | parts.Table


def _columns(panel: Panel) -> int:
    return _COLUMNS[panel.width] if isinstance(panel, parts.Figure) else 1


def _rows(panels: Sequence[Panel]) -> list[list[Panel]]:
    """Fills rows of three columns, in order."""
    rows: list[list[Panel]] = [[]]
    for panel in panels:
        if sum(map(_columns, [*rows[-1], panel])) > 3:
            rows.append([])
        rows[-1].append(panel)
    return rows


def _height(row: Sequence[Panel]) -> float:
    """Height in inches: as needed for a single wide picture, else that of a panel."""
    if len(row) > 1 or not isinstance(row[0], parts.Figure):
        return _PANEL - _GAP
    height, width = row[0].picture.shape[:2]
    return min(_PANEL - _GAP, (_PANEL * _columns(row[0]) - 0.4) * height / width)


def _caption(axes: Axes, title: str, note: str) -> None:
    axes.set_axis_off()
    axes.set_title(drawable(title), loc="left", fontsize=13, fontweight="bold", color=_INK)
    axes.set_title(drawable(note), loc="right", fontsize=11, color=_FAINT)


def _draw_figure(axes: Axes, figure: parts.Figure) -> None:
    picture = figure.picture
    if picture.shape[2] == 1:
        picture = picture.repeat(3, axis=2)
    axes.imshow(picture, interpolation="antialiased")
    axes.set_anchor("NW")
    _caption(axes, figure.title, figure.note)


def _draw_table(axes: Axes, table: parts.Table) -> None:
    texts = shown(table.means, table.spreads, "–")
    axes.set_xlim(0, 1)
    axes.set_ylim(0, 1)
    _caption(axes, table.title, "")
    headings = [textwrap.fill(drawable(str(heading)), 10) for heading in texts]
    head = 1 + max(heading.count("\n") for heading in headings)
    line = min(0.08, 1 / (len(texts) + head + 1))
    rights = np.linspace(1, 0.36, len(headings) + 1)[:-1][::-1]  # right ends of the columns
    y = 1 - (head - 0.4) * line
    for right, heading in zip(rights, headings, strict=True):
        axes.text(
            right, y - 0.3 * line, heading, ha="right", va="bottom", color=_FAINT, fontsize=11
        )
    for name, cells in zip(texts.index, texts.to_numpy(), strict=True):
        y -= line
        axes.plot([0, 1], [y + line / 2] * 2, color=_RULE, linewidth=0.8)
        axes.text(0, y, name, va="center", color=_INK, fontsize=12)
        for column, (right, cell) in enumerate(zip(rights, cells, strict=True)):
            colour = _INK if column < table.emphasised else _FAINT
            axes.text(right, y, cell, ha="right", va="center", color=colour, fontsize=12)
