"""Kernel distance, KID-like: squared maximum mean discrepancy between two sets of features."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from tf_bigan.constraints import Seed, check
from tf_bigan.evaluation.checks import as_rows, check_same_width, check_size

_SUBSETS = 10
_LARGEST_VALUE = 1e24  # squares of kernel values, powers of 12, are finite in float64
_BLOCK_VALUES = 4_000_000  # entries of a block of the kernel matrix: 32 MB


class KernelDistance(NamedTuple):
    """An unbiased estimate of MMD^2, which may be negative, and its standard error."""

    value: float
    standard_error: float


def kernel_distance(
    features_a: npt.ArrayLike, features_b: npt.ArrayLike, *, seed: Seed = 0
) -> KernelDistance:
    """KID-like: unbiased squared MMD with the cubic kernel k(x, y) = (x.y / D + 1)^3.

    The estimator and kernel of KID (Binkowski et al. 2018), for any features. Both sets are
    shuffled and split into ten disjoint subsets. The value is the mean of their estimates; they
    are independent, so their standard deviation divided by the root of ten is the standard error.
    (The usual protocol draws overlapping subsets of 1,000 and reports their standard deviation,
    which is not the error of the mean.) The expectation does not depend on the number of rows.

    Args:
        features_a: [N, ...] numbers, N >= 20.
        features_b: [M, ...] numbers, M >= 20, with the same row size.
        seed: random seed of the shuffling.

    Raises:
        Unmeasurable: too few rows, non-finite or huge values, or unequal widths.
        UserError: seed is out of range.
    """
    check("seed", seed, Seed)
    a = as_rows(features_a, "features_a", least=2 * _SUBSETS)
    b = as_rows(features_b, "features_b", least=2 * _SUBSETS)
    check_same_width(a, "features_a", b, "features_b")
    check_size(a, "features_a", _LARGEST_VALUE)
    check_size(b, "features_b", _LARGEST_VALUE)
    rng = np.random.default_rng(seed)
    a_parts, b_parts = (np.array_split(rng.permutation(len(rows)), _SUBSETS) for rows in (a, b))
    estimates = [
        _unbiased_mmd2(a[a_rows].astype(np.float64), b[b_rows].astype(np.float64))
        for a_rows, b_rows in zip(a_parts, b_parts, strict=True)
    ]
    error = np.std(estimates, ddof=1) / np.sqrt(_SUBSETS)
    return KernelDistance(float(np.mean(estimates)), float(error))


def _unbiased_mmd2(a: np.ndarray, b: np.ndarray) -> float:
    m, n = len(a), len(b)
    within_a = (_kernel_sum(a, a) - _kernel_trace(a)) / (m * (m - 1))
    within_b = (_kernel_sum(b, b) - _kernel_trace(b)) / (n * (n - 1))
    return within_a + within_b - 2 * _kernel_sum(a, b) / (m * n)


def _kernel_sum(a: np.ndarray, b: np.ndarray) -> float:
    total = 0.0
    step = max(1, _BLOCK_VALUES // len(b))
    for start in range(0, len(a), step):
        base = a[start : start + step] @ b.T / a.shape[1] + 1
        total += (base * base * base).sum()  # a float power would take many times longer
    return total


def _kernel_trace(rows: np.ndarray) -> float:
    return ((np.square(rows).sum(axis=1) / rows.shape[1] + 1) ** 3).sum()
