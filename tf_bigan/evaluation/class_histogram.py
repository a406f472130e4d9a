"""Class histogram: the distribution of predicted classes among samples."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from tf_bigan.constraints import Positive, check
from tf_bigan.evaluation.checks import Unmeasurable, as_probabilities

_ROUNDING = 1e-9


def class_histogram(probabilities: npt.ArrayLike) -> np.ndarray:
    """Fraction of rows in which each class has the largest probability: [K] float64, sum 1.

    Args:
        probabilities: p(y|x) [N, K], rows summing to 1, K >= 2.

    Raises:
        Unmeasurable: a wrong shape, values outside [0, 1], NaN, or rows that do not sum to 1.
    """
    probabilities = as_probabilities(probabilities, "probabilities")
    largest = probabilities.argmax(axis=1)
    return np.bincount(largest, minlength=probabilities.shape[1]) / len(probabilities)


def classes_covered(histogram: npt.ArrayLike, *, least: Positive = 0.1) -> int:
    """Number of classes with at least `least` times the share 1 / K of a balanced histogram.

    A low number indicates mode collapse.

    Args:
        histogram: shares [K] from `class_histogram`.
        least: in units of 1 / K; by default a tenth.

    Raises:
        Unmeasurable: `histogram` is not [K] with sum 1.
        UserError: `least` is not positive.
    """
    check("least", least, Positive)
    shares = np.asarray(histogram)
    if shares.ndim != 1:
        raise Unmeasurable(f"histogram: expected shares [K], got shape {shares.shape}")
    as_probabilities(shares[None], "histogram")
    # A share of exactly `least` / K counts, independent of rounding.
    return int(np.count_nonzero(shares * len(shares) >= least * (1 - _ROUNDING)))
