"""An image of any size as the model takes it: what its training images look like."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import tensorflow as tf

from tf_bigan.data.images import convert, converted_shape
from tf_bigan.errors import UserError
from tf_bigan.explore.reading import Picture

_DARK = 26  # of 255: pixels up to it are paper, not ink
_PLAIN = 0.9  # the part of a border that is paper around strokes


@dataclass(frozen=True)
class Fitting:
    """How images are made to fit a model.

    shape: (H, W, C) of the model's images.
    ink: where the training images are light strokes on black, the part of the image that a
        drawing's longer side takes there (20 of 28 pixels in MNIST); else None.
    """

    shape: tuple[int, int, int]
    ink: float | None

    @classmethod
    def to(cls, images: np.ndarray) -> Fitting:
        """As the training images are, uint8 [N, H, W, C]."""
        height, width = images.shape[1:3]
        bright = images.max(-1) > _DARK  # [N, H, W]
        border = np.concatenate([bright[:, [0, -1]].ravel(), bright[:, :, [0, -1]].ravel()])
        if border.mean() > 0.5:
            return cls(images.shape[1:], None)
        rows, columns = bright.any(2).sum(1), bright.any(1).sum(1)  # those with ink, [N]
        return cls(images.shape[1:], float(np.median(np.maximum(rows / height, columns / width))))

    def photo(self, picture: Picture) -> Picture:
        """An uploaded image at the model's size: cropped to its shape, resized, recoloured.

        Where the training images are strokes on black, an image with a light border is inverted,
        and strokes on a plain ground are cut out as those of a drawing; an image that has the
        model's size already stays where it is.

        Raises:
            UserError: the model's channels are neither grey nor colour.
        """
        height, width, channels = self.shape
        self._check_channels(picture)
        if self.ink is not None:
            picture = _on_black(picture)
            fits = picture.pixels.shape[:2] == (height, width)
            if not fits and (_border(picture.pixels) <= _DARK).mean() > _PLAIN and _bright(picture):
                return self._strokes(picture)
        notes, pixels = list(picture.notes), _cropped(picture.pixels, height / width)
        if pixels.shape != picture.pixels.shape:
            notes.append(f"cropped to its central {_size(pixels)}")
        if pixels.shape[:2] != (height, width):
            verb = "enlarged" if pixels.shape[0] < height else "shrunk"
            notes.append(f"{verb} to {height} × {width}")
        if channels != pixels.shape[-1]:
            notes.append("turned grey" if channels == 1 else "its grey taken for all colours")
        fitted = convert(tf.constant(pixels), (height, width), channels).numpy()
        return Picture(fitted, tuple(notes))

    def drawing(self, picture: Picture) -> Picture:
        """A drawing on black at the model's size: its strokes as large as in the training images.

        Where the training images are no strokes on black, the whole canvas is taken as a photo.

        Raises:
            UserError: nothing is drawn, or the model's channels are neither grey nor colour.
        """
        self._check_channels(picture)
        if not _bright(picture):
            raise UserError("the canvas is empty: draw something first")
        return self.photo(picture) if self.ink is None else self._strokes(picture)

    def _check_channels(self, picture: Picture):
        converted_shape(picture.pixels.shape, self.shape[:2], self.shape[2])

    def _strokes(self, picture: Picture) -> Picture:
        """Strokes in their proportions, their centre of mass in the middle as far as they fit."""
        height, width, channels = self.shape
        bright = picture.pixels.max(-1) > _DARK
        rows, columns = np.flatnonzero(bright.any(1)), np.flatnonzero(bright.any(0))
        strokes = picture.pixels[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
        scale = self.ink / max(strokes.shape[0] / height, strokes.shape[1] / width)
        h, w = (max(1, round(side * scale)) for side in strokes.shape[:2])
        small = convert(tf.constant(strokes), (h, w), channels).numpy()
        fitted = np.zeros(self.shape, np.uint8)
        top, left = _start(small.sum((1, 2)), height), _start(small.sum((0, 2)), width)
        fitted[top : top + h, left : left + w] = small
        notes = (
            f"its strokes cut out, scaled to {h} × {w} of {height} × {width} pixels as those of "
            "the training images, and centred by mass",
        )
        return Picture(fitted, picture.notes + notes)


def _start(mass: np.ndarray, side: int) -> int:
    """Where a part begins whose mass [n] is to balance about the middle of `side` >= n pixels."""
    centre = (mass * np.arange(len(mass))).sum() / max(mass.sum(), 1)
    return int(np.clip(round((side - 1) / 2 - centre), 0, side - len(mass)))


def _cropped(pixels: np.ndarray, ratio: float) -> np.ndarray:
    """The largest central part [h, w, c] with h / w = ratio, to the pixel."""
    height, width = pixels.shape[:2]
    h, w = min(height, max(1, round(width * ratio))), min(width, max(1, round(height / ratio)))
    top, left = (height - h) // 2, (width - w) // 2
    return pixels[top : top + h, left : left + w]


def _on_black(picture: Picture) -> Picture:
    if np.median(_border(picture.pixels)) <= 127:
        return picture
    notes = (*picture.notes, "inverted, as the training images are light on black")
    return Picture(255 - picture.pixels, notes)


def _bright(picture: Picture) -> bool:
    return bool((picture.pixels > _DARK).any())


def _border(pixels: np.ndarray) -> np.ndarray:
    edges = (pixels[0], pixels[-1], pixels[:, 0], pixels[:, -1])
    return np.concatenate([edge.mean(-1) for edge in edges])


def _size(pixels: np.ndarray) -> str:
    return f"{pixels.shape[0]:,} × {pixels.shape[1]:,}"
