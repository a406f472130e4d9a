"""A page of the strangest and the most usual pictures, with heat maps."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from tf_bigan.report.heat_map import heat_maps
from tf_bigan.report.parts import Figure, Report, Section
from tf_bigan.report.pictures import enlarged, image_grid, shrunk

TITLE = "Unusual pictures"
MOST = 24  # pictures in a grid
COLUMNS = 8
SIDE = 96


def coloured(maps: np.ndarray, scale: float) -> np.ndarray:
    """Heat maps [N, H, W] >= 0 in colours, from black to bright yellow at `scale`: [N, H, W, 3]."""
    shown = np.clip(maps / scale, 0.0, 1.0)[..., None]
    return heat_maps(shown, np.zeros_like(shown), scale=1.0)


def report(
    images: np.ndarray,
    scores: np.ndarray,
    outliers: np.ndarray,
    maps: np.ndarray,
    settings: Mapping[str, object],
) -> Report:
    """The page's content.

    Args:
        images: float [N, H, W, C] in [0, 1].
        scores: anomaly scores [N].
        outliers: bool [N].
        maps: heat maps [N, H, W].
        settings: how the detector was made.
    """
    order = np.argsort(-scores, kind="stable")
    strangest = order[:MOST]
    usual = order[::-1][:MOST]
    scale = float(maps.max()) or 1.0

    def grid(pictures: np.ndarray) -> np.ndarray:
        return image_grid(enlarged(shrunk(pictures, SIDE), SIDE), columns=COLUMNS)

    figures = []
    for title, chosen in (("The strangest", strangest), ("The most usual", usual)):
        note = f"scores {scores[chosen[0]]:.3g} to {scores[chosen[-1]]:.3g}, row by row"
        figures.append(Figure(title, note, grid(images[chosen])))
        note = "where they differ from normal pictures; one scale for all"
        figures.append(Figure(f"{title}: heat maps", note, grid(coloured(maps[chosen], scale))))
    facts = f"{len(images):,} pictures, {int(outliers.sum()):,} of them outliers."
    return Report(TITLE, facts, sections=[Section("Pictures", figures, settings)])
