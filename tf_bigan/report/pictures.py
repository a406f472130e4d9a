"""Image grids, and PNG files."""

from __future__ import annotations

import io
import math
import os
from typing import Annotated

import numpy as np
import numpy.typing as npt
import tensorflow as tf
from PIL import Image

from tf_bigan.atomic import atomically
from tf_bigan.constraints import Count, check
from tf_bigan.evaluation.checks import as_image_pairs, as_images

_BACKGROUND = 255  # white is visible between dark and colour images


def image_grid(
    images: npt.ArrayLike, columns: int | None = None, scale: Count = 1, pad: int = 1
) -> np.ndarray:
    """Tiles images row by row on a white background.

    Args:
        images: [N, H, W, C] in [0, 1].
        columns: images per row; by default the picture is about square.
        scale: size of a pixel, repeated without interpolation.
        pad: margin around and between the images, in pixels of the result.

    Returns:
        uint8 [rows * (H * scale + pad) + pad, columns * (W * scale + pad) + pad, C].

    Raises:
        UserError: a wrong rank or range, NaN, columns or scale < 1, or pad < 0.
    """
    images = as_images(images, "images")
    count, height, width, channels = images.shape
    if columns is None:
        columns = max(1, round(math.sqrt(count * height / width)))
    check("columns", columns, Count)
    check("scale", scale, Count)
    check("pad", pad, Annotated[int, "[0, inf)"])
    rows = -(-count // columns)
    pixels = np.rint(images * 255).astype(np.uint8)
    pixels = pixels.repeat(scale, axis=1).repeat(scale, axis=2)

    tiles = np.full(
        (rows * columns, height * scale + pad, width * scale + pad, channels), _BACKGROUND, np.uint8
    )
    tiles[:count, pad:, pad:] = pixels
    tiles = tiles.reshape(rows, columns, *tiles.shape[1:])  # [rows, columns, h, w, C]
    grid = tiles.swapaxes(1, 2)  # [rows, h, columns, w, C]
    grid = grid.reshape(rows * tiles.shape[2], columns * tiles.shape[3], channels)
    return np.pad(grid, [(0, pad), (0, pad), (0, 0)], constant_values=_BACKGROUND)


def originals_over_reconstructions(
    originals: npt.ArrayLike,
    reconstructions: npt.ArrayLike,
    columns: int | None = None,
    scale: Count = 1,
    pad: int = 6,
) -> np.ndarray:
    """Tiles pairs: each original above its reconstruction.

    Args:
        originals: x [N, H, W, C] in [0, 1].
        reconstructions: G(E(x)) [N, H, W, C] in [0, 1].
        columns: pairs per row; by default as in `image_grid`.
        scale: size of a pixel.
        pad: margin around and between the pairs; inside a pair it is `scale`.

    Returns:
        uint8 [H', W', C].

    Raises:
        UserError: as `image_grid`, and for unequal shapes.
    """
    originals, reconstructions = as_image_pairs(originals, reconstructions, "originals")
    line = np.full_like(originals[:, :1], _BACKGROUND / 255)
    pairs = np.concatenate([originals, line, reconstructions], axis=1)  # [N, 2 H + 1, W, C]
    return image_grid(pairs, columns, scale, pad)


def enlarged(images: npt.ArrayLike, side: int = 64) -> np.ndarray:
    """Enlarges small images smoothly, because digits of 8×8 large squares are hard to read.

    Args:
        images: [N, H, W, C], uint8 or float in [0, 1].
        side: the maximal longer side in pixels; the factor is an integer.

    Returns:
        float32 [N, k H, k W, C] in [0, 1], k >= 1.

    Raises:
        UserError: a wrong rank, dtype or range, or NaN.
    """
    images = as_images(images, "images")
    height, width = images.shape[1:3]
    factor = side // max(height, width)
    if factor < 2:
        return images
    larger = tf.image.resize(images, (factor * height, factor * width), method="bicubic")
    return np.clip(larger.numpy(), 0.0, 1.0)


def shrunk(images: npt.ArrayLike, side: int = 128) -> np.ndarray:
    """Shrinks large images, so that a page of them stays small.

    Args:
        images: [N, H, W, C], uint8 or float in [0, 1].
        side: the maximal longer side in pixels.

    Returns:
        float32 [N, H', W', C] in [0, 1].

    Raises:
        UserError: a wrong rank, dtype or range, or NaN.
    """
    images = as_images(images, "images")
    height, width = images.shape[1:3]
    if max(height, width) <= side:
        return images
    size = [max(1, round(edge * side / max(height, width))) for edge in (height, width)]
    return np.clip(tf.image.resize(images, size, antialias=True).numpy(), 0.0, 1.0)


def png_bytes(picture: np.ndarray) -> bytes:
    """A picture as the bytes of a PNG file.

    Args:
        picture: uint8 [H, W], or [H, W, C] with C of 1, 3 (RGB) or 4 (RGBA).

    Raises:
        ValueError: a wrong dtype or shape.
    """
    file = io.BytesIO()
    _as_pillow(picture).save(file, format="PNG")
    return file.getvalue()


def save_png(path: str | os.PathLike, picture: np.ndarray) -> None:
    """Writes a picture atomically.

    Args:
        path: file to write.
        picture: uint8 [H, W], or [H, W, C] with C of 1, 3 (RGB) or 4 (RGBA).

    Raises:
        ValueError: a wrong dtype or shape.
        UserError: the file cannot be written.
    """
    image = _as_pillow(picture)
    with atomically(path) as temporary:
        image.save(temporary, format="PNG")


def _as_pillow(picture: np.ndarray) -> Image.Image:
    picture = np.asarray(picture)
    if picture.ndim == 3 and picture.shape[2] == 1:
        picture = picture[:, :, 0]
    channels_fit = picture.ndim == 2 or (picture.ndim == 3 and picture.shape[2] in (3, 4))
    if picture.dtype != np.uint8 or not channels_fit:
        raise ValueError(
            "picture: expected uint8 [H, W], or [H, W, C] with 1, 3 or 4 channels, "
            f"got {picture.dtype} {picture.shape}"
        )
    return Image.fromarray(picture)
