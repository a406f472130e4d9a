"""Converts images of any size to the form of the training images."""

import os
from dataclasses import dataclass

import numpy as np
from PIL import Image

from tf_bigan.data.decoding import Resize, fitted
from tf_bigan.data.images import converted_shape
from tf_bigan.errors import UserError
from tf_bigan.explore.reading import Picture, changes, read_file

_DARK = 26  # pixels up to this value, of 255, are background
_PLAIN = 0.9  # minimal fraction of background pixels in the border


@dataclass(frozen=True)
class Fitting:
    """How to convert images for a model.

    shape: (H, W, C) of the model's images.
    resize, background: as in `decoding.fitted`, of the training.
    ink: if the training images are light strokes on black, the longer side of the strokes as a
        fraction of the image (20 of 28 pixels in MNIST); else None.
    paper: what to draw on, a colour as in CSS: the usual colour of the training images' borders,
        transparent for four channels.
    """

    shape: tuple[int, int, int]
    ink: float | None
    resize: Resize = "crop"
    background: str = "white"
    paper: str = "#000000"

    @classmethod
    def to(
        cls, images: np.ndarray, resize: Resize = "crop", background: str = "white"
    ) -> "Fitting":
        """The fitting for a model trained on these images, uint8 [N, H, W, C]."""
        height, width = images.shape[1:3]
        bright = images.max(-1) > _DARK  # [N, H, W]
        border = np.concatenate([bright[:, [0, -1]].ravel(), bright[:, :, [0, -1]].ravel()])
        # Colours are no ink, and margins no paper.
        if border.mean() > 0.5 or images.shape[3] != 1 or resize == "pad":
            return cls(images.shape[1:], None, resize, background, _paper(images))
        rows, columns = bright.any(2).sum(1), bright.any(1).sum(1)  # those with strokes, [N]
        ink = float(np.median(np.maximum(rows / height, columns / width)))
        return cls(images.shape[1:], ink, resize, background)

    def read(self, path: str | os.PathLike) -> Picture:
        """An uploaded file, as the training reads it, or as a `photo` of strokes.

        Raises:
            UserError: as `read_file` and `photo`.
        """
        if self.ink is None and self.shape[2] in (1, 3, 4):
            return read_file(path, shape=self.shape, resize=self.resize, background=self.background)
        return self.photo(read_file(path, background=self.background))

    def photo(self, picture: Picture) -> Picture:
        """An uploaded image, cut or padded, resized and converted as the training images are.

        If the training images are strokes on black, an image with a light border is inverted, and
        strokes on a plain background are cut out as in `drawing`, unless the image already has the
        model's size.

        Raises:
            UserError: the picture cannot have the model's channels.
        """
        height, width, _ = self.shape
        self._check_channels(picture)
        if self.ink is not None:
            picture = _on_black(picture)
            fits = picture.pixels.shape[:2] == (height, width)
            if not fits and (_border(picture.pixels) <= _DARK).mean() > _PLAIN and _bright(picture):
                return self._strokes(picture)
        h, w, c = picture.pixels.shape
        notes = (*picture.notes, *changes((h, w), c == 1, self.shape, self.resize))
        return Picture(self._converted(picture.pixels, (height, width), self.resize), notes)

    def drawing(self, picture: Picture) -> Picture:
        """A drawing on `paper`, with strokes scaled to their size in the training images.

        If the training images are not strokes on black, the whole canvas is converted as a photo.

        Raises:
            UserError: nothing is drawn, or the picture cannot have the model's channels.
        """
        self._check_channels(picture)
        pixels = picture.pixels
        if not (_bright(picture) if self.ink is not None else (pixels != pixels[0, 0]).any()):
            raise UserError("the canvas is empty: draw something first")
        return self.photo(picture) if self.ink is None else self._strokes(picture)

    def _check_channels(self, picture: Picture):
        if self.shape[2] != 4:  # anything can be opaque
            converted_shape(picture.pixels.shape, self.shape[:2], self.shape[2])

    def _strokes(self, picture: Picture) -> Picture:
        """Strokes, scaled without distortion, and centred by mass as far as they fit."""
        height, width, _ = self.shape
        bright = picture.pixels.max(-1) > _DARK
        rows, columns = np.flatnonzero(bright.any(1)), np.flatnonzero(bright.any(0))
        strokes = picture.pixels[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
        scale = self.ink / max(strokes.shape[0] / height, strokes.shape[1] / width)
        h, w = (max(1, round(side * scale)) for side in strokes.shape[:2])
        small = self._converted(strokes, (h, w), "stretch")
        drawn = np.zeros(self.shape, np.uint8)
        top, left = _start(small.sum((1, 2)), height), _start(small.sum((0, 2)), width)
        drawn[top : top + h, left : left + w] = small
        notes = (
            f"strokes cut out, scaled to {h} × {w} of {height} × {width} pixels as in the training "
            "images, and centred by mass",
        )
        return Picture(drawn, picture.notes + notes)

    def _converted(self, pixels: np.ndarray, size: tuple[int, int], resize: Resize) -> np.ndarray:
        """The same as `decoding.decode` makes of a file."""
        channels = self.shape[2]
        image = Image.fromarray(pixels[..., 0] if pixels.shape[2] == 1 else pixels)
        image = image.convert({1: "L", 3: "RGB", 4: "RGBA"}[channels])
        return np.asarray(fitted(image, size, resize, self.background)).reshape(*size, channels)


def _paper(images: np.ndarray) -> str:
    if images.shape[3] == 4:
        return "transparent"
    edges = (images[:, 0], images[:, -1], images[:, :, 0], images[:, :, -1])
    border = np.concatenate([edge.reshape(-1, images.shape[3]) for edge in edges])
    usual = np.median(border, axis=0).astype(int)
    return "#" + "".join(f"{value:02x}" for value in (usual if len(usual) == 3 else usual[[0] * 3]))


def _start(mass: np.ndarray, side: int) -> int:
    """The first pixel, of `side`, for n <= side masses, so that their centre is in the middle."""
    centre = (mass * np.arange(len(mass))).sum() / max(mass.sum(), 1)
    return int(np.clip(round((side - 1) / 2 - centre), 0, side - len(mass)))


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
