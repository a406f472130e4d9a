"""The one decoder of picture files, for training and explore: any picture as 8-bit pixels."""

from __future__ import annotations

import contextlib
import io
import re
import struct
from typing import Literal, get_args

import numpy as np
from PIL import Image, ImageColor, ImageOps

from tf_bigan.errors import UserError

# Of these only the ones that the installed Pillow has. TGA, EPS, PDF and the like are left out:
# they have no signature that can be trusted, or start other programs.
FORMATS = (
    *("PNG", "JPEG", "MPO", "WEBP", "GIF", "BMP", "DIB", "TIFF", "AVIF", "HEIF", "JPEG2000"),
    *("PPM", "ICO"),
)
MAX_PIXELS = 50_000_000  # enough for phone cameras; 150 MB decoded
# The errors that Pillow raises for broken files.
BROKEN = (
    OSError,
    ValueError,
    SyntaxError,
    IndexError,
    KeyError,
    TypeError,
    EOFError,
    RuntimeError,  # of AVIF
    struct.error,
    Image.DecompressionBombError,
)
TURNED, FIRST, DEEP, PRINTED, BLENDED = NOTES = (
    "turned as its EXIF entry says",
    "first of its pictures taken",
    "more than 8 bits reduced to 8",
    "printing colours (CMYK) converted",
    "transparent pixels blended with the background",
)
Resize = Literal["crop", "pad", "stretch"]
RESIZES = get_args(Resize)
HEIC = "in HEIC (pip install pillow-heif)"
KINDS = ("empty", "not a picture", "broken", "too large", HEIC)
_HEIC_START = re.compile(rb".{4}ftyp(heic|heix|heim|heis|hevc|mif1|msf1)", re.DOTALL)
_ORIENTATION = 0x0112  # EXIF tag; values of 5 and above swap height and width


class NoPicture(Exception):
    """A file that is no picture to use. `kind`: one of `KINDS`."""

    def __init__(self, kind: str, reason: str = ""):
        super().__init__(reason)
        self.kind = kind


def open_picture(data: bytes | str) -> Image.Image:
    """Opens encoded bytes, or a file by its path. Only the header is read.

    Raises NoPicture for what is in none of `FORMATS`, or has more than `MAX_PIXELS` pixels; OSError
    for a file that cannot be read.
    """
    if isinstance(data, bytes) and not data:
        raise NoPicture("empty")
    try:
        source = io.BytesIO(data) if isinstance(data, bytes) else data
        image = Image.open(source, formats=formats())
    except Image.DecompressionBombError:
        raise NoPicture("too large", "too many pixels") from None
    except Image.UnidentifiedImageError:
        start = data[:12] if isinstance(data, bytes) else b""
        raise NoPicture(HEIC if _HEIC_START.match(start) else "not a picture") from None
    except OSError as error:
        if error.errno is not None:  # of the system, not of the content
            raise
        raise NoPicture("broken", str(error)) from None
    except BROKEN as error:
        raise NoPicture("broken", str(error)) from None
    width, height = image.size
    if width * height > MAX_PIXELS:
        image.close()
        raise NoPicture("too large", f"{width:,} × {height:,} pixels")
    image.info[DEEP] = _is_deep(image)  # which Pillow forgets with the first look at its EXIF entry
    return image


def decode(
    image: Image.Image,
    channels: int | None = None,
    size: tuple[int, int] | None = None,
    resize: Resize = "crop",
    background: str = "white",
) -> tuple[np.ndarray, tuple[str, ...]]:
    """(uint8 [H, W, channels], those of `NOTES` that apply) of an opened image.

    Grey stays grey and everything else becomes RGB, unless `channels` (1, 3 or 4) is given. The
    EXIF orientation is applied. 16 bits of grey are rounded to 8, of colour and of grey with
    transparency cut to the upper 8, as Pillow decodes them; floats are in [0, 1]. Transparent
    pixels are blended with `background`, or kept in four channels. Only the first frame is used.

    Args:
        image: from `open_picture`.
        channels: 1 (grey), 3 (RGB) or 4 (RGBA); None: 1 or 3.
        size: (H, W) to resize to. None: no resizing.
        resize: see `fitted`.
        background: a colour as in CSS, by name or as #rrggbb.

    Raises:
        NoPicture: the file is broken.
    """
    try:
        return _decoded(image, channels, size, resize, background)
    except MemoryError:
        raise NoPicture("too large", "no memory for its pixels") from None
    except BROKEN as error:
        raise NoPicture("broken", str(error)) from None


def _decoded(image, channels, size, resize, background):
    notes = []
    if getattr(image, "n_frames", 1) > 1:
        notes.append(FIRST)
    if size is not None:  # JPEG: decodes an eighth, a quarter or a half of the size, much faster
        image.draft(None, (3 * max(size), 3 * max(size)))
    image.load()
    with contextlib.suppress(*BROKEN):  # a damaged EXIF entry does not damage the pixels
        if image.getexif().get(_ORIENTATION, 1) in range(2, 9):
            image = ImageOps.exif_transpose(image)
            notes.append(TURNED)
    if image.info.get(DEEP):
        notes.append(DEEP)
    if image.mode[0] in "IF":  # Pillow would clip them
        image = _eight_bits(image)
    if image.mode == "CMYK":
        image = image.convert("RGB")
        notes.append(PRINTED)
    grey = is_grey(image)
    if image.has_transparency_data:
        image = image.convert("RGBA")
        if channels != 4:
            if image.getchannel("A").getextrema()[0] < 255:
                notes.append(BLENDED)
                red, green, blue = colour(background)
                grey = grey and red == green == blue
            under = Image.new("RGBA", image.size, (*colour(background), 255))
            image = Image.alpha_composite(under, image)
    mode = {None: "L" if grey else "RGB", 1: "L", 3: "RGB", 4: "RGBA"}[channels]
    image = fitted(image.convert(mode), size, resize, background)
    pixels = np.asarray(image)
    return pixels.reshape(*pixels.shape[:2], -1), tuple(notes)


def _is_deep(image: Image.Image) -> bool:
    """Whether the pixels of an image that is not loaded yet have more than 8 bits in its file."""
    # Pillow's name of how they are stored: "RGB;16B", or a tuple with it; "BGR;16" is 5, 6, 5 bits.
    stored = str([tile.args for tile in getattr(image, "tile", ())])
    return image.mode[0] in "IF" or re.search(";16[BLN]", stored) is not None


def _eight_bits(image: Image.Image) -> Image.Image:
    pixels = np.asarray(image)
    most = 1.0 if image.mode == "F" else 65_535
    if not (pixels.min() >= 0 and pixels.max() <= most):  # also for NaN
        raise ValueError(f"pixels from {pixels.min()} to {pixels.max()} instead of 0 to {most:g}")
    return Image.fromarray(np.rint(pixels * (255 / most)).astype(np.uint8))


def fitted(
    image: Image.Image,
    size: tuple[int, int] | None,
    resize: Resize = "crop",
    background: str = "white",
) -> Image.Image:
    """An image of the mode L, RGB or RGBA in the size (H, W), by antialiased bilinear resampling.

    "crop" takes the largest part from the middle that has the aspect ratio of `size`, "pad" adds
    margins in the colour `background` (in RGBA transparent ones), "stretch" changes the aspect
    ratio.
    """
    if size is None or (image.height, image.width) == size:
        return image
    height, width = size
    inner = size
    if resize == "crop":
        h, w = cropped(image.height, image.width, size)
        top, left = (image.height - h) // 2, (image.width - w) // 2
        image = image.crop((left, top, left + w, top + h))
    elif resize == "pad":
        inner = padded(image.height, image.width, size)
    small = image.resize(inner[::-1], Image.Resampling.BILINEAR)
    if inner == size:
        return small
    margin = (0, 0, 0, 0) if image.mode == "RGBA" else ImageColor.getcolor(background, image.mode)
    whole = Image.new(image.mode, (width, height), margin)
    whole.paste(small, ((width - inner[1]) // 2, (height - inner[0]) // 2))
    return whole


def cropped(height, width, size: tuple[int, int], lower=min, upper=max):
    """(H, W) of the largest part of an image that has the aspect ratio of `size`.

    lower, upper: `min` and `max`, or the functions that do the same with tensors.
    """
    rows = lower(height, upper(1, _rounded(width * size[0], size[1])))
    return rows, lower(width, upper(1, _rounded(height * size[1], size[0])))


def padded(height, width, size: tuple[int, int], lower=min, upper=max):
    """(H, W) of the largest image within `size` that has this height to width."""
    rows = lower(size[0], upper(1, _rounded(height * size[1], width)))
    return rows, lower(size[1], upper(1, _rounded(width * size[0], height)))


def _rounded(dividend, divisor):
    return (2 * dividend + divisor) // (2 * divisor)


def colour(background: str) -> tuple[int, int, int]:
    """(R, G, B) of a colour as in CSS. Raises UserError for anything else."""
    try:
        return ImageColor.getrgb(background)[:3]
    except ValueError:
        raise UserError(
            f"background={background} is no colour: give a name such as white, or #rrggbb"
        ) from None


def is_grey(image: Image.Image) -> bool:
    """Whether all colours of a loaded image are grey. Of RGB images the pixels are not searched."""
    if image.mode in ("P", "PA"):
        used = image.convert("RGBA").getcolors(256) or ()
        return bool(used) and all(r == g == b for _, (r, g, b, alpha) in used if alpha)
    return image.mode in ("1", "L", "LA", "La") or image.mode[0] in "IF"


def size(image: Image.Image) -> tuple[int, int]:
    """(H, W) of the result of `decode` without resizing. Reads only the header."""
    width, height = image.size
    with contextlib.suppress(*BROKEN):
        if image.getexif().get(_ORIENTATION) in (5, 6, 7, 8):
            return width, height
    return height, width


def formats() -> list[str]:
    """Those of `FORMATS` that the installed Pillow reads."""
    if "PNG" not in Image.OPEN:
        Image.preinit()
    if "TIFF" not in Image.OPEN:
        Image.init()
    return [name for name in FORMATS if name in Image.OPEN]


# HEIC, the photographs of an iPhone, where pip install pillow-heif has been run.
with contextlib.suppress(ImportError):
    import pillow_heif  # pyright: ignore[reportMissingImports]

    pillow_heif.register_heif_opener()
