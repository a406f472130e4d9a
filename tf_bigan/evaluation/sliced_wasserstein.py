"""Sliced Wasserstein distance: optimal transport along random directions."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from tf_bigan.constraints import Count, Seed, check
from tf_bigan.evaluation.checks import as_rows, check_same_width

_BLOCK_VALUES = 4_000_000  # projections per block, in float64: 32 MB
_DIRECTIONS = 64  # directions per block


def sliced_wasserstein(
    a: npt.ArrayLike, b: npt.ArrayLike, *, directions: Count = 512, seed: Seed = 0
) -> float:
    """Root mean squared 2-Wasserstein distance of projections on random directions.

    Bonneel et al. 2015, with directions uniform on the unit sphere. The transport along a
    direction is exact, by sorting, also for unequal numbers of rows. Shifting a distribution by s
    in D dimensions gives about |s| / sqrt(D), depending on the directions; use the same seed and
    number of directions to compare values.

    Args:
        a: [N, ...] numbers, N >= 2.
        b: [M, ...] numbers, M >= 2, with the same row size.
        directions: number of directions, >= 1.
        seed: random seed of the directions.

    Returns:
        The distance in units of the values, >= 0.

    Raises:
        Unmeasurable: fewer than two rows, non-finite values, or unequal widths.
        UserError: directions or seed is out of range.
    """
    check("directions", directions, Count)
    check("seed", seed, Seed)
    a, b = as_rows(a, "a", least=2), as_rows(b, "b", least=2)
    check_same_width(a, "a", b, "b")
    width = a.shape[1]
    vectors = np.random.default_rng(seed).normal(size=(directions, width))
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    weights, a_ranks, b_ranks = _transport_plan(len(a), len(b))
    total = 0.0
    for start in range(0, directions, _DIRECTIONS):
        chosen = vectors[start : start + _DIRECTIONS]
        moved = _sorted_projections(chosen, a)[:, a_ranks]
        moved -= _sorted_projections(chosen, b)[:, b_ranks]
        total += (np.square(moved, out=moved) @ weights).sum()
    return float(np.sqrt(total / directions))


def _sorted_projections(vectors: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """[directions, N], each row in ascending order."""
    step = max(1, _BLOCK_VALUES // rows.shape[1])
    blocks = [vectors @ rows[start : start + step].T for start in range(0, len(rows), step)]
    return np.sort(np.concatenate(blocks, axis=1))


def _transport_plan(n: int, m: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Optimal transport of n sorted points to m: (amounts, source ranks, target ranks).

    In units of 1 / (n m), each of the n points has mass m and each of the m points takes mass n;
    an amount ends wherever a source or a target ends.
    """
    ends = np.union1d(np.arange(1, n + 1) * m, np.arange(1, m + 1) * n)
    amounts = np.diff(ends, prepend=0) / (n * m)
    return amounts, (ends - 1) // m, (ends - 1) // n
