"""Memorisation (overfitting of G): are samples closer to training images than to unseen ones?"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from tf_bigan.evaluation.checks import Unmeasurable, as_images, check_same_image_shape
from tf_bigan.evaluation.neighbours import nearest


class Memorisation(NamedTuple):
    """0 and 100 for copies of training images; see `memorisation` for other values."""

    ratio: float
    nearer_train: float


def memorisation(
    samples: npt.ArrayLike, train_images: npt.ArrayLike, held_out_images: npt.ArrayLike
) -> Memorisation:
    """Mean distance to the nearest training image divided by that to the nearest held-out image.

    Euclidean distances in pixels. All training images are searched, because any of them may have
    been copied. Without memorisation the values are 1 and 50 only if there are equally many
    held-out images; with fewer, compare with the values of other unseen images instead of samples.

    Args:
        samples: G(z) [N, H, W, C] in [0, 1].
        train_images: training images of the model, [M, H, W, C] in [0, 1].
        held_out_images: unseen images of the same distribution, [L, H, W, C].

    Returns:
        The ratio, and the percentage of samples that are nearer to a training image (ties count
        half).

    Raises:
        Unmeasurable: a wrong rank or range, NaN, images of different sizes, or all samples are
            equal to held-out images, so that the ratio is undefined.
    """
    samples = as_images(samples, "samples")
    distances = []
    for name, array in (("train_images", train_images), ("held_out_images", held_out_images)):
        images = as_images(array, name)
        check_same_image_shape(samples, "samples", images, name)
        distances.append(nearest(samples, images)[0])
    train, held_out = distances
    if held_out.max() == 0:
        raise Unmeasurable("samples: expected images of a model, each is one of held_out_images")
    nearer = np.mean(train < held_out) + np.mean(train == held_out) / 2
    return Memorisation(float(train.mean() / held_out.mean()), 100 * float(nearer))
