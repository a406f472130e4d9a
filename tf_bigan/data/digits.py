"""The 1,797 handwritten 8x8 digits that ship inside scikit-learn: no download."""

import numpy as np

from tf_bigan.data.images import ImageData


def open_digits() -> dict[str, ImageData]:
    """{"train": all digits}, uint8 [1797, 8, 8, 1]; the source's 17 grey levels fill 0..255."""
    from sklearn.datasets import load_digits

    digits = load_digits()
    images = np.rint(digits.images * (255 / 16)).astype(np.uint8)[..., None]
    labels = digits.target.astype(np.int64)
    return {"train": ImageData("digits", images, labels, tuple("0123456789"))}
