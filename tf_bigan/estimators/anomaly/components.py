"""The principal components of the training rows, and what they leave out."""

import numpy as np
import tensorflow as tf

from tf_bigan.estimators.anomaly.arrays import Arrays

MOST = 50
MOST_ROWS = 10_000
LEAST = 1e-12
ROUNDING = 1e-5  # of the rows' own size; errors below this are rounding


class Components(Arrays):
    """The first principal components, at most 50, half as many as columns, a quarter of the rows.

    More of few rows would leave nothing out of these, but much of new ones.

    Args:
        rows: [N, F].
    """

    def __init__(self, rows: np.ndarray):
        from sklearn.decomposition import PCA

        rows = rows[:MOST_ROWS]
        count = max(1, min(MOST, rows.shape[1] // 2, len(rows) // 4))
        with np.errstate(invalid="ignore"):  # shares of the variance of equal rows, which is 0
            pca = PCA(count, random_state=0).fit(rows)
        axes = pca.components_.T.astype(np.float32)
        # Where the components leave nothing out, as of a table that has each column twice, all
        # that is left is rounding, which differs between runtimes and must not count.
        least = max(ROUNDING * float(np.abs(rows - pca.mean_).sum(axis=1).mean()), LEAST)
        super().__init__(mean=pca.mean_.astype(np.float32), axes=axes, least=least)

    def coordinates(self, rows: tf.Tensor) -> tf.Tensor:
        """[M, F] -> [M, components]."""
        return (rows - self.mean) @ self.axes

    def coordinates_and_rest(self, rows: tf.Tensor) -> tf.Tensor:
        """The coordinates, and the norm of what they leave out: [M, F] -> [M, components + 1]."""
        left_out = tf.norm(rows - self.mean - self._restored(rows), axis=1, keepdims=True)
        return tf.concat([self.coordinates(rows), left_out], axis=1)

    def error(self, rows: tf.Tensor) -> tf.Tensor:
        """Σ|x - x_rec|, where x_rec has these components only, at least `least`: [M, F] -> [M]."""
        left_out = rows - self.mean - self._restored(rows)
        return tf.maximum(tf.reduce_sum(tf.abs(left_out), axis=1), self.least)

    def _restored(self, rows: tf.Tensor) -> tf.Tensor:
        return tf.matmul(self.coordinates(rows), self.axes, transpose_b=True)
