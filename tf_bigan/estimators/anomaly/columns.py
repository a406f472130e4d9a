"""A table as images: each column is a pixel."""

import numpy as np


class Columns:
    """Maps tables [N, F] to images [N, 1, 1, F] in (0, 1): pixel = sigmoid(standardised column).

    Standardised by the mean and the standard deviation of the rows given here. A value far outside
    of theirs stays apart from its neighbours, and no outlier squeezes the others together, as the
    least and the largest value would. A column that was constant is only centred: another value in
    it is told by its distance in the column's own units.
    """

    def __init__(self, rows: np.ndarray):
        from sklearn.preprocessing import StandardScaler

        self.scaler = StandardScaler().fit(rows)

    def to_images(self, rows: np.ndarray) -> np.ndarray:
        """[N, F] -> float32 [N, 1, 1, F]."""
        from scipy.special import expit

        pixels = expit(self.scaler.transform(rows.astype(np.float64)))
        return pixels.astype(np.float32)[:, None, None, :]
