"""Decoding a picture file: the one way in which a file becomes 8-bit grey or colour pixels."""

from __future__ import annotations

import struct

import numpy as np
from PIL import Image, ImageOps

# What Pillow raises for broken files, depending on where they break.
BROKEN = (
    OSError,
    ValueError,
    SyntaxError,
    IndexError,
    EOFError,
    struct.error,
    Image.DecompressionBombError,
)
_ORIENTATION = 0x0112  # EXIF tag; from 5 on, height and width change places


def decode(image: Image.Image, channels: int | None = None) -> tuple[np.ndarray, tuple[str, ...]]:
    """(uint8 [H, W, channels], what decoding changed, in words) of an opened picture.

    Grey stays grey and everything else becomes RGB, unless `channels` (1 or 3) says otherwise. It
    is turned upright as its EXIF entry says. 16 bits become 8, rounded. Transparent parts are laid
    on white. Of an animation the first picture is taken.

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
            notes.append("laid on white where it is transparent")
        image = Image.alpha_composite(Image.new("RGBA", image.size, "white"), image)
    pixels = np.asarray(image.convert("L" if grey else "RGB"))
    return pixels.reshape(*pixels.shape[:2], -1), tuple(notes)


def is_grey(image: Image.Image) -> bool:
    """Whether `decode` gives one channel for it. Reads the header alone."""
    return image.mode in ("1", "L", "LA") or image.mode.startswith("I")


def size(image: Image.Image) -> tuple[int, int]:
    """(H, W) of what `decode` gives for it. Reads the header alone."""
    width, height = image.size
    turned = image.getexif().get(_ORIENTATION) in (5, 6, 7, 8)
    return (width, height) if turned else (height, width)
