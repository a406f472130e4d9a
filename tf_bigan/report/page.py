"""report.html: one file, without scripts and without links to others, that holds a whole report."""

import base64
import html
import os
from collections.abc import Mapping, Sequence
from importlib import resources
from pathlib import Path
from string import Template
from typing import NamedTuple

import numpy as np

from tf_bigan.atomic import atomically
from tf_bigan.evaluation.registry import METRICS
from tf_bigan.report.line_chart import line_chart
from tf_bigan.report.pictures import png_bytes
from tf_bigan.report.table import Columns, row_names, shown

_COLOURS = 6  # of lines, as in page.css
_ARROWS = {"lower": " ↓", "higher": " ↑", "": ""}


class Table(NamedTuple):
    """Columns of values under a heading.

    note: lines of plain text below it. emphasised: so many columns, from the left, are what the
    others are to be compared with.
    """

    title: str
    columns: Columns
    note: Sequence[str] = ()
    emphasised: int = 1


class Figure(NamedTuple):
    """A picture, uint8 [H, W, C] with C of 1, 3 or 4. `width`: "full", "third" or "map"."""

    title: str
    note: str
    picture: np.ndarray
    width: str = "full"


class Section(NamedTuple):
    """What is shown of one model: figures, and its settings by name."""

    title: str
    figures: Sequence[Figure]
    settings: Mapping[str, object]


def report_html(
    path: str | os.PathLike,
    *,
    title: str,
    facts: str = "",
    tables: Sequence[Table] = (),
    curves: Mapping[str, Mapping[str, tuple[Sequence[float], Sequence[float]]]] | None = None,
    sections: Sequence[Section] = (),
) -> None:
    """Writes a page of tables, training curves and figures; it looks well in light and in dark.

    Args:
        path: file to write, whole or not at all; its directory must exist.
        title: the heading.
        facts: a line below it.
        tables: in this order, those of one title together; what a metric means stands beside
            its row.
        curves: chart's title -> line's name -> (epochs, y); see `line_chart`.
        sections: one for each model.

    Raises:
        ValueError: for a picture or a line of another form, or a table without values.
        UserError: the file cannot be written.
    """
    parts = [
        (heading, "\n".join(_table(table) for table in tables if table.title == heading))
        for heading in dict.fromkeys(table.title for table in tables)
    ]
    if curves:
        parts.append(("Training, by epoch", _curves(curves)))
    parts += [(section.title, _section(section)) for section in sections]
    anchors = [f"part-{i}" for i in range(len(parts))]
    style = _file("page.css").substitute(
        lines="\n".join(
            f".chart .line-{i} {{ stroke: {colour}; }}\n.chart .dot-{i} {{ fill: {colour}; }}"
            for i, colour in enumerate(map(_colour, range(len(_line_names(curves or {})))))
        )
    )
    page = _file("page.html").substitute(
        title=html.escape(title),
        facts=html.escape(facts),
        style=style,
        links="\n".join(
            f'<a href="#{anchor}">{html.escape(heading)}</a>'
            for anchor, (heading, _) in zip(anchors, parts, strict=True)
        ),
        body="\n".join(
            f'<section id="{anchor}">\n<h2>{html.escape(heading)}</h2>\n{text}\n</section>'
            for anchor, (heading, text) in zip(anchors, parts, strict=True)
        ),
    )
    with atomically(os.fspath(path)) as temporary:
        Path(temporary).write_text(page, encoding="utf-8", errors="backslashreplace")


def _file(name: str) -> Template:
    return Template(resources.files(__package__).joinpath(name).read_text(encoding="utf-8"))


def _colour(line: int) -> str:
    return f"var(--c{line % _COLOURS})"


def _line_names(curves) -> list[str]:
    """Of all charts; a line has the number of its name in each chart, and so one colour."""
    return list(dict.fromkeys(name for lines in curves.values() for name in lines))


def _table(table: Table) -> str:
    heads = "".join(f"<th>{html.escape(heading)}</th>" for heading in table.columns)
    rows = []
    for name in row_names(table.columns):
        cells = "".join(
            f'<td class="{"main" if i < table.emphasised else "beside"}">'
            f"{shown(values.get(name), '–')}</td>"
            for i, values in enumerate(table.columns.values())
        )
        metric = METRICS.get(name)
        about = html.escape(metric.about) if metric else ""
        arrow = _ARROWS[metric.better] if metric else ""
        rows.append(
            f'<tr><th>{html.escape(name)}{arrow}</th>{cells}<td class="about">{about}</td></tr>'
        )
    notes = "\n".join(f'<p class="note">{html.escape(line)}</p>' for line in table.note)
    return (
        f'<div class="wide"><table>\n<thead><tr><th></th>{heads}<th></th></tr></thead>\n'
        "<tbody>\n" + "\n".join(rows) + f"\n</tbody>\n</table></div>\n{notes}"
    )


def _curves(curves) -> str:
    names = _line_names(curves)
    legend = "".join(
        f'<span><i style="background: {_colour(i)}"></i>{html.escape(name)}</span>'
        for i, name in enumerate(names)
    )
    charts = "\n".join(
        line_chart(title, {name: lines.get(name, ((), ())) for name in names})
        for title, lines in curves.items()
    )
    return f'<p class="legend">{legend}</p>\n<div class="charts">\n{charts}\n</div>'


def _section(section: Section) -> str:
    figures = "\n".join(_figure(figure) for figure in section.figures)
    settings = "".join(
        f"<li><span>{html.escape(str(name))}</span> {html.escape(str(value))}</li>"
        for name, value in section.settings.items()
    )
    return (
        f'<div class="figures">\n{figures}\n</div>\n'
        f'<details><summary>Configuration</summary><ul class="settings">{settings}</ul></details>'
    )


def _figure(figure: Figure) -> str:
    encoded = base64.b64encode(png_bytes(figure.picture)).decode()
    return (
        f'<figure class="{figure.width}"><figcaption><b>{html.escape(figure.title)}</b>'
        f"<span>{html.escape(figure.note)}</span></figcaption>"
        f'<img alt="{html.escape(figure.title, quote=True)}" '
        f'src="data:image/png;base64,{encoded}"></figure>'
    )
