"""Images from a folder of PNG and JPEG files; subfolders are classes."""

from __future__ import annotations

import os
import warnings
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf
from PIL import Image

from tf_bigan.data import decoding
from tf_bigan.data.home import expanded
from tf_bigan.data.streaming import StreamedImages
from tf_bigan.errors import UserError

ENDINGS = (".png", ".jpg", ".jpeg")
OTHER_ENDINGS = (".webp", ".gif", ".bmp", ".tif", ".tiff")  # image formats that are skipped
PARTS = {"train": ("train",), "validation": ("val", "validation"), "test": ("test",)}
SHOWN = 5  # number of broken files named in a message


def open_folder(path: str, strict: bool = False) -> dict[str, StreamedImages]:
    """The parts of a folder: its subfolders train/ and test/ (and val/ or validation/) if it has
    the first two, else all of it as "train".

    A part holds its images directly (no labels), or has one subfolder per class. Classes are
    numbered in alphabetical order and may have nested subfolders. The images are grey if all files
    are. The files have a fixed shuffled order, so that the first n are a random sample.

    Broken files and those of other formats are skipped with a warning; with `strict` they raise
    UserError, as does a missing, unreadable or empty folder.
    """
    root = expanded(path)
    folders = _part_folders(root)
    listed = {part: _list(folder, strict) for part, folder in folders.items()}
    classes = sorted({name for files in listed.values() for _, name in files if name is not None})
    labelled = {part: files[0][1] is not None for part, files in listed.items()}
    if len(set(labelled.values())) > 1:
        flat = ", ".join(str(folders[part]) for part, has in labelled.items() if not has)
        raise UserError(
            f"{root}: {flat} has no subfolders for the classes, as the other parts have: sort its "
            "images into class subfolders, or move it away"
        )
    good = {part: _checked(folders[part], files, strict) for part, files in listed.items()}

    headers = [header for files in good.values() for _, _, header in files]

    def stream(files):
        order = np.random.RandomState(0).permutation(len(files))
        return _stream(root.name, [files[i] for i in order], headers, classes)

    return {part: stream(files) for part, files in good.items()}


def open_pictures(path: str, strict: bool = False) -> tuple[StreamedImages, list[str]]:
    """(all images in a folder and its subfolders, the files' paths relative to it), sorted by path.

    Files are read, skipped or refused as by `open_folder`.
    """
    root = expanded(path)
    try:
        found = _files(root, deep=True)
    except OSError as error:
        raise UserError(f"cannot read the folder {root}: {error.strerror}") from error
    _skip_others(root, found, strict)
    files = [(file, None) for file in found if file.suffix.lower() in ENDINGS]
    if not files:
        raise UserError(f"{root} holds no PNG or JPEG files, nor do its subfolders")
    good = _checked(root, files, strict)
    images = _stream(root.name, good, [header for _, _, header in good], [])
    return images, [file.relative_to(root).as_posix() for file, _, _ in good]


def _stream(name, files, headers, classes) -> StreamedImages:
    """Files with their classes, in this order; `headers` are those of all parts."""
    channels = 1 if all(grey for _, grey in headers) else 3
    sizes = {size for size, _ in headers}
    height, width = sizes.pop() if len(sizes) == 1 else (None, None)

    def decode(record):
        image = tf.numpy_function(
            lambda file: _pixels(os.fsdecode(file), channels), [record["image"]], tf.uint8
        )
        return {**record, "image": tf.ensure_shape(image, [height, width, channels])}

    records: Any = {"image": [os.fsencode(file) for file, *_ in files]}
    if classes:
        records["label"] = np.array([classes.index(label) for _, label, _ in files], np.int64)
    return StreamedImages(
        name=name,
        records=tf.data.Dataset.from_tensor_slices(records),
        num_examples=len(files),
        decode=decode,
        image_shape=(height, width, channels),
        has_labels=bool(classes),
        class_names=tuple(classes) or None,
        buffer_size=len(files),
    )


def _part_folders(root: Path) -> dict[str, Path]:
    found = {
        part: root / name
        for part, names in PARTS.items()
        for name in names
        if (root / name).is_dir()
    }
    if {"train", "test"} <= set(found):
        return found
    if found and set(_subfolders(root)) == set(found.values()):  # otherwise they are class names
        there = " and ".join(f"{folder.name}/" for folder in found.values())
        missing = "train" if "test" in found else "test"
        raise UserError(f"{root} has {there} but no {missing}/: add one, or rename another to it")
    return {"train": root}


def _subfolders(folder: Path) -> list[Path]:
    try:
        return sorted(f for f in folder.iterdir() if f.is_dir() and f.name[0] != ".")
    except OSError as error:
        raise UserError(f"cannot read the folder {folder}: {error.strerror}") from error


def _list(folder: Path, strict: bool) -> list[tuple[Path, str | None]]:
    """(file, its class) of all images in a folder, sorted by name."""
    try:
        all_files = [(file, None) for file in _files(folder, deep=False)]
        all_in_classes = [
            (file, sub.name) for sub in _subfolders(folder) for file in _files(sub, deep=True)
        ]
    except OSError as error:
        raise UserError(f"cannot read the folder {folder}: {error.strerror}") from error
    files, in_classes = (
        [(file, name) for file, name in found if file.suffix.lower() in ENDINGS]
        for found in (all_files, all_in_classes)
    )
    _skip_others(folder, [file for file, _ in all_files + all_in_classes], strict)
    if files and in_classes:
        raise UserError(
            f"{folder} has both images and subfolders with images ({files[0][0].name}, "
            f"{in_classes[0][1]}/): move them into a class, or away"
        )
    if not files and not in_classes:
        raise UserError(f"{folder} holds no PNG or JPEG files, nor do its subfolders")
    return files or in_classes


def _skip_others(folder: Path, files: list[Path], strict: bool) -> None:
    """Warns of images of other formats; with `strict` raises UserError."""
    others = [file for file in files if file.suffix.lower() in OTHER_ENDINGS]
    if others:
        message = f"{folder}: {len(others)} images are neither PNG nor JPEG, as {others[0].name}"
        if strict:
            raise UserError(message)
        warnings.warn(f"{message}; left out", stacklevel=2)


def _files(folder: Path, deep: bool) -> list[Path]:
    def stop(error: OSError):
        raise error

    found = []
    for directory, below, names in os.walk(folder, onerror=stop):
        found += [Path(directory, name) for name in names if name[0] != "."]
        below[:] = [name for name in below if deep and name[0] != "."]
    return sorted(found)


def _checked(folder, files, strict):
    """[(file, class, header)] of the readable files."""
    with ThreadPoolExecutor() as pool:
        headers = list(pool.map(lambda f: _header(f[0]), files))
    good = [(*file, header) for file, header in zip(files, headers, strict=True) if header]
    broken = [file.name for (file, _), header in zip(files, headers, strict=True) if not header]
    if broken:
        names = ", ".join(broken[:SHOWN]) + (", ..." if len(broken) > SHOWN else "")
        message = f"{folder}: {len(broken)} of {len(files)} images cannot be read: {names}"
        if strict or not good:
            raise UserError(message)
        warnings.warn(f"{message}; left out", stacklevel=2)
    return good


def _header(file: Path) -> tuple[tuple[int, int], bool] | None:
    """((H, W), whether it is grey) of a file that decodes completely, else None."""
    try:
        with Image.open(file) as image:
            size, grey = decoding.size(image), decoding.is_grey(image)
            image.draft(None, (1, 1))  # JPEG: an eighth of the size, much faster
            image.load()
            return size, grey
    except decoding.BROKEN:
        return None


def _pixels(file: str, channels: int) -> np.ndarray:
    """uint8 [H, W, channels]. Raises UserError if the file is no longer readable."""
    try:
        with Image.open(file) as image:
            return decoding.decode(image, channels)[0]
    except decoding.BROKEN as error:
        reason = getattr(error, "strerror", None) or error
        raise UserError(
            f"{file} cannot be read any more ({reason}): restore it, and start again to resume"
        ) from error
