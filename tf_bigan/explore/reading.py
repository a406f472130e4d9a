"""Reads uploaded image files, with a size limit and one-line errors."""

from __future__ import annotations

import os
import warnings
from dataclasses import dataclass

import numpy as np
from PIL import Image

from tf_bigan.data.decoding import HEIC, MAX_PIXELS, NoPicture, decode, open_picture
from tf_bigan.errors import UserError

COMMON = "PNG, JPEG, WebP, GIF, BMP, TIFF or AVIF"
MAX_MEGABYTES = 20
LIMIT = f"the limit is {MAX_PIXELS // 10**6} million: make it smaller"


@dataclass(frozen=True)
class Picture:
    """A decoded image.

    pixels: uint8 [h, w, 1], [h, w, 3], or with transparency [h, w, 4].
    notes: describes the changes by decoding.
    """

    pixels: np.ndarray
    notes: tuple[str, ...] = ()


def read_file(path: str | os.PathLike, alpha: bool = False, background: str = "white") -> Picture:
    """`read_bytes` of a file. Files larger than `MAX_MEGABYTES` are not read."""
    name, megabytes = os.path.basename(path), os.path.getsize(path) / 2**20
    if megabytes > MAX_MEGABYTES:
        raise UserError(
            f"{name} has {megabytes:.0f} MB, the limit is {MAX_MEGABYTES}: make it smaller"
        )
    with open(path, "rb") as file:
        return read_bytes(file.read(), name, alpha, background)


def read_bytes(data: bytes, name: str, alpha: bool = False, background: str = "white") -> Picture:
    """Decodes a picture as `tf_bigan.data.decoding.decode` does.

    The size is checked before any pixel is decoded.

    Args:
        data: the file's content.
        name: its name in messages.
        alpha: keep transparency, in four channels.
        background: the colour to blend transparent pixels with otherwise.

    Raises:
        UserError: not a picture in a known format, a broken one, or one with too many pixels.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)  # our limit is lower
            image = open_picture(data)
        pixels, notes = decode(image, 4 if alpha else None, background=background)
    except NoPicture as reason:
        what = {
            "empty": "is empty",
            "not a picture": f"is not a readable image: use {COMMON}",
            "too large": f"has {reason}, {LIMIT}",
            "broken": f"is a broken image file: {reason}",
            HEIC: f"is a picture {HEIC}",
        }
        raise UserError(f"{name} {what[reason.kind]}") from None
    return Picture(pixels, notes)
