"""Distances from the patches of an image to the training patches at the same place."""

import numpy as np
import tensorflow as tf

from tf_bigan.estimators.anomaly.arrays import Arrays

SCORE, MAP = 2, 4  # a patch of a score has 1/2 of the image's height and width, of a map 1/4
STRIDES = 8  # patches begin at every 1/8 of the height and width
CONTRAST = 0.1  # contrasts far below this are not amplified to 1
COMPONENTS = 16  # principal coordinates of a patch
MOST_IMAGES = 2000  # of training, whose patches are kept
MOST_PATCHES = 20_000  # from which the principal coordinates are computed
LEAST = 1e-6


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
            mean=np.zeros((), np.float32),
            axes=np.zeros((0, 0), np.float32),
        )
        cut = np.concatenate(
            [
                self._cut(tf.constant(images[i : i + 256])).numpy()
                for i in range(0, len(images), 256)
            ]
        )
        places, values = cut.shape[1:]
        flat = cut.reshape(-1, values)
        chosen = np.random.default_rng(0).permutation(len(flat))[:MOST_PATCHES]
        count = min(COMPONENTS, values, len(chosen))
        pca = PCA(count, svd_solver="full", random_state=0).fit(flat[chosen])
        coordinates = pca.transform(flat).astype(np.float32).reshape(-1, places, count)
        bank = np.ascontiguousarray(coordinates.transpose(1, 0, 2))  # [places, N, components]
        super().__init__(
            size=size,
            strides=self.strides,
            channels=channels,
            mean=pca.mean_.astype(np.float32),
            axes=pca.components_.T.astype(np.float32),
            bank=bank,
            norms=(bank**2).sum(axis=2)[:, None],
        )

    def distances(
        self, images: tf.Tensor, nearest: tf.Tensor | None = None, itself: tf.Tensor | None = None
    ) -> tf.Tensor:
        """[B, H, W, C] -> [B, rows, columns], the distance of the patch at each place.

        Args:
            images: in [0, 1].
            nearest: the number of the training image nearest to each, [B].
            itself: whether that is the image itself, which does not count then, bool [B].
        """
        cut = (self._cut(images) - self.mean) @ self.axes
        rows = tf.transpose(cut, (1, 0, 2))  # [places, B, components]
        squares = self.norms - 2.0 * tf.matmul(rows, self.bank, transpose_b=True)
        if nearest is not None and itself is not None:
            own = tf.one_hot(nearest, self.bank.shape[1]) * tf.cast(itself, tf.float32)[:, None]
            squares += own * 1e9
        squares = tf.reduce_min(squares, axis=2) + tf.reduce_sum(rows**2, axis=2)
        found = tf.sqrt(tf.maximum(tf.transpose(squares), LEAST))
        return tf.reshape(found, (-1, *self._grid(images)))

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

    def _cut(self, images: tf.Tensor) -> tf.Tensor:
        """[B, H, W, C] -> normalised patches [B, places, values]."""
        below, right = (
            (n - 1) * stride + size - side
            for n, stride, size, side in zip(
                self._grid(images), self.strides, self.size, images.shape[1:3], strict=True
            )
        )
        images = tf.pad(images, [[0, 0], [0, below], [0, right], [0, 0]], "SYMMETRIC")
        patches = tf.image.extract_patches(
            images, (1, *self.size, 1), (1, *self.strides, 1), (1, 1, 1, 1), "VALID"
        )
        rows, columns, values = patches.shape[1:]
        patches = tf.reshape(patches, (-1, rows * columns, values))
        mean, variance = tf.nn.moments(patches, axes=[2], keepdims=True)
        return (patches - mean) / (tf.sqrt(variance) + CONTRAST)
