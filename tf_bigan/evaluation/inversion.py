"""EGr, EGg: reconstruction errors ||x - G(E(x))||_2, with a baseline of wrong pairs."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from tf_bigan.evaluation.checks import Unmeasurable, as_image_pairs

_BLOCK_VALUES = 4_000_000  # float64 values per block of differences: 32 MB


class InversionError:
    """Mean ||x_i - G(E(x_i))||_2 over a stream of blocks, and its baseline.

    The norm is not squared and covers all pixels of an image. The baseline compares each
    reconstruction with the *next* image, x_{i+1}, and the last one with the first image of the
    stream. (The official code wraps around within each batch of 128, which has the same
    expectation but depends on the batch.) An error well below the baseline means that G(E(x)) is
    more similar to x than to other images.
    """

    def __init__(self) -> None:
        self._errors: list[np.ndarray] = []
        self._baseline: list[np.ndarray] = []
        self._first_image = self._last_reconstruction = np.zeros(0)  # no row yet

    def update(self, images: npt.ArrayLike, reconstructions: npt.ArrayLike) -> None:
        """Adds a block.

        Args:
            images: x [N, H, W, C] in [0, 1].
            reconstructions: G(E(x)) [N, H, W, C] in [0, 1].

        Raises:
            Unmeasurable: a wrong rank or range, NaN, or unequal shapes.
        """
        images, reconstructions = as_image_pairs(images, reconstructions)
        self._errors.append(_distances(images, reconstructions))
        if not len(self._first_image):
            self._first_image = images[:1].copy()
        else:
            self._baseline.append(_distances(images[:1], self._last_reconstruction))
        self._baseline.append(_distances(images[1:], reconstructions[:-1]))
        self._last_reconstruction = reconstructions[-1:].copy()

    def result(self) -> tuple[float, float]:
        """The error and its baseline, in pixel units of [0, 1].

        Raises:
            Unmeasurable: fewer than two images were added; the baseline needs a next image.
        """
        if sum(map(len, self._errors)) < 2:
            raise Unmeasurable("images: expected at least 2, the baseline pairs each with the next")
        wrap = _distances(self._first_image, self._last_reconstruction)
        return (
            float(np.concatenate(self._errors).mean()),
            float(np.concatenate([*self._baseline, wrap]).mean()),
        )


def _distances(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    return np.sqrt(np.square(a.astype(np.float64) - b).sum(axis=(1, 2, 3)))


def inversion_error(images: npt.ArrayLike, reconstructions: npt.ArrayLike) -> tuple[float, float]:
    """EGr and EGr_b of arrays held in memory: see `InversionError`.

    Args:
        images: x [N, H, W, C] in [0, 1], N >= 2.
        reconstructions: G(E(x)) [N, H, W, C] in [0, 1].

    Returns:
        The mean distance, and the mean distance to the next image.

    Raises:
        Unmeasurable: a wrong rank or range, NaN, unequal shapes, or a single image.
    """
    images, reconstructions = as_image_pairs(images, reconstructions)
    running, step = InversionError(), max(1, _BLOCK_VALUES // images[0].size)
    for start in range(0, len(images), step):
        rows = slice(start, start + step)
        running.update(images[rows], reconstructions[rows])
    return running.result()


def to_uint8_levels(images: np.ndarray) -> np.ndarray:
    """Rounds pixels in [0, 1] to the 256 levels of a stored image; float32, in [0, 1].

    EGg and EGg_b use samples rounded in this way, as if they were read from a file.
    """
    return np.rint(np.clip(images, 0, 1) * np.float32(255)).astype(np.float32) / np.float32(255)
