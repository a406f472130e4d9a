"""Features of an untrained convolutional network, always the same one: for data without labels.

Where neither Inception's photographs nor classes of the data fit, a random network still separates
distributions of images: Naeem et al. 2020 (section 3) use one to compare them by density and
coverage.
"""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt
import tensorflow as tf

from tf_bigan.evaluation.checks import as_images

_SEED, _STAGES, _CHANNELS, _SIDE = 0, 4, 16, 3
_BLOCK_PIXELS = 250_000  # pixels per block: 16 MB for the first stage


def random_features(images: npt.ArrayLike) -> np.ndarray:
    """Pooled features of an untrained network with fixed kernels, float32 [N, 128].

    Four stages of 16 convolutions of 3×3 and ReLU, without biases, on 2x - 1; all but the first
    halve the sides. Each stage gives the mean over the image, and then the standard deviation, of
    its 16 channels: edges and textures at four scales, but hardly where they are.

    The kernels are He-uniform from NumPy's bit generator, so that they are the same bits on all
    machines. They depend only on the number of channels: values of images with equal shapes are
    comparable between runs, models and data sets.

    Args:
        images: [N, H, W, C] in [0, 1], of any size. From a side of 8 or less, the last stage is a
            single pixel, and its standard deviations are 0.

    Raises:
        Unmeasurable: a wrong rank, dtype or range.
        NotFinite: NaN or infinity.
    """
    images = as_images(images, "images")
    layers = kernels(images.shape[-1])
    step = max(1, _BLOCK_PIXELS // math.prod(images.shape[1:3]))
    return np.concatenate(
        [_pooled(images[start : start + step], layers) for start in range(0, len(images), step)]
    )


def kernels(channels: int) -> list[np.ndarray]:
    """The kernels of the stages, float32 [3, 3, inputs, 16], for images of so many channels."""
    rng = np.random.default_rng(_SEED)
    inputs = [channels] + [_CHANNELS] * (_STAGES - 1)
    drawn = (rng.random((_SIDE, _SIDE, count, _CHANNELS)) for count in inputs)
    # He et al. 2015: Var w = 2 / fan_in keeps the size of ReLU's outputs through the stages.
    return [
        (math.sqrt(6 / kernel[..., 0].size) * (2 * kernel - 1)).astype(np.float32)
        for kernel in drawn
    ]


def _pooled(images: np.ndarray, layers: list[np.ndarray]) -> np.ndarray:
    x = tf.constant(2 * images - 1)
    pooled = []
    for i, kernel in enumerate(layers):
        x = tf.nn.relu(tf.nn.conv2d(x, kernel, strides=1 if i == 0 else 2, padding="SAME"))
        pooled += [tf.reduce_mean(x, axis=[1, 2]), tf.math.reduce_std(x, axis=[1, 2])]
    return tf.concat(pooled, axis=-1).numpy()
