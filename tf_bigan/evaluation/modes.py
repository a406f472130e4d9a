"""Modes covered (mode collapse) for a mixture with known centres."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from tf_bigan.constraints import Positive, check
from tf_bigan.evaluation.checks import as_rows, check_same_width
from tf_bigan.evaluation.neighbours import nearest

_CLOSE = 3  # standard deviations


class Modes(NamedTuple):
    """Modes covered, and the percentage of samples close to a mode."""

    covered: int
    high_quality: float


def modes_covered(points: npt.ArrayLike, centres: npt.ArrayLike, sigma: Positive) -> Modes:
    """Counts the modes of a known mixture that are covered by samples.

    The protocol of VEEGAN (Srivastava et al. 2017): a sample within three standard deviations of
    its nearest centre has high quality, and the mode of this centre is covered. The paper draws
    2,500 samples, from rings and grids with 8 to 25 modes.

    Args:
        points: samples [N, ...], numbers.
        centres: [modes, ...], numbers with the same row size.
        sigma: standard deviation of a mode, along any axis; > 0.

    Raises:
        Unmeasurable: empty or non-finite input, or unequal widths.
        UserError: sigma is not positive.
    """
    check("sigma", sigma, Positive)
    points, centres = as_rows(points, "points"), as_rows(centres, "centres")
    check_same_width(points, "points", centres, "centres")
    distances, owners = nearest(points, centres)
    close = distances <= _CLOSE * sigma
    return Modes(len(np.unique(owners[close])), 100 * float(close.mean()))
