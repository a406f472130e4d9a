"""Distances from the patches of an image to the training patches at the same place."""

import math
from collections.abc import Sequence

import numpy as np
import tensorflow as tf

from tf_bigan.estimators.anomaly.arrays import Arrays, rows_at_once

SCORE, MAP = 2, 4  # a patch of a score has 1/2 of the image's height and width, of a map 1/4
STRIDES = 8  # patches begin at every 1/8 of the height and width
CONTRAST = 0.1  # contrasts far below this are not amplified to 1
COMPONENTS = 16  # principal coordinates of a patch
MOST_IMAGES = 2000  # of training, whose patches are kept
MOST_PATCHES = 20_000  # from which the principal coordinates are computed,
MOST_VALUES = 2**26  # of at most so many values together
LONG = 3072  # values of a patch above which a full decomposition takes minutes to hours
LEAST = 1e-6
FAR = 1e9


class Patches(Arrays):
    """Compares each patch with the training patches at its place, as PatchCore (Roth et al. 2022)
    does with features of a pretrained network; here a patch is its pixels.

    Patches are normalised in brightness and contrast, and projected to `COMPONENTS` principal
    coordinates.

    Args:
        images: float32 [N, H, W, C] in [0, 1]; the first `MOST_IMAGES` are kept.
        parts: a patch has 1/parts of the image's height and width. Large patches make the better
            score of an image, small ones the sharper map.
    """

    def __init__(self, images: np.ndarray, parts: int):
        from sklearn.decomposition import PCA

        images = np.asarray(images[:MOST_IMAGES])
        _, height, width, channels = images.shape
        size = [min(side, max(2, round(side / parts))) for side in (height, width)]
        super().__init__(
            size=size,
            strides=[max(1, side // STRIDES) for side in (height, width)],
            channels=channels,
            axes=np.zeros((0, 0), np.float32),
        )
        at_once = rows_at_once(height * width * channels)
        chunks = [tf.constant(images[i : i + at_once]) for i in range(0, len(images), at_once)]
        places, values = math.prod(self._grid(images)), math.prod(size) * channels
        most = min(MOST_PATCHES, max(COMPONENTS, MOST_VALUES // values))
        chosen = np.random.default_rng(0).permutation(len(images) * places)[:most]
        sample, first = np.empty((len(chosen), values), np.float32), 0
        for chunk in chunks:  # all patches together take many times the memory of the images
            cut = self._cut(chunk).numpy().reshape(-1, values)
            here = (chosen >= first) & (chosen < first + len(cut))
            sample[here] = cut[chosen[here] - first]
            first += len(cut)
        count = min(COMPONENTS, *sample.shape)
        solver = "full" if values <= LONG else "randomized"
        with np.errstate(invalid="ignore"):  # shares of the variance of equal patches, which is 0
            pca = PCA(count, svd_solver=solver, random_state=0).fit(sample)
        axes = pca.components_.T.astype(np.float32)
        attributes = {"size": size, "strides": self.strides, "channels": channels, "axes": axes}
        super().__init__(**attributes, origin=pca.mean_.astype(np.float32) @ axes)
        found = [self._coordinates(chunk).numpy() for chunk in chunks]
        found = np.concatenate(found).transpose(1, 2, 0)  # [places, components, N]
        # 2ab - ‖b‖² as one product with the row (a, 1).
        bank = np.concatenate([2 * found, -(found**2).sum(axis=1, keepdims=True)], axis=1)
        super().__init__(**attributes, origin=self.origin.numpy(), bank=bank)

    def distances(
        self, images: tf.Tensor, nearest: tf.Tensor | None = None, itself: tf.Tensor | None = None
    ) -> tf.Tensor:
        """[B, H, W, C] -> [B, rows, columns], the distance of the patch at each place.

        Args:
            images: in [0, 1].
            nearest: the number of the training image nearest to each, [B].
            itself: whether that is the image itself, which does not count then, bool [B].
        """
        places = tf.unstack(self._coordinates(images), axis=1)
        own = 0.0
        if nearest is not None and itself is not None:
            own = (
                FAR * tf.one_hot(nearest, self.bank.shape[2]) * tf.cast(itself[:, None], tf.float32)
            )
        found = []
        # One place at a time, whose distances fit into the processor's cache.
        for rows, bank in zip(places, tf.unstack(self.bank), strict=True):
            near = tf.pad(rows, [[0, 0], [0, 1]], constant_values=1.0) @ bank - own
            found.append(tf.reduce_sum(rows**2, axis=1) - tf.reduce_max(near, axis=1))
        distances = tf.sqrt(tf.maximum(tf.stack(found, axis=1), LEAST))
        return tf.reshape(distances, (-1, *self._grid(images)))

    def heat_map(
        self, images: tf.Tensor, nearest: tf.Tensor | None = None, itself: tf.Tensor | None = None
    ) -> tf.Tensor:
        """[B, H, W, C] -> [B, H, W]: at each pixel the mean distance of the patches over it.

        Args: as for `distances`.
        """
        distances = self.distances(images, nearest, itself)[..., None]
        filters = tf.ones((*self.size, 1, 1))
        height, width = (
            (n - 1) * stride + side
            for n, stride, side in zip(self._grid(images), self.strides, self.size, strict=True)
        )

        def spread(values):
            shape = (tf.shape(images)[0], height, width, 1)
            return tf.nn.conv2d_transpose(values, filters, shape, self.strides, "VALID")

        mean = spread(distances) / spread(tf.ones_like(distances))
        return mean[:, : images.shape[1], : images.shape[2], 0]

    def _grid(self, images: tf.Tensor) -> tuple[int, int]:
        """Rows and columns of places, which cover the whole image."""
        rows, columns = (
            -(-(side - size) // stride) + 1
            for side, size, stride in zip(images.shape[1:3], self.size, self.strides, strict=True)
        )
        return rows, columns

    def _padded(self, images: tf.Tensor) -> tf.Tensor:
        """Images that the patches cover exactly, continued by their mirror."""
        below, right = (
            (n - 1) * stride + size - side
            for n, stride, size, side in zip(
                self._grid(images), self.strides, self.size, images.shape[1:3], strict=True
            )
        )
        return tf.pad(images, [[0, 0], [0, below], [0, right], [0, 0]], "SYMMETRIC")

    def _cut(self, images: tf.Tensor) -> tf.Tensor:
        """[B, H, W, C] -> normalised patches [B, places, values]."""
        patches = tf.image.extract_patches(
            self._padded(images), (1, *self.size, 1), (1, *self.strides, 1), (1, 1, 1, 1), "VALID"
        )
        patches = tf.reshape(patches, (-1, math.prod(patches.shape[1:3]), patches.shape[3]))
        mean, variance = tf.nn.moments(patches, axes=[2], keepdims=True)
        return (patches - mean) / (tf.sqrt(variance) + CONTRAST)

    def _coordinates(self, images: tf.Tensor) -> tf.Tensor:
        """[B, H, W, C] -> principal coordinates of the normalised patches, [B, places, components].

        Convolutions, because the patches themselves have many times the values of the images.
        """
        images = self._padded(images) - 0.5  # so that little is lost in differences of sums
        values, components = self.axes.shape
        ones = tf.fill((*self.size, self.channels, 1), 1.0 / values)
        filters = tf.reshape(self.axes, (*self.size, self.channels, components))

        def convolved(x, filters):
            filters = _folded(tf.transpose(filters, (3, 0, 1, 2)), self.strides)
            filters = tf.transpose(filters, (1, 2, 3, 0))
            found = tf.nn.conv2d(_folded(x, self.strides), filters, 1, "VALID")
            return tf.reshape(found, (-1, math.prod(found.shape[1:3]), found.shape[3]))

        mean = convolved(images, ones)
        variance = tf.maximum(convolved(images**2, ones) - mean**2, 0.0)
        along = convolved(images, filters) - mean * tf.reduce_sum(self.axes, axis=0)
        return along / (tf.sqrt(variance) + CONTRAST) - self.origin


def _folded(images: tf.Tensor, strides: Sequence[int]) -> tf.Tensor:
    """[N, H, W, C] -> [N, ⌈H/s⌉, ⌈W/t⌉, s·t·C]: blocks of s×t pixels become channels.

    Images and filters that are folded have the convolution with strides (s, t) without strides. For
    long strides and few channels oneDNN asks for up to hundreds of gigabytes, and aborts.
    """
    _, height, width, channels = images.shape
    down, right = strides
    images = tf.pad(images, [[0, 0], [0, -height % down], [0, -width % right], [0, 0]])
    rows, columns = -(-height // down), -(-width // right)
    blocks = tf.reshape(images, (-1, rows, down, columns, right, channels))
    blocks = tf.transpose(blocks, (0, 1, 3, 2, 4, 5))
    return tf.reshape(blocks, (-1, rows, columns, down * right * channels))
