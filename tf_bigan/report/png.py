"""One picture that shows what a trained model does."""

import math
import os
import textwrap
import threading
from collections.abc import Mapping, Sequence

import numpy as np

from tf_bigan.evaluation.checks import as_images, as_labels, as_rows
from tf_bigan.evaluation.inversion import inversion_error
from tf_bigan.report.pictures import (
    enlarged,
    image_grid,
    originals_over_reconstructions,
    save_png,
)
from tf_bigan.report.table import shown

_MAP_POINTS = 2000  # more hide one another, and t-SNE would take minutes
_LEGEND_CLASSES = 20  # as many as the largest qualitative colour map has
_INK, _FAINT, _RULE = "#222222", "#777777", "#cccccc"
_PANEL, _TITLE_HEIGHT = 5.4, 0.6  # inches
_COLUMNS = 3
# A user's own style may want LaTeX. Matplotlib has one style for all threads.
_STYLE = threading.Lock()
_PICTURE, _PAD = 1200, 8  # pixels; more than are shown, as shrinking looks better than stretching


def report_png(
    path: str | os.PathLike,
    *,
    samples=None,
    originals=None,
    reconstructions=None,
    interpolations=None,
    path_name: str = "",
    codes=None,
    labels=None,
    class_names: Sequence[str] | None = None,
    metrics: Mapping[str, Mapping[str, float]] | None = None,
    projection: str = "pca",
    title: str = "",
    dpi: int = 110,
) -> None:
    """Draws samples, reconstructions, interpolations, the latent map and a table into one PNG.

    Each part is drawn if its arrays are given: a GAN has samples only. The file appears whole or
    not at all.

    Args:
        path: PNG file to write; its directory must exist.
        samples: G(z) [N, H, W, C] in [0, 1], C of 1 or 3; about 100 look well.
        originals: x [N, H, W, C] in [0, 1]; about 50 look well.
        reconstructions: G(E(x)) of these, [N, H, W, C] in [0, 1].
        interpolations: [rows, steps, H, W, C] in [0, 1], a row from one image to another; about
            10 by 10 look well.
        path_name: the path in latent space, as "slerp".
        codes: E(x) [M, latent] of held-out images, M >= 2; the first 2,000 are drawn.
        labels: classes [M] of these, for the colours, or None.
        class_names: names for the legend, indexed by label; by default the labels themselves.
        metrics: heading -> {name: value}, as {"trained": {...}, "untrained": {...}}.
        projection: "pca", or "tsne" (some seconds for 2,000 points).
        title: a line above all.
        dpi: pixels an inch; the picture is up to 16 inches wide.

    Raises:
        ValueError: if there is nothing to draw, the projection is unknown, or an array has a
            wrong shape or range.
        UserError: the file cannot be written.
    """
    from matplotlib import style
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    if projection not in ("pca", "tsne"):
        raise ValueError(f"projection: expected 'pca' or 'tsne', got {projection!r}")
    if (originals is None) != (reconstructions is None):
        raise ValueError("originals, reconstructions: expected both or neither")

    panels = []  # (columns, draw)
    if samples is not None:
        panels.append((1, lambda axes: _draw_samples(axes, samples)))
    if originals is not None:
        panels.append((1, lambda axes: _draw_pairs(axes, originals, reconstructions)))
    if interpolations is not None:
        panels.append((1, lambda axes: _draw_interpolations(axes, interpolations, path_name)))
    if codes is not None:
        panels.append((2, lambda axes: _draw_map(axes, codes, labels, class_names, projection)))
    if metrics:
        panels.append((1, lambda axes: _draw_table(axes, metrics)))
    if not panels:
        raise ValueError("nothing to draw: expected samples, originals, codes or metrics")
    places, rows, columns = _flow([width for width, _ in panels])

    width, height = columns * _PANEL, rows * _PANEL + _TITLE_HEIGHT
    with _STYLE, style.context(["default", {"text.parse_math": False}]):
        figure = Figure(figsize=(width, height), dpi=dpi, facecolor="white")
        canvas = FigureCanvasAgg(figure)
        figure.text(
            0.3 / width, 1 - 0.5 * _TITLE_HEIGHT / height, _drawable(title),
            va="center", fontsize=19, fontweight="bold", color=_INK,
        )  # fmt: skip
        grid = figure.add_gridspec(
            rows, columns, wspace=0.07, hspace=0.13,
            left=0.3 / width, right=1 - 0.3 / width,
            top=1 - (_TITLE_HEIGHT + 0.35) / height, bottom=0.3 / height,
        )  # fmt: skip
        for (_, draw), (row, chosen) in zip(panels, places, strict=True):
            draw(figure.add_subplot(grid[row, chosen]))

        canvas.draw()
    save_png(path, np.asarray(canvas.buffer_rgba())[:, :, :3])


def _flow(widths: Sequence[int]) -> tuple[list[tuple[int, slice]], int, int]:
    """Fills rows of three columns in order: each panel's place, and the rows and columns used."""
    places, row, column, columns = [], 0, 0, 0
    for width in widths:
        if column + width > _COLUMNS:
            row, column = row + 1, 0
        places.append((row, slice(column, column + width)))
        column += width
        columns = max(columns, column)
    return places, row + 1, columns


def _caption(axes, title: str, note: str) -> None:
    axes.set_title(title, loc="left", fontsize=13, fontweight="bold", color=_INK)
    axes.set_title(note, loc="right", fontsize=11, color=_FAINT)


def _as_shown(images, name: str) -> np.ndarray:
    images = as_images(images, name)
    if images.shape[3] not in (1, 3):
        raise ValueError(f"{name}: expected 1 or 3 channels, got {images.shape[3]}")
    return images


def _show(axes, picture: np.ndarray) -> None:
    if picture.shape[2] == 1:
        picture = picture[:, :, 0]
    axes.imshow(picture, cmap="gray", vmin=0, vmax=255, interpolation="antialiased")
    axes.set_anchor("NW")
    axes.set_axis_off()


def _draw_samples(axes, samples):
    samples = enlarged(_as_shown(samples, "samples"))
    _show(axes, image_grid(samples, scale=_scale(samples), pad=_PAD))
    _caption(axes, "Samples", "G(z)")


def _draw_pairs(axes, originals, reconstructions):
    originals = _as_shown(originals, "originals")
    error, _ = inversion_error(originals, reconstructions)
    originals, reconstructions = enlarged(originals), enlarged(np.asarray(reconstructions))
    scale = _scale(originals, reconstructions)
    pairs = originals_over_reconstructions(originals, reconstructions, None, scale, 4 * _PAD)
    _show(axes, pairs[3 * _PAD : -3 * _PAD, 3 * _PAD : -3 * _PAD])  # margins as the others have
    _caption(axes, "Reconstructions", f"x above G(E(x)), EGr of these {error:.2f}")


def _draw_interpolations(axes, interpolations, path_name):
    interpolations = np.asarray(interpolations)
    if interpolations.ndim != 5:
        raise ValueError(
            f"interpolations: expected [rows, steps, H, W, C], got shape {interpolations.shape}"
        )
    steps = interpolations.shape[1]
    images = interpolations.reshape(-1, *interpolations.shape[2:])
    images = enlarged(_as_shown(images, "interpolations"))
    _show(axes, image_grid(images, steps, _scale(images), _PAD))
    _caption(axes, "Interpolations", f"{path_name} between two z".strip())


def _scale(*batches: np.ndarray) -> int:
    """Size of a pixel that makes a square grid of all these images about _PICTURE across."""
    pixels = sum(math.prod(np.shape(images)[:3]) for images in batches)
    return max(1, round(_PICTURE / math.sqrt(pixels)))


def _draw_map(axes, codes, labels, class_names, projection):
    from matplotlib import colormaps

    codes = as_rows(codes, "codes")
    if len(codes) < 2:
        raise ValueError("codes: expected at least 2 rows, got 1")
    if labels is not None:
        labels = as_labels(labels, "labels", len(codes))[:_MAP_POINTS]
    points, note = _project(codes[:_MAP_POINTS], projection)

    style = {"s": 16, "alpha": 0.8, "linewidths": 0}
    classes = [] if labels is None else np.unique(labels)
    if 0 < len(classes) <= _LEGEND_CLASSES:
        colours = colormaps["tab10" if len(classes) <= 10 else "tab20"]
        for number, label in enumerate(classes):
            name = _drawable(str(label) if class_names is None else class_names[label])
            chosen = points[labels == label]
            axes.scatter(*chosen.T, color=colours(number), label=name, **style)
        box = axes.get_position()
        axes.set_position([box.x0, box.y0, 0.87 * box.width, box.height])  # room for the legend
        axes.legend(
            loc="center left", bbox_to_anchor=(1, 0.5), frameon=False, markerscale=2,
            handletextpad=0.2, labelspacing=0.7, labelcolor=_INK,
        )  # fmt: skip
    elif labels is not None:
        axes.scatter(*points.T, c=labels, cmap="turbo", **style)
    else:
        axes.scatter(*points.T, color=colormaps["tab10"](0), **style)
    axes.set_xticks([])
    axes.set_yticks([])
    for spine in axes.spines.values():
        spine.set_color(_RULE)
    _caption(axes, "Map of E(x)", note)


def _drawable(text: str) -> str:
    """Without what no font has: the bytes of a file's name that are no UTF-8."""
    return text.encode(errors="backslashreplace").decode()


def _project(codes: np.ndarray, projection: str) -> tuple[np.ndarray, str]:
    """Points [N, 2], and a note on where they come from."""
    if np.ptp(codes, axis=0).max() == 0:
        return np.zeros((len(codes), 2)), f"{len(codes)} images, all the same code"
    if codes.shape[1] == 1:
        return np.hstack([codes, np.zeros_like(codes)]), f"{len(codes)} images, the one dimension"
    if projection == "tsne":
        from sklearn.manifold import TSNE

        perplexity = min(30, (len(codes) - 1) / 3)
        points = TSNE(init="pca", perplexity=perplexity, random_state=0).fit_transform(codes)
        return points, f"{len(codes)} images, t-SNE"
    from sklearn.decomposition import PCA

    pca = PCA(2, random_state=0)
    points = pca.fit_transform(codes)
    share = 100 * pca.explained_variance_ratio_.sum()
    return points, f"{len(codes)} images, PCA ({share:.0f}% of the variance)"


def _draw_table(axes, metrics):
    names = list(dict.fromkeys(name for values in metrics.values() for name in values))
    axes.set_xlim(0, 1)
    axes.set_ylim(0, 1)
    axes.set_axis_off()
    _caption(axes, "Metrics", "")
    headings = [textwrap.fill(heading, 10) for heading in metrics]
    head = 1 + max(heading.count("\n") for heading in headings)
    line = min(0.08, 1 / (len(names) + head + 1))
    rights = np.linspace(1, 0.36, len(metrics) + 1)[:-1][::-1]  # right ends of the value columns
    y = 1 - (head - 0.4) * line
    for right, heading in zip(rights, headings, strict=True):
        axes.text(
            right, y - 0.3 * line, heading, ha="right", va="bottom", color=_FAINT, fontsize=11
        )
    for name in names:
        y -= line
        axes.plot([0, 1], [y + line / 2] * 2, color=_RULE, linewidth=0.8)
        axes.text(0, y, name, va="center", color=_INK, fontsize=12)
        for right, values, colour in zip(
            rights, metrics.values(), [_INK, *[_FAINT] * len(metrics)], strict=False
        ):
            value = shown(values.get(name), "–")
            axes.text(right, y, value, ha="right", va="center", color=colour, fontsize=12)
