"""Reads the image files of a folder, all in one size."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import numpy as np
import tensorflow as tf
from PIL import Image

from tf_bigan.data import decoding
from tf_bigan.data.folder import ENDINGS
from tf_bigan.data.images import convert
from tf_bigan.errors import UserError

SHOWN = 3  # number of broken files named in a message


def files_of(folder: Path) -> list[Path]:
    """The PNG and JPEG files in a folder and its subfolders, sorted by path.

    Raises:
        UserError: the folder cannot be read or has none.
    """

    def stop(error: OSError):
        raise UserError(f"cannot read the folder {error.filename}: {error.strerror}") from error

    found = []
    for directory, below, names in os.walk(folder, onerror=stop):
        below[:] = [name for name in below if name[0] != "."]
        found += [Path(directory, name) for name in names if name[0] != "."]
    found = sorted(file for file in found if file.suffix.lower() in ENDINGS)
    if not found:
        raise UserError(f"{folder} holds no PNG or JPEG files, nor do its subfolders")
    return found


def all_grey(files: list[Path]) -> bool:
    """Whether every file that can be opened is grey."""

    def grey(file: Path) -> bool:
        try:
            with Image.open(file) as image:
                return decoding.is_grey(image)
        except decoding.BROKEN:
            return True

    return all(map(grey, files))


def read(
    files: list[Path], image_size: tuple[int, int], channels: int
) -> tuple[list[Path], np.ndarray]:
    """(the files that could be read, uint8 [N, H, W, channels]).

    Broken files are left out, with a line on stderr.

    Raises:
        UserError: no file can be read.
    """
    good, images, broken = [], [], []
    for file in files:
        try:
            with Image.open(file) as image:
                pixels = decoding.decode(image, channels)[0]
        except decoding.BROKEN:
            broken.append(file)
            continue
        good.append(file)
        images.append(convert(tf.constant(pixels), image_size, channels).numpy())
    if broken:
        names = ", ".join(map(str, broken[:SHOWN])) + (", ..." if len(broken) > SHOWN else "")
        message = f"{len(broken)} of {len(files)} images cannot be read: {names}"
        if not good:
            raise UserError(message)
        print(f"{message}; left out", file=sys.stderr)
    return good, np.stack(images)
