"""Images in memory: uint8 arrays, converted to float32 in [0, 1] when they are used."""

from __future__ import annotations

import dataclasses
import hashlib
import re
from collections.abc import Iterator
from functools import cached_property
from typing import Any

import numpy as np
import tensorflow as tf

from tf_bigan.data.decoding import Resize, colour, cropped, padded
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

    @property
    def classes(self) -> np.ndarray | None:
        """The class of each image, [N], as its source says it: a name, or an integer if all are
        integers; the labels if the classes have no names, and None without labels."""
        if self.labels is None or not self.class_names:
            return self.labels
        names = np.array(self.class_names)
        whole = all(re.fullmatch(r"-?\d{1,18}", name) for name in self.class_names)
        return (names.astype(np.int64) if whole else names)[self.labels]

    @cached_property
    def fingerprint(self) -> str:
        """A hash of the images and labels, and of their order."""
        digest = hashlib.sha256(repr(self.images.shape).encode())
        for array in (self.images, self.labels):
            if array is not None:
                digest.update(np.ascontiguousarray(array).data)
        return digest.hexdigest()

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
        self,
        image_size: tuple[int, int] | None = None,
        channels: int | None = None,
        resize: Resize = "crop",
        background: str = "white",
    ) -> ImageData:
        """The images as `convert` makes them; None means no change."""
        shape = converted_shape(self.image_shape, image_size, channels)
        if shape == self.image_shape:
            return self
        images = np.empty((len(self), *shape), np.uint8)
        for start in range(0, len(self), CHUNK):
            chunk = slice(start, start + CHUNK)
            pixels = tf.constant(self.images[chunk])
            images[chunk] = convert(pixels, image_size, channels, resize, background)
        return dataclasses.replace(self, images=images)

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


def convert(
    images: tf.Tensor,
    image_size: tuple[int, int] | None = None,
    channels: int | None = None,
    resize: Resize = "crop",
    background: str = "white",
) -> tf.Tensor:
    """uint8 [..., H, W, C] -> uint8 [..., H', W', C'].

    Sizes change as in `decoding.fitted`, by antialiased bilinear resampling. 3 channels become 1 by
    ITU-R BT.601 luma, 1 becomes 3 by repetition. Rounded once, at the end.
    """
    x = tf.cast(images, tf.float32)
    if channels == 1 and images.shape[-1] == 3:
        x = tf.reduce_sum(x * tf.constant(LUMA), axis=-1, keepdims=True)
    if image_size is not None:
        height, width = image_size
        x = _resized(x, (height, width), resize, background)
    x = tf.cast(tf.round(x), tf.uint8)
    return tf.repeat(x, 3, axis=-1) if channels == 3 and images.shape[-1] == 1 else x


def _resized(x: tf.Tensor, size: tuple[int, int], resize: Resize, background: str) -> tf.Tensor:
    height, width = (
        tf.shape(x)[axis] if x.shape[axis] is None else x.shape[axis] for axis in (-3, -2)
    )
    fixed = isinstance(height, int) and isinstance(width, int)
    bounds = () if fixed else (tf.minimum, tf.maximum)
    if resize == "crop":
        h, w = cropped(height, width, size, *bounds)
        top, left = (height - h) // 2, (width - w) // 2
        x = x[..., top : top + h, left : left + w, :]
    if resize != "pad":
        return tf.image.resize(x, size, antialias=True)
    h, w = padded(height, width, size, *bounds)
    x = tf.image.resize(x, (h, w), antialias=True)
    top, left = (size[0] - h) // 2, (size[1] - w) // 2
    around = [[top, size[0] - h - top], [left, size[1] - w - left], [0, 0]]
    around = [[0, 0]] * (len(x.shape) - 3) + around
    margin = _margin(background, x.shape[-1])
    return tf.ensure_shape(tf.pad(x - margin, around) + margin, [*x.shape[:-3], *size, x.shape[-1]])


def _margin(background: str, channels: int) -> tf.Tensor:
    """The colour of what is added around images; transparent in 4 channels. Float [channels]."""
    rgb = np.array(colour(background), np.float32)
    values = {1: [np.round(rgb @ LUMA)], 3: rgb}.get(channels, [0.0] * channels)
    return tf.constant(values, tf.float32)
