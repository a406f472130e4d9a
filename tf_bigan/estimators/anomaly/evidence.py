"""Scores on one scale: minus the logarithm of their tail probability among normal rows."""

import numpy as np
import tensorflow as tf

from tf_bigan.estimators.anomaly.arrays import Arrays

LEAST = 1e-12
TAIL = 0.25  # the fraction of the held-out rows from which the tail is estimated
KNOTS = 16


class Evidence(Arrays):
    """-log P(S >= s) of a score s > 0, where S is the score of a normal row.

    Up to the 75 % quantile u of held-out normal rows, P is their empirical distribution. Beyond it
    the tail is Pareto's, P(S >= s) = ¼ (s / u)^(-1/β), where Hill's estimator β is the mean of
    log(S / u) over the rows beyond u. So no score saturates, one with a heavy tail among normal
    rows says less, and the mean of several is Fisher's combination of their p-values.

    Args:
        held_out: the scores [N] of normal rows that were not used for training, N >= 2.
    """

    def __init__(self, held_out: np.ndarray):
        logs = np.sort(np.log(np.maximum(np.asarray(held_out, np.float64), LEAST)))
        levels = np.linspace(0.0, 1.0 - TAIL, KNOTS)
        knots, first = np.unique(np.round(np.quantile(logs, levels), 9), return_index=True)
        values = -np.log1p(-levels[first])
        beyond = logs[logs >= knots[-1]] - knots[-1]  # of none, if rounded above the largest
        tail = beyond.sum() / max(len(beyond), 1)
        # Few or equal rows have no tail to speak of: then the scale is that of all rows.
        least = max(0.1 * logs.std(), 1e-3)
        slopes = np.append(np.diff(values) / np.diff(knots), 1.0 / max(tail, least))
        super().__init__(knots=knots, changes=np.diff(slopes, prepend=0.0), start=float(values[0]))

    def of(self, score: tf.Tensor) -> tf.Tensor:
        """The evidence of scores [N] > 0, float64 [N] >= 0."""
        logs = tf.math.log(tf.maximum(tf.cast(score, tf.float64), LEAST))
        return self.start + tf.linalg.matvec(tf.nn.relu(logs[:, None] - self.knots), self.changes)
