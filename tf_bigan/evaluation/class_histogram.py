"""Class histogram: how often a classifier sees each class among samples."""

import numpy as np

from tf_bigan.evaluation.checks import as_probabilities, check_positive

_ROUNDING = 1e-9


def class_histogram(probabilities) -> np.ndarray:
    """Share of the rows that each class wins: [K] float64, summing to 1.

    Args:
        probabilities: p(y|x) [N, K], rows summing to 1, K >= 2.

    Raises:
        ValueError: for another shape, values outside [0, 1], NaN, or rows that do not sum to 1.
    """
    probabilities = as_probabilities(probabilities, "probabilities")
    winners = probabilities.argmax(axis=1)
    return np.bincount(winners, minlength=probabilities.shape[1]) / len(probabilities)


def classes_covered(histogram, *, least: float = 0.1) -> int:
    """Number of classes with at least `least` times the share 1 / K of a balanced histogram.

    Args:
        histogram: shares [K] as `class_histogram` gives them.
        least: the share asked for, in units of 1 / K; by default a tenth.

    Raises:
        ValueError: if `histogram` is no [K] of shares that sum to 1, or `least` is not positive.
    """
    check_positive(least, "least")
    shares = np.asarray(histogram)
    if shares.ndim != 1:
        raise ValueError(f"histogram: expected shares [K], got shape {shares.shape}")
    as_probabilities(shares[None], "histogram")
    # A share of exactly that counts, whatever the division and the product were rounded to.
    return int(np.count_nonzero(shares * len(shares) >= least * (1 - _ROUNDING)))
