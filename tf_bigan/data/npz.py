"""Images from a NumPy .npz file."""

from __future__ import annotations

import zipfile
import zlib

import numpy as np

from tf_bigan.data.home import expanded
from tf_bigan.data.images import ImageData
from tf_bigan.data.labels import labelled_parts
from tf_bigan.data.pixels import to_unit_range
from tf_bigan.errors import UserError

WHOLE = (("images", "labels"), ("x", "y"))
KEYS = {
    part: ((f"{part}_images", f"{part}_labels"), (f"x_{part}", f"y_{part}"))
    for part in ("train", "validation", "test")
}


def open_npz(path: str) -> dict[str, ImageData]:
    """The parts in the file.

    Keys: "images" and "labels", or "x" and "y"; or, for each part, "train_images" and
    "train_labels", or "x_train" and "y_train" ("train", "validation", "test"). The labels are
    optional; see `labelled_parts`. Images: [N, H, W] or [N, H, W, C] with pixels as in
    `to_unit_range`. Raises UserError for anything else.
    """
    try:
        file = np.load(expanded(path))
        if not isinstance(file, np.lib.npyio.NpzFile):
            raise UserError(f"{path} is a single array, not an .npz file: use np.savez")
        with file:
            parts = {part: _read(path, file, keys) for part, keys in _keys(path, file).items()}
    except UserError:
        raise
    except (OSError, ValueError, EOFError, zipfile.BadZipFile, zlib.error) as error:
        reason = getattr(error, "strerror", None) or error  # without the path again
        raise UserError(f"cannot read {path}: {reason}") from error
    return labelled_parts(str(path), parts)


def _keys(path, file) -> dict[str, tuple[str, str]]:
    """{part: (key of its images, key of its labels)}; the labels may be missing in the file."""
    found = {}
    for part, pairs in KEYS.items():
        pairs = (*WHOLE, *pairs) if part == "train" else pairs
        present = [pair for pair in pairs if pair[0] in file]
        if len(present) > 1:
            raise UserError(f"{path} has both '{present[0][0]}' and '{present[1][0]}': keep one")
        if present:
            found[part] = present[0]
    if "train" not in found:
        raise UserError(
            f"{path} has no key 'images', 'x', 'train_images' or 'x_train' "
            f"(its keys: {', '.join(file) or 'none'})"
        )
    return found


def _read(path, file, keys) -> tuple[np.ndarray, np.ndarray | None]:
    x_key, y_key = keys
    return _images(f"{path}: '{x_key}'", file[x_key]), file.get(y_key)


def _images(what, x) -> np.ndarray:
    if x.ndim not in (3, 4) or not x.size:
        raise UserError(f"{what} has shape {x.shape}, expected [N, H, W] or [N, H, W, C]")
    if x.ndim == 4 and x.shape[1] in (1, 3) and x.shape[3] > 4:
        raise UserError(
            f"{what} has shape {x.shape}, which looks like [N, C, H, W]; expected [N, H, W, C]: "
            "save images.transpose(0, 2, 3, 1)"
        )
    if x.dtype != np.uint8:
        x = np.rint(to_unit_range(x, what) * 255).astype(np.uint8)
    return x if x.ndim == 4 else x[..., None]
