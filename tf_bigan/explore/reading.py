"""Reads uploaded image files, with a size limit and one-line errors."""

from __future__ import annotations

import os
import warnings
from dataclasses import dataclass
from typing import Any

import numpy as np
from PIL import Image

from tf_bigan.data import decoding
from tf_bigan.data.decoding import HEIC, MAX_PIXELS, NoPicture, Resize
from tf_bigan.errors import UserError

COMMON = "PNG, JPEG, WebP, GIF, BMP, TIFF or AVIF"
MAX_MEGABYTES = 20
_OTHER_ASPECT = {
    "crop": "its margins cut off",
    "pad": "with margins added",
    "stretch": "with another aspect ratio",
}
LIMIT = f"the limit is {MAX_PIXELS // 10**6} million: make it smaller"


@dataclass(frozen=True)
class Picture:
    """A decoded image.

    pixels: uint8 [h, w, 1], [h, w, 3], or with transparency [h, w, 4].
    notes: describes the changes by decoding.
    """

    pixels: np.ndarray
    notes: tuple[str, ...] = ()


def read_file(path: str | os.PathLike, **form: Any) -> Picture:
    """`read_bytes` of a file. Files larger than `MAX_MEGABYTES` are not read."""
    name, megabytes = os.path.basename(path), os.path.getsize(path) / 2**20
    if megabytes > MAX_MEGABYTES:
        raise UserError(
            f"{name} has {megabytes:.0f} MB, the limit is {MAX_MEGABYTES}: make it smaller"
        )
    with open(path, "rb") as file:
        return read_bytes(file.read(), name, **form)


def read_bytes(
    data: bytes,
    name: str,
    shape: tuple[int, int, int] | None = None,
    resize: Resize = "crop",
    background: str = "white",
) -> Picture:
    """Decodes a picture as `tf_bigan.data.decoding.decode` does.

    The size is checked before any pixel is decoded.

    Args:
        data: the file's content.
        name: its name in messages.
        shape: (H, W, C) to resize and convert to, as in training; None: as the file is.
        resize, background: as for `decode`.

    Raises:
        UserError: not a picture in a known format, a broken one, or one with too many pixels.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)  # our limit is lower
            image = decoding.open_picture(data)
        size = decoding.size(image)
        height, width, channels = shape or (*size, None)
        form = (channels, shape and (height, width), resize, background)
        pixels, notes = decoding.decode(image, *form)
    except NoPicture as reason:
        what = {
            "empty": "is empty",
            "not a picture": f"is not a readable image: use {COMMON}",
            "too large": f"has {reason}, {LIMIT}",
            "broken": f"is a broken image file: {reason}",
            HEIC: f"is a picture {HEIC}",
        }
        raise UserError(f"{name} {what[reason.kind]}") from None
    if shape is not None:
        notes += changes(size, decoding.is_grey(image), shape, resize)
    return Picture(pixels, notes)


def changes(
    size: tuple[int, int], grey: bool, shape: tuple[int, int, int], resize: Resize
) -> tuple[str, ...]:
    """Notes of what changes when a picture of `size`, grey or not, gets `shape`."""
    (h, w), (height, width, channels), notes = size, shape, []
    if (h, w) != (height, width):
        notes.append(f"resized from {h:,} × {w:,} to {height} × {width}")
        if h * width != w * height:
            notes.append(_OTHER_ASPECT[resize])
    if grey != (channels == 1):
        notes.append("its grey used for all colours" if grey else "converted to grey")
    return tuple(notes)
