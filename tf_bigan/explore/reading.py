"""Reading an image file that somebody gives: never trusted, refused with one clear line."""

from __future__ import annotations

import io
import os
import struct
import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from tf_bigan.errors import UserError

if TYPE_CHECKING:
    from PIL import Image

FORMATS = ("PNG", "JPEG", "WEBP", "GIF", "BMP")
MAX_MEGABYTES = 20
MAX_PIXELS = 50_000_000  # what a telephone's camera makes; 150 MB once decoded
# What Pillow raises for broken files, depending on where they break.
_BROKEN = (OSError, ValueError, SyntaxError, IndexError, EOFError, struct.error)


@dataclass(frozen=True)
class Picture:
    """An image as it was given.

    pixels: uint8 [h, w, 1] or [h, w, 3].
    notes: what reading it changed, in words.
    """

    pixels: np.ndarray
    notes: tuple[str, ...] = ()


def read_file(path: str | os.PathLike) -> Picture:
    """`read_bytes` of a file, which is refused unread if it is larger than `MAX_MEGABYTES`."""
    name, megabytes = os.path.basename(path), os.path.getsize(path) / 2**20
    if megabytes > MAX_MEGABYTES:
        raise UserError(
            f"{name} has {megabytes:.0f} MB, at most {MAX_MEGABYTES} are taken: make it smaller"
        )
    with open(path, "rb") as file:
        return read_bytes(file.read(), name)


def read_bytes(data: bytes, name: str) -> Picture:
    """Decodes PNG, JPEG, WebP, GIF or BMP, turned upright as its EXIF entry says.

    Grey stays grey, everything else becomes RGB; 16 bits become 8; what is transparent is laid
    on white; of an animation the first picture is taken. The size is looked at before any pixel
    is decoded.

    Args:
        data: the file's content.
        name: what messages call it.

    Raises:
        UserError: no image of these formats, a broken one, or more than `MAX_PIXELS` pixels.
    """
    from PIL import Image

    limit = f"at most {MAX_PIXELS // 10**6} million are taken: make it smaller"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", Image.DecompressionBombWarning)  # our limit is lower
        try:
            image = Image.open(io.BytesIO(data), formats=FORMATS)
        except Image.DecompressionBombError:
            raise UserError(f"{name} has too many pixels, {limit}") from None
        except _BROKEN:
            formats = f"{', '.join(FORMATS[:-1])} or {FORMATS[-1]}"
            raise UserError(f"{name} is no image that can be read: give {formats}") from None
    width, height = image.size
    if width * height > MAX_PIXELS:
        raise UserError(f"{name} has {width:,} × {height:,} pixels, {limit}")
    try:
        return _decoded(image)
    except _BROKEN as error:
        raise UserError(f"{name} is a broken {image.format} file: {error}") from None


def _decoded(image: Image.Image) -> Picture:
    from PIL import Image, ImageOps

    notes = ["first of its pictures taken"] if getattr(image, "n_frames", 1) > 1 else []
    image = ImageOps.exif_transpose(image)
    if image.mode.startswith("I"):  # 16 bits a pixel
        pixels = np.asarray(image).astype(np.float64) / 257
        image = Image.fromarray(np.rint(pixels.clip(0, 255)).astype(np.uint8))
    grey = image.mode in ("1", "L", "LA")
    if image.has_transparency_data:
        image = image.convert("RGBA")
        if image.getchannel("A").getextrema()[0] < 255:
            notes.append("laid on white where it is transparent")
        image = Image.alpha_composite(Image.new("RGBA", image.size, "white"), image)
    pixels = np.asarray(image.convert("L" if grey else "RGB"))
    return Picture(pixels.reshape(*pixels.shape[:2], -1), tuple(notes))
