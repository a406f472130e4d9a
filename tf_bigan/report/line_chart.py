"""A small line chart as SVG, in the colours of the surrounding page."""

import html
import math
from collections.abc import Mapping, Sequence

_WIDTH, _HEIGHT = 300, 170
_LEFT, _RIGHT, _TOP, _BOTTOM = 44, 10, 28, 24
_TICKS = 3


def line_chart(title: str, lines: Mapping[str, tuple[Sequence[float], Sequence[float]]]) -> str:
    """Lines over a common x-axis, as an `<svg>` element.

    Line i has the class "line-i" and its end the class "dot-i", so that the page's style sheet
    sets the colours. Points that are not finite are left out, and lines without finite points.

    Args:
        title: shown above the chart.
        lines: name (shown as a tooltip) -> (x, y) of its points.

    Raises:
        ValueError: x and y have unequal lengths, or there is no finite point.
    """
    points = {
        name: [
            (float(a), float(b))
            for a, b in zip(x, y, strict=True)
            if math.isfinite(a) and math.isfinite(b)
        ]
        for name, (x, y) in lines.items()
    }
    every = [point for line in points.values() for point in line]
    if not every:
        raise ValueError("lines: expected at least one finite point")
    (left, right), (low, high) = (_range(values) for values in zip(*every, strict=True))

    def place(x: float, y: float) -> tuple[float, float]:
        across = (x - left) / (right - left) * (_WIDTH - _LEFT - _RIGHT)
        up = (y - low) / (high - low) * (_HEIGHT - _TOP - _BOTTOM)
        return round(_LEFT + across, 1), round(_HEIGHT - _BOTTOM - up, 1)

    parts = [f'<text class="chart-title" x="0" y="14">{html.escape(title)}</text>']
    for i in range(_TICKS):
        value = low + (high - low) * i / (_TICKS - 1)
        _, y = place(left, value)
        parts.append(f'<line class="rule" x1="{_LEFT}" x2="{_WIDTH - _RIGHT}" y1="{y}" y2="{y}"/>')
        parts.append(f'<text class="tick" x="{_LEFT - 6}" y="{y + 4}">{value:.3g}</text>')
    for value, anchor in ((left, "start"), (right, "end")):
        x, _ = place(value, low)
        at = f'text-anchor="{anchor}" x="{x}" y="{_HEIGHT - 6}"'
        parts.append(f'<text class="tick x" {at}>{value:g}</text>')
    for i, (name, line) in enumerate(points.items()):
        if not line:
            continue
        path = " ".join(f"{x},{y}" for x, y in (place(*point) for point in sorted(line)))
        label = f"<title>{html.escape(name)}: {max(line)[1]:.4g}</title>"
        parts.append(f'<polyline class="line-{i}" points="{path}">{label}</polyline>')
        x, y = place(*max(line))
        parts.append(f'<circle class="dot-{i}" cx="{x}" cy="{y}" r="3">{label}</circle>')
    return (
        f'<svg class="chart" viewBox="0 0 {_WIDTH} {_HEIGHT}" role="img" '
        f'aria-label="{html.escape(title, quote=True)}">{"".join(parts)}</svg>'
    )


def _range(values: Sequence[float]) -> tuple[float, float]:
    low, high = min(values), max(values)
    margin = max(0.5, 1e-3 * abs(low))  # around a single value, of any size
    return (low, high) if high > low else (low - margin, high + margin)
