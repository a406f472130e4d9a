"""Decodes image files to 8-bit grey or colour pixels."""

from __future__ import annotations

import struct

import numpy as np
from PIL import Image, ImageOps

# The errors that Pillow raises for broken files.
BROKEN = (
    OSError,
    ValueError,
    SyntaxError,
    IndexError,
    EOFError,
    struct.error,
    Image.DecompressionBombError,
)
_ORIENTATION = 0x0112  # EXIF tag; values of 5 and above swap height and width


def decode(image: Image.Image, channels: int | None = None) -> tuple[np.ndarray, tuple[str, ...]]:
    """(uint8 [H, W, channels], notes on what decoding changed) of an opened image.

    Grey stays grey and everything else becomes RGB, unless `channels` (1 or 3) is given. The EXIF
    orientation is applied. 16 bits are rounded to 8. Transparent pixels are blended with white.
    Only the first frame of an animation is used.

    Raises one of `BROKEN` if the file is damaged.
    """
    notes = ["first of its pictures taken"] if getattr(image, "n_frames", 1) > 1 else []
    grey = is_grey(image) if channels is None else channels == 1
    image = ImageOps.exif_transpose(image)
    if image.mode.startswith("I"):  # 16 bits, which Pillow would clip
        pixels = np.asarray(image).astype(np.float64) / 257
        image = Image.fromarray(np.rint(pixels.clip(0, 255)).astype(np.uint8))
    if image.has_transparency_data:
        image = image.convert("RGBA")
        if np.asarray(image.getchannel("A")).min() < 255:
            notes.append("transparent pixels blended with white")
        image = Image.alpha_composite(Image.new("RGBA", image.size, "white"), image)
    pixels = np.asarray(image.convert("L" if grey else "RGB"))
    return pixels.reshape(*pixels.shape[:2], -1), tuple(notes)


def is_grey(image: Image.Image) -> bool:
    """Whether `decode` returns one channel. Reads only the header."""
    return image.mode in ("1", "L", "LA") or image.mode.startswith("I")


def size(image: Image.Image) -> tuple[int, int]:
    """(H, W) of the result of `decode`. Reads only the header."""
    width, height = image.size
    turned = image.getexif().get(_ORIENTATION) in (5, 6, 7, 8)
    return (width, height) if turned else (height, width)
