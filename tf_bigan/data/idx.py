"""IDX, the format of the MNIST files: big-endian header, then bytes; gzipped or not."""

from __future__ import annotations

import gzip
import math
import struct
import zlib
from pathlib import Path

import numpy as np

from tf_bigan.data.home import expanded
from tf_bigan.data.images import ImageData
from tf_bigan.data.labels import labelled_parts
from tf_bigan.errors import UserError

PREFIXES = {"train": "train", "test": "t10k"}
IMAGES, LABELS = "images", "labels"
RANKS = {IMAGES: 3, LABELS: 1}


def open_idx(directory: str | Path, name: str = "idx") -> dict[str, ImageData]:
    """The parts in `directory`: {"train": ..., "test": ...}, the latter if it exists.

    Usual names: train-images-idx3-ubyte, train-labels-idx1-ubyte, t10k-..., with "-" or "." before
    "idx", plain or ".gz"; or one pair whose names contain "images" and "labels" (labels optional).
    Raises UserError for a missing, unreadable or damaged file.
    """
    files = list_files(directory)
    parts = {}
    for part, prefix in PREFIXES.items():
        images, labels = find(files, prefix, IMAGES), find(files, prefix, LABELS)
        if images:
            parts[part] = _read_pair(images, labels)
        elif labels:
            raise UserError(f"{directory}: {labels.name} exists, but its images are missing")
    if not parts:
        images, labels = ([f for f in files if word in f.name] for word in (IMAGES, LABELS))
        if len(images) != 1 or len(labels) > 1:
            raise UserError(
                f"{directory}: no IDX files found; expected train-images-idx3-ubyte and "
                f"train-labels-idx1-ubyte (t10k-... for the test part), or one pair, .gz or not"
            )
        parts["train"] = _read_pair(images[0], labels[0] if labels else None)
    if "train" not in parts:
        raise UserError(f"{directory}: train-images-idx3-ubyte is missing")
    return labelled_parts(name, parts)


def find(files: list[Path], prefix: str, kind: str) -> Path | None:
    """The file of this kind, by one of its usual names."""
    stems = [f"{prefix}-{kind}{dot}idx{RANKS[kind]}-ubyte" for dot in "-."]
    names = {stem + end for stem in stems for end in ("", ".gz")}
    return next((f for f in files if f.name in names), None)


def read(path: Path, kind: str) -> np.ndarray:
    """uint8 array [N, H, W] (kind "images") or [N] ("labels") of one IDX file."""
    try:
        data = path.read_bytes()
        if data[:2] == b"\x1f\x8b":
            data = gzip.decompress(data)
    except (OSError, EOFError, zlib.error) as error:
        raise UserError(f"cannot read {path}: {error}") from error
    rank = RANKS[kind]
    header = 4 + 4 * rank
    if data[:4] != bytes([0, 0, 8, rank]):
        raise UserError(
            f"{path} is not an IDX file of {kind}: it begins with {data[:4].hex()}, "
            f"expected 0000080{rank}"
        )
    if len(data) < header:
        raise UserError(f"{path}: expected a header of {header} bytes, found {len(data)} bytes")
    shape = struct.unpack(f">{rank}I", data[4:header])
    expected = header + math.prod(shape)
    if len(data) != expected:
        raise UserError(f"{path}: expected {expected} bytes for {shape}, found {len(data)} bytes")
    return np.frombuffer(data, np.uint8, offset=header).reshape(shape)


def _read_pair(images: Path, labels: Path | None) -> tuple[np.ndarray, np.ndarray | None]:
    """(uint8 [N, H, W, 1], uint8 [N])."""
    x = read(images, IMAGES)[..., None]
    y = read(labels, LABELS) if labels else None
    if not len(x):
        raise UserError(f"{images} holds no images")
    if y is not None and len(y) != len(x):
        raise UserError(f"{images} holds {len(x)} images, but {labels} {len(y)} labels")
    return x, y


def list_files(directory: str | Path) -> list[Path]:
    """Its files, sorted by name. Raises UserError if it cannot be read."""
    try:
        return sorted(f for f in expanded(directory).iterdir() if f.is_file())
    except OSError as error:
        raise UserError(f"cannot read the directory {directory}: {error.strerror}") from error
