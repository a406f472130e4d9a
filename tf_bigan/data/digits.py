"""The 1,797 handwritten 8x8 digits included in scikit-learn; no download needed."""

import numpy as np

from tf_bigan.data.images import ImageData


def open_digits() -> dict[str, ImageData]:
    """{"train": all digits}, uint8 [1797, 8, 8, 1]; the 17 grey levels are scaled to 0..255."""
    from sklearn.datasets import load_digits

    rows, labels = load_digits(return_X_y=True)  # [1797, 64] in 0..16
    images = np.rint(np.asarray(rows) * (255 / 16)).astype(np.uint8).reshape(-1, 8, 8, 1)
    names = tuple("0123456789")
    return {"train": ImageData("digits", images, np.asarray(labels, np.int64), names)}
