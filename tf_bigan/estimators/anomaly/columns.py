"""A table as images: each column is a pixel."""

import numpy as np
from scipy.special import expit
from sklearn.preprocessing import StandardScaler


class Columns:
    """Maps tables [N, F] to images [N, 1, 1, F] in (0, 1): pixel = sigmoid(standardised column).

    Mean and standard deviation are those of the rows given to the constructor. Unlike min-max
    scaling, an outlier does not compress the other rows. Constant columns are only centred.
    """

    def __init__(self, rows: np.ndarray):
        self.scaler = StandardScaler().fit(rows)

    def to_images(self, rows: np.ndarray) -> np.ndarray:
        """[N, F] -> float32 [N, 1, 1, F]."""
        pixels = expit(self.scaler.transform(rows.astype(np.float64)))
        return pixels.astype(np.float32)[:, None, None, :]
