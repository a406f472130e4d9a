"""Images from a folder of PNG and JPEG files; subfolders are classes."""

from __future__ import annotations

import warnings
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import tensorflow as tf

from tf_bigan.data.streaming import StreamedImages
from tf_bigan.errors import UserError

ENDINGS = (".png", ".jpg", ".jpeg")
PARTS = {"train": ("train",), "validation": ("val", "validation"), "test": ("test",)}
SHOWN = 5  # names of broken files in a message


def open_folder(path: str, strict: bool = False) -> dict[str, StreamedImages]:
    """The parts of a folder: its subfolders train/ and test/ (and val/ or validation/) if it has
    the first two, else all of it as "train".

    In each, the images lie side by side (no labels) or in one subfolder a class, numbered in the
    order of their names. Grey if all images are. The files come in a fixed mixed order, so that
    the first n are a fair sample of the classes.

    Broken files are left out with a warning, or refused if `strict`. Raises UserError for these,
    and for a missing, unreadable or empty folder.
    """
    root = Path(path).expanduser()
    folders = _part_folders(root)
    listed = {part: _list(folder) for part, folder in folders.items()}
    classes = sorted({name for files in listed.values() for _, name in files} - {None})
    good = {part: _checked(folders[part], files, strict) for part, files in listed.items()}

    headers = [header for files in good.values() for _, _, header in files]
    channels = 3 if any(colour for _, colour in headers) else 1
    sizes = {size for size, _ in headers}
    height, width = sizes.pop() if len(sizes) == 1 else (None, None)

    def decode(record):
        image = tf.numpy_function(
            lambda file: _pixels(file.decode(), channels), [record["image"]], tf.uint8
        )
        return {**record, "image": tf.ensure_shape(image, [height, width, channels])}

    def stream(files):
        order = np.random.RandomState(0).permutation(len(files))
        records = {"image": [str(files[i][0]) for i in order]}
        if classes:
            records["label"] = np.array([classes.index(files[i][1]) for i in order], np.int64)
        return StreamedImages(
            name=root.name,
            records=tf.data.Dataset.from_tensor_slices(records),
            num_examples=len(files),
            decode=decode,
            image_shape=(height, width, channels),
            has_labels=bool(classes),
            class_names=tuple(classes) or None,
            buffer_size=len(files),
        )

    return {part: stream(files) for part, files in good.items()}


def _part_folders(root: Path) -> dict[str, Path]:
    found = {
        part: root / name
        for part, names in PARTS.items()
        for name in names
        if (root / name).is_dir()
    }
    return found if {"train", "test"} <= set(found) else {"train": root}


def _list(folder: Path) -> list[tuple[Path, str | None]]:
    """(file, its class) of all images in a folder, by name."""
    try:
        files = [(file, None) for file in _images(folder)]
        subfolders = sorted(f for f in folder.iterdir() if f.is_dir() and f.name[0] != ".")
        in_classes = [(file, sub.name) for sub in subfolders for file in _images(sub)]
    except OSError as error:
        raise UserError(f"cannot read the folder {folder}: {error.strerror}") from error
    if files and in_classes:
        raise UserError(
            f"{folder} has images beside subfolders with images ({files[0][0].name}, "
            f"{in_classes[0][1]}/): move them into a class, or away"
        )
    if not files and not in_classes:
        raise UserError(f"{folder} holds no PNG or JPEG files, nor do its subfolders")
    return files or in_classes


def _images(folder: Path) -> list[Path]:
    return sorted(f for f in folder.iterdir() if f.suffix.lower() in ENDINGS and f.is_file())


def _checked(folder, files, strict):
    """[(file, class, header)] of the sound files."""
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
    """((H, W), colour or not) of a file that decodes to its end, else None."""
    from PIL import Image

    try:
        with Image.open(file) as image:
            width, height = image.size
            colour = not _is_grey(image)
            image.draft(None, (1, 1))  # JPEG: an eighth of the size, much faster
            image.load()
            return (height, width), colour
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError):
        return None


def _pixels(file: str, channels: int) -> np.ndarray:
    """uint8 [H, W, channels]."""
    from PIL import Image

    with Image.open(file) as image:
        if image.mode.startswith("I"):  # 16-bit grey, which PIL would clip
            grey = (np.asarray(image) // 257).astype(np.uint8)
            return np.repeat(grey[..., None], channels, axis=-1)
        if image.has_transparency_data:  # whose colours are no part of the picture
            image = image.convert("RGBA")
            image = Image.alpha_composite(Image.new("RGBA", image.size, "white"), image)
        pixels = np.asarray(image.convert("L" if channels == 1 else "RGB"))
        return pixels.reshape(*pixels.shape[:2], channels)


def _is_grey(image) -> bool:
    return image.mode in ("1", "L", "LA") or image.mode.startswith("I")
