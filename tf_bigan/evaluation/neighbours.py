"""Exact nearest neighbours (Euclidean), without storing the matrix of all pairs."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from sklearn.metrics import pairwise_distances_argmin

from tf_bigan.evaluation.checks import as_rows, check_same_width

_BLOCK_VALUES = 4_000_000  # float64 values per block of differences: 32 MB
_ROWS_OF_ORIGIN = 101


def nearest(queries: npt.ArrayLike, candidates: npt.ArrayLike) -> tuple[np.ndarray, np.ndarray]:
    """The nearest candidate of each query.

    scikit-learn finds it block by block, with |q - c|^2 = |q|^2 - 2 q.c + |c|^2 in float64. The
    distance is then computed from the difference, so that no digits are lost.

    Args:
        queries: [Q, ...] numbers.
        candidates: [N, ...] numbers, with the same row size.

    Returns:
        Euclidean distances [Q] float64 and indices [Q] int64.

    Raises:
        Unmeasurable: empty or non-finite input, or unequal widths.
    """
    queries, candidates = as_rows(queries, "queries"), as_rows(candidates, "candidates")
    check_same_width(queries, "queries", candidates, "candidates")
    dtype = np.result_type(queries, candidates)
    queries, candidates = (rows.astype(dtype, copy=False) for rows in (queries, candidates))
    # Distances do not depend on the origin, and products of small values lose fewer digits. (With
    # an outlier, the mean may be far from all rows.)
    origin = np.median(queries[:_ROWS_OF_ORIGIN], axis=0)
    indices = pairwise_distances_argmin(queries - origin, candidates - origin)
    distances = np.empty(len(queries))
    step = max(1, _BLOCK_VALUES // queries.shape[1])
    for start in range(0, len(queries), step):
        rows = slice(start, start + step)
        differences = queries[rows] - candidates[indices[rows]].astype(np.float64)
        distances[rows] = np.linalg.norm(differences, axis=1)
    return distances, indices
