"""Data sources: images in memory or streamed, and batches that resume at any step."""

from __future__ import annotations

import dataclasses
import numbers
import sys
from collections.abc import Mapping

from tf_bigan.data import digits, folder, idx, mnist, mnist_m, npz, splits, tfds
from tf_bigan.data.decoding import RESIZES, Resize, colour
from tf_bigan.data.home import expanded
from tf_bigan.data.images import ImageData, converted_shape
from tf_bigan.data.joined import JoinedBatches, semi_supervised, two_domains
from tf_bigan.data.labels import renumbered
from tf_bigan.data.pipeline import Batches
from tf_bigan.data.splits import Images
from tf_bigan.data.streaming import StreamedImages
from tf_bigan.errors import UserError, counted

__all__ = [
    "Batches",
    "Description",
    "ImageData",
    "JoinedBatches",
    "StreamedImages",
    "describe",
    "load",
    "load_parts",
    "renumbered",
    "semi_supervised",
    "two_domains",
]

FROM_PATH = {"folder": folder.open_folder, "npz": npz.open_npz, "idx": idx.open_idx}
MEMORY_LIMIT = 2**31  # bytes of decoded images
SAMPLED = 100  # images whose sizes are looked at where they vary


@dataclasses.dataclass(frozen=True)
class Description:
    """The images to train on, before any conversion.

    num_examples: their number.
    size: (H, W) if it is the same for all images.
    side: the median of their shorter sides.
    channels: 1 (grey) or 3, or whatever an array has.
    """

    num_examples: int
    size: tuple[int, int] | None
    side: int
    channels: int


def load(
    dataset: str,
    split: str = "train",
    *,
    data_dir: str | None = None,
    image_size: int | tuple[int, int] | None = None,
    channels: int | None = None,
    validation: int | None = 0,
    seed: int = 0,
    strict: bool = False,
    resize: Resize = "crop",
    background: str = "white",
    memory_limit: int = MEMORY_LIMIT,
) -> ImageData | StreamedImages:
    """Loads one split of an image data set.

    Args:
        dataset: "digits" (8x8, inside scikit-learn), "mnist", "mnist_m" (MNIST on patches of
            photographs, in colour), the name of any image data set of TensorFlow Datasets,
            "folder:DIR" (pictures of any kind, or a zip or tar file of them; subfolders are
            classes), "npz:FILE" or "idx:DIR".
        split: "train", "validation" or "test". If the source has no test part, a fixed 1/6 of its
            examples is used.
        data_dir: directory of the data sets; by default $TFDS_DATA_DIR or ~/tensorflow_datasets,
            and ~/.cache/tf_bigan for the MNIST files.
        image_size: side, or (H, W), in pixels; antialiased. None: no resizing.
        channels: 1 (grey, ITU-R BT.601), 3, or for folders 4 (RGBA). None: no conversion; a folder
            is grey if all of its pictures are, else RGB.
        validation: number of training examples, drawn by `seed`, to use for "validation" instead
            of "train". The BiGAN paper's MNIST split is validation=10_000. None: the source's own
            validation part, or else 1/6 of the training examples, at most 10,000, the same for
            every seed.
        seed: random seed, from 0 to 2**31 - 1.
        strict: raise an error for image files that cannot be used instead of skipping them with a
            warning.
        resize: how to change the aspect ratio: "crop" takes the middle, "pad" adds margins,
            "stretch" distorts.
        background: the colour behind transparent pixels and of the margins, by name or as #rrggbb.
        memory_limit: bytes of decoded images above which a folder or a TFDS data set is streamed
            (StreamedImages) instead of held in memory (ImageData).

    Raises:
        UserError: anything that is unknown, missing, unreadable or out of range.

    Example:
        train = tb.data.load("folder:pictures", "train", image_size=32)
        model.fit(train.batches(64, seed=0), epochs=10)
    """
    size = _size(image_size)
    if channels not in (None, 1, 3, 4):
        raise UserError(f"channels={channels}: choose 1 (grey), 3 (colour) or 4 (RGBA)")
    if resize not in RESIZES:
        raise UserError(f"resize={resize}: choose one of {', '.join(RESIZES)}")
    colour(background)
    origin, parts = _open(dataset, data_dir, strict, background)
    if isinstance(parts, folder.Folder):
        if size is None:
            parts.check_uniform()
        parts = parts.images(size, channels, resize, memory_limit)
    shapes = {part: converted_shape(p.image_shape, size, channels) for part, p in parts.items()}
    if len(set(shapes.values())) > 1:
        raise UserError(
            f"{dataset}: its parts differ in shape, {shapes}: set image_size=SIDE and channels=N"
        )
    images = splits.choose(parts, split, validation, seed)
    images = images.converted(size, channels, resize, background)
    if isinstance(images, StreamedImages):
        images = images.fixed(memory_limit)
    shape = "x".join(map(str, images.image_shape))
    how = "streamed" if isinstance(images, StreamedImages) else "in memory"
    count = counted(len(images), "image")
    message = f"{dataset} ({split}): {count} {shape}, {how}, from {origin}"
    print(message, file=sys.stderr)
    return images


def load_parts(
    dataset: str,
    *,
    data_dir: str | None = None,
    strict: bool = False,
    background: str = "white",
) -> Mapping[str, Images]:
    """All parts of a data set as its source has them: "train", and perhaps "test", "validation".

    Pictures of a folder are streamed, each in its own size. Arguments and errors as in `load`.
    """
    _, parts = _open(dataset, data_dir, strict, background)
    return parts.images() if isinstance(parts, folder.Folder) else parts


def describe(
    dataset: str,
    *,
    data_dir: str | None = None,
    validation: int | None = 0,
    seed: int = 0,
    strict: bool = False,
    background: str = "white",
) -> Description:
    """The images of `load`'s "train" before any conversion. Arguments and errors as there."""
    _, parts = _open(dataset, data_dir, strict, background)
    parts = parts.streamed() if isinstance(parts, folder.Folder) else parts
    train = splits.choose(parts, "train", validation, seed)
    height, width, channels = train.image_shape
    if None not in (height, width):
        return Description(len(train), (height, width), min(height, width), channels)
    assert isinstance(train, StreamedImages)
    return Description(
        len(train), None, train.shorter_side or train.sampled_side(SAMPLED), channels
    )


def _open(
    dataset, data_dir, strict, background
) -> tuple[str, Mapping[str, Images] | folder.Folder]:
    """(origin of the data, {part: images} or a `Folder`)."""
    try:
        return _opened(dataset, data_dir, strict, background)
    except PermissionError as error:
        raise UserError(f"{dataset}: no permission to read {error.filename}") from error


def _opened(dataset, data_dir, strict, background):
    if data_dir is not None and expanded(data_dir).is_file():
        raise UserError(f"data_dir={data_dir} is a file: give a directory")
    kind, colon, path = dataset.partition(":")
    if colon and kind in FROM_PATH:
        if not path:
            raise UserError(f"dataset={dataset} names nothing: a path must follow the colon")
        if kind == "folder":
            return path, folder.open_folder(path, strict, background)
        return path, FROM_PATH[kind](path)
    if dataset == "digits":
        return "scikit-learn", digits.open_digits()
    if dataset == "mnist":
        return mnist.open_mnist(data_dir)
    if dataset == "mnist_m":
        return mnist_m.open_mnist_m(data_dir)
    return tfds.open_tfds(dataset, data_dir)


def _size(image_size) -> tuple[int, int] | None:
    if image_size is None:
        return None
    both = list(image_size) if isinstance(image_size, list | tuple) else [image_size] * 2
    whole = all(isinstance(side, numbers.Integral) for side in both)
    if len(both) != 2 or not whole or min(both) < 1:
        raise UserError(f"image_size={image_size}: give a side or (height, width), at least 1")
    return int(both[0]), int(both[1])
