"""Precision, recall, density and coverage: quality and diversity of samples."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from tf_bigan.constraints import Count, check
from tf_bigan.evaluation.checks import as_rows, check_same_width

_BLOCK_VALUES = 4_000_000  # entries of a block of distances: 32 MB
_TIE = 1e-12  # rounding error of a squared distance, in units of the squared norms


class PRDC(NamedTuple):
    """Precision, recall and coverage are in [0, 1]; density may exceed 1."""

    precision: float
    recall: float
    density: float
    coverage: float


def prdc(real_features: npt.ArrayLike, fake_features: npt.ArrayLike, *, k: Count = 5) -> PRDC:
    """Precision, recall, density and coverage with k nearest neighbours (Naeem et al. 2020).

    The radius of a row's ball is the distance to its k-th nearest neighbour in its own set.
    - precision: fraction of fake rows in at least one real row's ball (Kynkäänniemi et al. 2019)
    - recall: fraction of real rows in at least one fake row's ball
    - density: mean number of real balls around a fake row, divided by k; about 1 if equal
    - coverage: fraction of real rows whose ball contains at least one fake row
    As in the authors' code, a row on the surface of a ball is outside. Precision, recall and
    coverage depend on the numbers of rows.

    Args:
        real_features: [N, ...] numbers, N > k.
        fake_features: [M, ...] numbers, M > k, with the same row size.
        k: number of neighbours, >= 1.

    Raises:
        Unmeasurable: too few rows, non-finite values, or unequal widths.
        UserError: k is below 1.
    """
    check("k", k, Count)
    real = as_rows(real_features, "real_features", least=k + 1)
    fake = as_rows(fake_features, "fake_features", least=k + 1)
    check_same_width(real, "real_features", fake, "fake_features")
    # Distances do not depend on the origin, and products of small values lose fewer digits. (With
    # an outlier, the mean may be far from all rows.)
    origin = np.median(real, axis=0).astype(np.float64)
    real, fake = real - origin, fake - origin

    real_radii, fake_radii = (_squared_radii(rows, k) for rows in (real, fake))
    precise, pairs = 0, 0
    recalled, covered = np.zeros((2, len(real)), bool)
    for rows, squares in _squared_distances(fake, real, _TIE):
        in_real_ball = squares < real_radii
        precise += in_real_ball.any(axis=1).sum()
        pairs += np.count_nonzero(in_real_ball)
        covered |= in_real_ball.any(axis=0)
        recalled |= (squares < fake_radii[rows, None]).any(axis=0)
    return PRDC(
        precision=float(precise / len(fake)),
        recall=float(recalled.mean()),
        density=float(pairs / (k * len(fake))),
        coverage=float(covered.mean()),
    )


def _squared_distances(
    a: np.ndarray, b: np.ndarray, tie: float = 0.0
) -> Iterator[tuple[slice, np.ndarray]]:
    """Blocks of rows of the matrix |a_i - b_j|^2 + tie (|a_i|^2 + |b_j|^2), in float64."""
    a_squares, b_squares = ((1 + tie) * np.square(rows).sum(axis=1) for rows in (a, b))
    step = max(1, _BLOCK_VALUES // len(b))
    for start in range(0, len(a), step):
        rows = slice(start, start + step)
        squares = (-2 * a[rows]) @ b.T
        squares += a_squares[rows, None]
        squares += b_squares
        yield rows, np.maximum(squares, 0, out=squares)


def _squared_radii(rows: np.ndarray, k: int) -> np.ndarray:
    """[N] squared distance to the k-th neighbour; the first neighbour of a row is itself."""
    radii = np.empty(len(rows))
    for block, squares in _squared_distances(rows, rows):
        squares.partition(k)
        radii[block] = squares[:, k]
    return radii
