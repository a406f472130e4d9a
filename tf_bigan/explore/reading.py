"""Reads uploaded image files, with a size limit and one-line errors."""

from __future__ import annotations

import io
import os
import warnings
from dataclasses import dataclass

import numpy as np
from PIL import Image

from tf_bigan.data.decoding import BROKEN, decode
from tf_bigan.errors import UserError

FORMATS = ("PNG", "JPEG", "WEBP", "GIF", "BMP")
MAX_MEGABYTES = 20
MAX_PIXELS = 50_000_000  # enough for phone cameras; 150 MB decoded


@dataclass(frozen=True)
class Picture:
    """A decoded image.

    pixels: uint8 [h, w, 1] or [h, w, 3].
    notes: describes the changes by decoding.
    """

    pixels: np.ndarray
    notes: tuple[str, ...] = ()


def read_file(path: str | os.PathLike) -> Picture:
    """`read_bytes` of a file. Files larger than `MAX_MEGABYTES` are not read."""
    name, megabytes = os.path.basename(path), os.path.getsize(path) / 2**20
    if megabytes > MAX_MEGABYTES:
        raise UserError(
            f"{name} has {megabytes:.0f} MB, the limit is {MAX_MEGABYTES}: make it smaller"
        )
    with open(path, "rb") as file:
        return read_bytes(file.read(), name)


def read_bytes(data: bytes, name: str) -> Picture:
    """Decodes PNG, JPEG, WebP, GIF or BMP as `tf_bigan.data.decoding.decode` does.

    The size is checked before any pixel is decoded.

    Args:
        data: the file's content.
        name: its name in messages.

    Raises:
        UserError: not an image in these formats, a broken one, or more than `MAX_PIXELS` pixels.
    """
    limit = f"the limit is {MAX_PIXELS // 10**6} million: make it smaller"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", Image.DecompressionBombWarning)  # our limit is lower
        try:
            image = Image.open(io.BytesIO(data), formats=FORMATS)
        except Image.DecompressionBombError:
            raise UserError(f"{name} has too many pixels, {limit}") from None
        except BROKEN:
            formats = f"{', '.join(FORMATS[:-1])} or {FORMATS[-1]}"
            raise UserError(f"{name} is not a readable image: use {formats}") from None
    width, height = image.size
    if width * height > MAX_PIXELS:
        raise UserError(f"{name} has {width:,} × {height:,} pixels, {limit}")
    try:
        return Picture(*decode(image))
    except BROKEN as error:
        raise UserError(f"{name} is a broken {image.format} file: {error}") from None
