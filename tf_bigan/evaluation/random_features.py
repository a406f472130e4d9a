"""Features of an untrained convolutional network, always the same one: for data without labels.

Where neither Inception's photographs nor classes of the data fit, a random network still separates
distributions of images: Naeem et al. 2020 compare them in such features by density and coverage.
"""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt
import tensorflow as tf

from tf_bigan.evaluation.checks import as_images

_SEED, _CHANNELS, _SIDE = 0, 8, 3
_CELLS = (1, 1, 2, 4)  # rows and columns of the grid of means, for each stage
_BLOCK_PIXELS = 250_000  # pixels per block: 8 MB for the first stage


def random_features(images: npt.ArrayLike) -> np.ndarray:
    """Features of an untrained network with fixed kernels, float32 [N, at most 176].

    Four stages of 8 convolutions of 3×3 and ReLU, without biases, on 2x - 1; all but the first
    halve the sides. The features are the means of the channels: of the first two stages over the
    whole image, of the third in its quarters, and of the fourth in a grid of 4×4 cells. So they
    see textures, and coarsely what is where.

    The kernels are He-uniform from NumPy's bit generator, so that they are the same bits on all
    machines. They depend only on the number of channels: values of images of equal shape are
    comparable between runs and models.

    Args:
        images: [N, H, W, C] in [0, 1], of any size. Below 25 pixels the last stages have fewer
            pixels than cells, and there are fewer features: 56 of 8×8 images.

    Raises:
        Unmeasurable: a wrong rank, dtype or range.
        NotFinite: NaN or infinity.
    """
    images = as_images(images, "images")
    layers = kernels(images.shape[-1])
    step = max(1, _BLOCK_PIXELS // math.prod(images.shape[1:3]))
    return np.concatenate(
        [_features(images[start : start + step], layers) for start in range(0, len(images), step)]
    )


def kernels(channels: int) -> list[np.ndarray]:
    """The kernels of the stages, float32 [3, 3, inputs, 8], for images of so many channels."""
    rng = np.random.default_rng(_SEED)
    inputs = [channels] + [_CHANNELS] * (len(_CELLS) - 1)
    drawn = (rng.random((_SIDE, _SIDE, count, _CHANNELS)) for count in inputs)
    # He et al. 2015: Var w = 2 / fan_in keeps the size of ReLU's outputs through the stages.
    return [
        (math.sqrt(6 / kernel[..., 0].size) * (2 * kernel - 1)).astype(np.float32)
        for kernel in drawn
    ]


def _features(images: np.ndarray, layers: list[np.ndarray]) -> np.ndarray:
    x, means = tf.constant(2 * images - 1), []
    for i, (kernel, cells) in enumerate(zip(layers, _CELLS, strict=True)):
        x = tf.nn.relu(tf.nn.conv2d(x, kernel, strides=1 if i == 0 else 2, padding="SAME"))
        means += [tf.reduce_mean(cell, axis=[1, 2]) for cell in _split(x, cells)]
    return tf.concat(means, axis=-1).numpy()


def _split(x: tf.Tensor, cells: int) -> list[tf.Tensor]:
    """Images [B, H, W, C] in a grid of `cells` rows and columns, or as many as there are pixels."""
    parts = [x]
    for axis in (1, 2):
        pixels = np.arange(x.shape[axis])
        sizes = [len(part) for part in np.array_split(pixels, min(cells, len(pixels)))]
        parts = [piece for part in parts for piece in tf.split(part, sizes, axis=axis)]
    return parts
