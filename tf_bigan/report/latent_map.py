"""The latent map: images at the positions of their codes."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from matplotlib import colormaps
from sklearn.decomposition import PCA

from tf_bigan.errors import UserError
from tf_bigan.evaluation.checks import as_images, as_labels, as_rows

_FRAME = 2  # width in pixels of a frame in the class's colour
_SHARE, _THUMBNAILS = 0.8, (24, 64)  # fraction of the average space per image; limits in pixels
_MARGIN = 0.01  # fraction of outlying codes per side; they would shrink all others


def latent_map(
    codes: npt.ArrayLike,
    images: npt.ArrayLike,
    labels: npt.ArrayLike | None = None,
    *,
    side: int = 1200,
) -> tuple[np.ndarray, float]:
    """Draws each image at the first two principal components of its code.

    Positions are rounded to a grid, so that images do not overlap: of the images in a cell, the
    one nearest to its centre is drawn.

    Args:
        codes: E(x) [N, latent_dim], N >= 2.
        images: x [N, H, W, C] in [0, 1], C of 1 or 3.
        labels: classes [N], shown by the colour of a frame, or None.
        side: approximate side of the picture in pixels. With more images each is smaller; they
            are enlarged or subsampled by integer factors.

    Returns:
        uint8 [S, S', 4], transparent where empty; and the components' share of the variance.

    Raises:
        UserError: arrays of a wrong shape, range or length, or NaN.
    """
    images = as_images(images, "images")
    codes = as_rows(codes, "codes")
    if len(codes) != len(images) or len(codes) < 2:
        raise UserError(f"codes: expected {len(images)} rows, one per image, got {len(codes)}")
    if images.shape[3] not in (1, 3):
        raise UserError(f"images: expected 1 or 3 channels, got {images.shape[3]}")
    if labels is not None:
        labels = as_labels(labels, "labels", len(images))
    thumbnail = int(np.clip(_SHARE * side / len(images) ** 0.5, *_THUMBNAILS))
    points, share = _principal(codes)
    tiles = _tiles(images, labels, thumbnail)  # [N, h, w, 4]
    height, width = tiles.shape[1:3]
    rows, columns = max(1, side // height), max(1, side // width)
    # Positions from 0 to `columns` and 0 to `rows`; the second component points upwards.
    places = points * [columns, rows]
    places[:, 1] = rows - places[:, 1]
    cells = np.clip(places.astype(int), 0, [columns - 1, rows - 1])
    distances = np.square(places - (cells + 0.5)).sum(axis=1)
    picture = np.zeros((rows, height, columns, width, 4), np.uint8)
    for index in np.argsort(-distances, kind="stable"):  # the nearest is drawn last
        column, row = cells[index]
        picture[row, :, column] = tiles[index]
    return picture.reshape(rows * height, columns * width, 4), share


def _principal(codes: np.ndarray) -> tuple[np.ndarray, float]:
    """(points [N, 2] in [0, 1], with outliers at the border; their share of the variance)."""
    if np.ptp(codes, axis=0).max() == 0:
        return np.full((len(codes), 2), 0.5), 1.0
    pca = PCA(min(2, codes.shape[1]), random_state=0)
    points = pca.fit_transform(codes.astype(np.float64))
    points = np.hstack([points, np.zeros((len(points), 2 - points.shape[1]))])
    low, high = np.quantile(points, [_MARGIN, 1 - _MARGIN], axis=0)
    spread = np.where(high > low, high - low, 1)
    return np.clip((points - low) / spread, 0, 1), float(pca.explained_variance_ratio_.sum())


def _tiles(images: np.ndarray, labels, thumbnail: int) -> np.ndarray:
    """uint8 [N, h, w, 4]: the images with frames."""
    longer = max(images.shape[1:3])
    factor, step = max(1, thumbnail // longer), max(1, longer // thumbnail)
    pixels = np.rint(images[:, ::step, ::step] * 255).astype(np.uint8)
    pixels = pixels.repeat(factor, axis=1).repeat(factor, axis=2)
    if pixels.shape[3] == 1:
        pixels = pixels.repeat(3, axis=3)
    count, height, width, _ = pixels.shape
    tiles = np.zeros((count, height + 2 * _FRAME, width + 2 * _FRAME, 4), np.uint8)
    tiles[..., 3] = 255
    if labels is not None:
        colours = colormaps["tab10" if len(np.unique(labels)) <= 10 else "tab20"]
        indices = np.unique(labels, return_inverse=True)[1] % colours.N
        tiles[..., :3] = np.rint(255 * np.asarray(colours.colors))[indices][:, None, None]
    tiles[:, _FRAME:-_FRAME, _FRAME:-_FRAME, :3] = pixels
    return tiles
