"""A table as images: each column is a pixel."""

import numpy as np
import tensorflow as tf

from tf_bigan.errors import UserError
from tf_bigan.estimators.anomaly.arrays import Arrays

UNIT = 1e-6  # of a constant column, relative to its value (absolute for 0)
ROUNDING = 1e-12  # relative deviations up to this, or a few units in the last place of the input
LARGEST = 1e12  # standardised values are clipped here, so that their squares fit into float32


class Columns(Arrays):
    """Standardises a table [N, F] and maps it to images [N, 1, 1, F] in (0, 1), by a sigmoid.

    Mean and standard deviation are those of the rows given to the constructor. A constant column
    has no deviation: any change that is more than rounding is large.

    Raises UserError if a column's deviation overflows.

    A sigmoid saturates, so that a system cannot see how far an outlier is. `excess` says what it
    misses.
    """

    def __init__(self, rows: np.ndarray):
        last_place = np.finfo(rows.dtype if rows.dtype.kind == "f" else np.float64).eps
        rows = np.asarray(rows, np.float64)
        with np.errstate(over="ignore", invalid="ignore"):
            mean, deviation = rows.mean(axis=0), rows.std(axis=0)
        if not np.isfinite(deviation).all():
            column = int(np.argmin(np.isfinite(deviation)))
            raise UserError(
                f"X: column {column} has values up to {np.abs(rows[:, column]).max():.3g}, whose "
                "squares overflow: rescale it, or remove such rows"
            )
        constant = deviation <= max(ROUNDING, 4 * last_place) * np.abs(mean)
        unit = max(UNIT, 4 * last_place)  # in float16 rounding is larger than UNIT
        of_constant = np.where(mean == 0, UNIT, unit * np.abs(mean))
        scale = np.where(constant, of_constant, deviation)
        standard = (rows - mean) / scale
        low, high = standard.min(axis=0), standard.max(axis=0)
        super().__init__(mean=mean, scale=scale, low=low, high=high)

    def standardised(self, rows: tf.Tensor) -> tf.Tensor:
        """float64 [N, F] -> float32 [N, F]."""
        standard = tf.clip_by_value((rows - self.mean) / self.scale, -LARGEST, LARGEST)
        return tf.cast(standard, tf.float32)

    def images(self, standardised: tf.Tensor) -> tf.Tensor:
        """float32 [N, F] -> float32 [N, 1, 1, F]."""
        return tf.sigmoid(standardised)[:, None, None, :]

    def excess(self, standardised: tf.Tensor) -> tf.Tensor:
        """How far a row is outside the columns' ranges, [N]: a sum, in standard deviations."""
        low, high = tf.cast(self.low, tf.float32), tf.cast(self.high, tf.float32)
        outside = tf.nn.relu(standardised - high) + tf.nn.relu(low - standardised)
        return tf.reduce_sum(outside, axis=1)
