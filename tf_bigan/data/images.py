"""Images in memory: uint8 arrays, converted to float32 in [0, 1] when they are used."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from typing import Any

import numpy as np
import tensorflow as tf

from tf_bigan.data.pipeline import ArrayBatches, Batches
from tf_bigan.data.pixels import to_unit_range
from tf_bigan.errors import UserError

Shape = tuple[Any, Any, Any]  # (H, W, C); None for sizes that vary between images
LUMA = (0.299, 0.587, 0.114)  # ITU-R BT.601
CHUNK = 1024  # images converted at once: bounds the float32 copy


@dataclasses.dataclass(frozen=True, eq=False)
class ImageData:
    """A labelled or unlabelled set of images of one size.

    name: the data set's name, for messages and reports.
    images: uint8 [N, H, W, C], 0 is black.
    labels: int64 [N], or None.
    class_names: one name per class, or None.

    Raises UserError for a wrong dtype, rank or number of labels.
    """

    name: str
    images: np.ndarray
    labels: np.ndarray | None = None
    class_names: tuple[str, ...] | None = None

    def __post_init__(self):
        if self.images.dtype != np.uint8 or self.images.ndim != 4:
            raise UserError(
                f"{self.name}: images must be uint8 [N, H, W, C], "
                f"not {self.images.dtype} {list(self.images.shape)}"
            )
        if self.labels is not None and self.labels.shape != (len(self.images),):
            raise UserError(
                f"{self.name}: {len(self.images)} images, but labels of shape "
                f"{list(self.labels.shape)}"
            )

    def __len__(self) -> int:
        return len(self.images)

    @property
    def image_shape(self) -> tuple[int, int, int]:
        """(H, W, C)."""
        return self.images.shape[1:]

    @property
    def num_classes(self) -> int | None:
        """Number of classes; None without labels."""
        if self.labels is None:
            return None
        return len(self.class_names) if self.class_names else int(self.labels.max(initial=-1)) + 1

    def as_float(self, indices=None) -> np.ndarray:
        """The images (or those at `indices`) as float32 [n, H, W, C] in [0, 1]."""
        images = self.images if indices is None else self.images[indices]
        return to_unit_range(images)

    def subset(self, indices: np.ndarray | slice) -> ImageData:
        """The examples at `indices`, in that order."""
        labels = None if self.labels is None else self.labels[indices]
        return dataclasses.replace(self, images=self.images[indices], labels=labels)

    def take(self, n: int) -> ImageData:
        """The first `n` examples (all of them if there are fewer)."""
        return self.subset(slice(n))

    def converted(
        self, image_size: tuple[int, int] | None = None, channels: int | None = None
    ) -> ImageData:
        """Resizes to (H, W) and converts to 1 or 3 channels; None means no change."""
        shape = converted_shape(self.image_shape, image_size, channels)
        if shape == self.image_shape:
            return self
        return dataclasses.replace(self, images=fitted(self.images, shape))

    def chunks(self, size: int) -> Iterator[ImageData]:
        """All examples in order, at most `size` at a time."""
        for start in range(0, len(self), size):
            yield self.subset(slice(start, start + size))

    def batches(self, batch_size: int, seed: int = 0) -> Batches:
        """Shuffled global batches, a pure function of (seed, step); see `Batches`."""
        arrays = {"image": self.images}
        if self.labels is not None:
            arrays["label"] = self.labels
        return ArrayBatches(arrays, batch_size, seed)


def converted_shape(shape: Shape, image_size, channels) -> Shape:
    """(H, W, C) after `convert`. Raises UserError if the channels cannot be converted."""
    height, width = image_size or shape[:2]
    if channels is not None and channels != shape[2] and {channels, shape[2]} != {1, 3}:
        raise UserError(
            f"cannot convert images of {shape[2]} channels to {channels}: "
            f"only 1 (grey) and 3 (colour) are converted into each other"
        )
    return height, width, shape[2] if channels is None else channels


def fitted(images: np.ndarray, image_shape: Shape) -> np.ndarray:
    """uint8 [N, H, W, C] -> uint8 [N, *image_shape], as training images are fitted: `convert`.

    Raises UserError if the channels cannot be converted.
    """
    shape = converted_shape(images.shape[1:], image_shape[:2], image_shape[2])
    result = np.empty((len(images), *shape), np.uint8)
    for start in range(0, len(images), CHUNK):
        chunk = slice(start, start + CHUNK)
        result[chunk] = convert(tf.constant(images[chunk]), shape[:2], shape[2])
    return result


def convert(images: tf.Tensor, image_size=None, channels=None) -> tf.Tensor:
    """uint8 [..., H, W, C] -> uint8 [..., H', W', C'].

    Sizes change by antialiased bilinear resampling, 3 channels become 1 by ITU-R BT.601 luma,
    1 becomes 3 by repetition. Rounded once, at the end.
    """
    x = tf.cast(images, tf.float32)
    if channels == 1 and images.shape[-1] == 3:
        x = tf.reduce_sum(x * tf.constant(LUMA), axis=-1, keepdims=True)
    if image_size is not None:
        x = tf.image.resize(x, image_size, antialias=True)
    x = tf.cast(tf.round(x), tf.uint8)
    return tf.repeat(x, 3, axis=-1) if channels == 3 and images.shape[-1] == 1 else x
