"""Modes covered: samples of a model of a mixture whose centres are known."""

from typing import NamedTuple

import numpy as np

from tf_bigan.evaluation.checks import as_rows, check_count, check_positive, check_same_width
from tf_bigan.evaluation.neighbours import nearest


class Modes(NamedTuple):
    """Modes covered, and the percentage of samples close to a mode."""

    covered: int
    high_quality: float


def modes_covered(points, centres, sigma: float, *, radius: float = 3.0, least: int = 1) -> Modes:
    """Counts the modes of a known mixture that samples reach.

    The protocol of VEEGAN (Srivastava et al. 2017): a sample within `radius` standard
    deviations of its nearest centre is of high quality, and that centre's mode is then covered.
    They draw 2,500 samples, from rings and grids of 8 to 25 modes.

    Args:
        points: samples [N, ...], numbers.
        centres: [modes, ...], numbers of the same size a row.
        sigma: standard deviation of a mode, along any axis; > 0.
        radius: in units of sigma, > 0.
        least: high-quality samples that a mode needs, >= 1.

    Raises:
        ValueError: for empty or non-finite input, unequal widths, or a number that is not positive.
    """
    check_positive(sigma, "sigma")
    check_positive(radius, "radius")
    check_count(least, "least", 1)
    points, centres = as_rows(points, "points"), as_rows(centres, "centres")
    check_same_width(points, "points", centres, "centres")
    distances, owners = nearest(points, centres)
    close = distances <= radius * sigma
    counts = np.bincount(owners[close], minlength=len(centres))
    return Modes(int((counts >= least).sum()), 100 * float(close.mean()))
