"""Exact nearest neighbours (Euclidean) in bounded memory, over a gallery that may be a stream.

A float32 matrix product scores every pair, since |q - g|^2 = |q|^2 - 2 q.g + |g|^2 and |q|^2 does
not change the order. Cancellation makes these scores inexact, so they only choose candidates:
whatever a rounding bound cannot exclude. A float64 product decides between the candidates, and
the winner's distance is computed from the difference itself.
"""

import numpy as np

from tf_bigan.evaluation.checks import as_rows, check_same_width, check_size

LARGEST_VALUE = 1e15  # sums of squares are finite in float32
_QUERY_ROWS = 512
_GALLERY_ROWS = 8192  # at most; fewer where the rows are long
_GALLERY_VALUES = 4_000_000


def _score_rounding(width: int, dtype, norms: np.ndarray, gallery_norms) -> np.ndarray:
    """How far two scores of one query can be misplaced against each other by rounding.

    gallery_norms: the larger one of the two rows' norms.
    """
    return (width + 8) * np.finfo(dtype).eps * (norms + gallery_norms) ** 2


class RunningNearest:
    """Each query's nearest row among all gallery blocks seen so far.

    Args:
        queries: [Q, ...] numbers, flattened to rows of D values.

    Attributes:
        distances: [Q] float64, Euclidean distance to the nearest row; inf before the first block.
        indices: [Q] int64, its position in the concatenated blocks; the lowest one on a tie.
        seen: number of gallery rows so far.

    Memory: one more copy of the queries, and some 100 MB for the blocks.

    Raises:
        ValueError: for empty or non-finite input, values above `LARGEST_VALUE`, or a gallery of
            another width.
    """

    def __init__(self, queries):
        self._queries = as_rows(queries, "queries")
        check_size(self._queries, "queries", LARGEST_VALUE)
        # Distances do not depend on the origin; near it the products lose fewer digits.
        self._origin = self._queries.mean(axis=0)
        self._centred = (self._queries - self._origin).astype(np.float32)
        self._norms = np.linalg.norm(self._centred, axis=1).astype(np.float64)
        self._squares = np.full(len(self._queries), np.inf)
        self.indices = np.full(len(self._queries), -1, np.int64)
        self.seen = 0

    @property
    def distances(self) -> np.ndarray:
        return np.sqrt(self._squares)

    def update(self, gallery) -> None:
        """Takes the next block of the gallery, [N, ...] with N >= 1."""
        gallery = as_rows(gallery, "gallery")
        check_same_width(self._queries, "queries", gallery, "gallery")
        check_size(gallery, "gallery", LARGEST_VALUE)
        step = max(1, min(_GALLERY_ROWS, _GALLERY_VALUES // gallery.shape[1]))
        for start in range(0, len(gallery), step):
            self._update(gallery[start : start + step])

    def _update(self, gallery):
        width = gallery.shape[1]
        centred = gallery.astype(np.float64) - self._origin
        squares = np.square(centred).sum(axis=1)
        gallery_norms = np.sqrt(squares)
        centred32 = centred.astype(np.float32)
        squares32 = squares.astype(np.float32)
        for start in range(0, len(self._queries), _QUERY_ROWS):
            rows = slice(start, start + _QUERY_ROWS)
            scores = (-2 * self._centred[rows]) @ centred32.T
            scores += squares32
            slack = _score_rounding(width, np.float32, self._norms[rows], gallery_norms.max())
            earlier = self._squares[rows] - self._norms[rows] ** 2  # distances as scores
            limit = (np.minimum(scores.min(axis=1), earlier) + slack).astype(np.float32)
            candidates = scores <= limit[:, None]
            columns = np.flatnonzero(candidates.any(axis=0))
            if len(columns) == 0:
                continue
            rows = start + np.flatnonzero(candidates.any(axis=1))

            queries = self._queries[rows].astype(np.float64)
            scores = (-2 * (queries - self._origin)) @ centred[columns].T
            scores += squares[columns]
            # By the norms of the two, not by the largest: a far row must not make all others tie.
            norms = gallery_norms[columns]
            norms = np.maximum(norms, norms[scores.argmin(axis=1)][:, None])
            slack = _score_rounding(width, np.float64, self._norms[rows][:, None], norms)
            ties = scores <= scores.min(axis=1)[:, None] + slack
            first = ties.argmax(axis=1)
            winners, slack = columns[first], slack[np.arange(len(first)), first]

            distances = np.square(queries - gallery[winners]).sum(axis=1)
            nearer = distances < np.maximum(self._squares[rows] - slack, 0)
            self._squares[rows[nearer]] = distances[nearer]
            self.indices[rows[nearer]] = self.seen + winners[nearer]
        self.seen += len(gallery)


def nearest(queries, gallery) -> tuple[np.ndarray, np.ndarray]:
    """The nearest gallery row of each query.

    Args:
        queries: [Q, ...] numbers.
        gallery: [N, ...] numbers, of the same size a row.

    Returns:
        Euclidean distances [Q] float64 and indices [Q] int64; on a tie the lowest index.

    Raises:
        ValueError: for empty or non-finite input, values above `LARGEST_VALUE`, or unequal widths.
    """
    running = RunningNearest(queries)
    running.update(gallery)
    return running.distances, running.indices
