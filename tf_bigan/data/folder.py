"""Pictures from a folder, or a zip or tar file of one, as they come."""

from __future__ import annotations

import hashlib
import os
import warnings
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import PIL
import tensorflow as tf
from tqdm import tqdm

from tf_bigan.data import archive, cache, decoding
from tf_bigan.data.home import expanded
from tf_bigan.data.images import ImageData, Shape
from tf_bigan.data.listing import UNREADABLE, File, Listing, described, listed, printable
from tf_bigan.data.streaming import StreamedImages
from tf_bigan.errors import UserError, drawable

PROBLEMS = ("", *decoding.KINDS, UNREADABLE)
# What the first reading of a file finds out: a problem, or the decoded height, width and whether it
# is grey, the notes of decoding as bits, and a hash of the content.
FOUND = np.dtype(
    [
        *(("problem", "u1"), ("height", "u4"), ("width", "u4")),
        *(("grey", "?"), ("notes", "u1"), ("content", "u8")),
    ]
)
VERSION = 2  # of what the cache keeps
MAX_BYTES = 2**30  # of a file: the most pixels, as four numbers of 16 bits, take 0.4 GB
NOT_REFUSED = {"other files"}
COUNTED = {
    decoding.TURNED: "turned as their EXIF entry says",
    decoding.FIRST: "with several frames, of which the first is used",
    decoding.DEEP: "with more than 8 bits, reduced to 8",
    decoding.PRINTED: "in printing colours (CMYK), converted",
}


@dataclass(frozen=True)
class Folder:
    """The pictures of a folder that can be used.

    parts: {"train", "validation", "test": numbers of their files}, in a fixed shuffled order, so
      that the first n are a random sample; or sorted by path if it was opened for that.
    labels: int64 [files], or None.
    found: `FOUND` [files].
    """

    root: Path
    files: list[File]
    parts: dict[str, np.ndarray]
    labels: np.ndarray | None
    class_names: tuple[str, ...] | None
    found: np.ndarray
    background: str

    @property
    def channels(self) -> int:
        """1 if all pictures are grey, else 3."""
        return 1 if self.found["grey"].all() else 3

    @property
    def size(self) -> tuple[int, int] | None:
        """(H, W) if it is the same for all pictures."""
        sizes = np.unique(self.found[["height", "width"]])
        return (int(sizes["height"][0]), int(sizes["width"][0])) if len(sizes) == 1 else None

    def check_uniform(self) -> None:
        """Raises UserError, with examples, if the pictures differ in size."""
        if self.size is None:
            sizes = [f"{h}×{w}" for h, w in self.found[["height", "width"]]]
            other = next(row for row, size in enumerate(sizes) if size != sizes[0])
            shown = (f"{self.files[row].relative} is {sizes[row]}" for row in (0, other))
            raise UserError(
                f"{self.root}: the images differ in size ({', '.join(map(printable, shown))}, of "
                f"{len(set(sizes)):,} sizes): set image_size=SIDE to resize them"
            )

    def images(
        self,
        size: tuple[int, int] | None = None,
        channels: int | None = None,
        resize: decoding.Resize = "crop",
        memory_limit: int = 0,
    ) -> dict[str, ImageData | StreamedImages]:
        """The parts, in memory if all pictures fit into `memory_limit` bytes, else streamed.

        Pictures in memory are decoded only once, and then come from the cache. Without a `size`,
        pictures that differ are streamed as they are.

        Args:
            size: (H, W) of all pictures; None: as they are.
            channels: 1, 3 or 4; None: see `channels`.
            resize: as in `decoding.fitted`.
            memory_limit: in bytes.
        """
        transparent = _noted(decoding.BLENDED, self.files, self.found)
        if transparent and channels != 4:
            text = described({f"transparent, blended with {self.background}": transparent})
            warnings.warn(f"{self.root}: {text}: channels=4 keeps them so", stacklevel=3)
        height, width, depth = shape = self._shape(size, channels)
        if height is None or len(self.files) * height * width * depth > memory_limit:
            return {**self.streamed(size, channels, resize)}
        form = (shape, resize, self.background)
        key = cache.key_of("pictures", VERSION, PIL.__version__, *form, _state(self.files))
        pixels = cache.cached(key, lambda: self._decoded(form))
        return {
            part: ImageData(
                self.root.name,
                np.asarray(pixels[rows]),
                None if self.labels is None else self.labels[rows],
                self.class_names,
            )
            for part, rows in self.parts.items()
        }

    def streamed(
        self,
        size: tuple[int, int] | None = None,
        channels: int | None = None,
        resize: decoding.Resize = "crop",
    ) -> dict[str, StreamedImages]:
        """The parts, as in `images`, but always streamed, and without a word."""
        form = (self._shape(size, channels), resize, self.background)
        return {part: self._streamed(rows, form) for part, rows in self.parts.items()}

    def _shape(self, size, channels) -> Shape:
        height, width = size or self.size or (None, None)
        return height, width, channels or self.channels

    def _decoded(self, form) -> np.ndarray:
        shape, resize, background = form
        pixels = np.empty((len(self.files), *shape), np.uint8)
        paths = [os.fsencode(file.path) for file in self.files]
        decode = partial(_pixels, shape=shape, resize=resize, background=background)
        for row, picture in enumerate(_in_threads(decode, paths, "decoding")):
            pixels[row] = picture
        return pixels

    def _streamed(self, rows, form) -> StreamedImages:
        shape, resize, background = form
        records = {"image": [os.fsencode(self.files[row].path) for row in rows]}
        if self.labels is not None:
            records["label"] = self.labels[rows]  # pyright: ignore[reportArgumentType]
        pixels = partial(_pixels, shape=shape, resize=resize, background=background)

        def decode(record):
            image = tf.numpy_function(pixels, [record["image"]], tf.uint8)
            return {**record, "image": tf.ensure_shape(image, shape)}

        digest = hashlib.sha256(self.found["content"][rows].tobytes())
        if self.labels is not None:
            digest.update(self.labels[rows].tobytes())
        return StreamedImages(
            name=self.root.name,
            records=tf.data.Dataset.from_tensor_slices(records),
            num_examples=len(rows),
            decode=decode,
            image_shape=shape,
            has_labels=self.labels is not None,
            class_names=self.class_names,
            buffer_size=len(rows),
            shorter_side=int(np.median(np.minimum(self.found["height"], self.found["width"]))),
            fingerprint=digest.hexdigest(),
        )


def open_folder(
    path: str, strict: bool = False, background: str = "white", structured: bool = True
) -> Folder:
    """The pictures of a folder, or of a zip or tar file of one.

    Its subfolders train/, val/ and test/, whatever their case and with other usual names, are the
    parts, if there is the first and one of the others; else all of it is "train". A part holds its
    pictures directly (no labels), or has one subfolder per class, numbered in alphabetical order,
    which may have nested subfolders; a dataset.json in the style of StyleGAN's tools gives integer
    labels instead. A folder that holds only one other folder, or only one with pictures
    if it has subfolders of them, stands for that one.

    What is not used is counted in a warning, by kind, and so is what was converted. Hidden files
    and the litter of operating systems are passed over.

    Args:
        path: of the folder or file.
        strict: raise an error where a picture would be left out.
        background: a colour to blend transparent pixels with.
        structured: as above. Otherwise all pictures are "train", sorted by path, without labels.

    Raises:
        UserError: it is missing, unreadable, without pictures, or of an unclear structure; with
            `strict` also if anything is left out.
    """
    given = expanded(path)
    decoding.colour(background)
    source = archive.unpacked(given) if os.path.isfile(given) else given
    # A relative path means another folder, in the cache and while streaming, after a chdir.
    listing = listed(Path(os.path.abspath(source)), structured, given)
    pairs = [pair for pairs in listing.parts.values() for pair in pairs]
    files = [file for file, _ in pairs]
    known = (VERSION, PIL.__version__, decoding.formats())
    key = cache.key_of("found", *known, background, _state(files))
    found = _looked_at_again(
        cache.cached(key, lambda: _survey(files, background)), files, background
    )
    good = found["problem"] == 0
    for file, problem in zip(files, found["problem"], strict=True):
        if problem:
            listing.left_out[PROBLEMS[problem]].append(file.relative)
    _tell(
        given, listing, [f for f, use in zip(files, good, strict=True) if use], found[good], strict
    )
    labels, class_names = _numbered([label for _, label in pairs])
    parts, start = {}, 0
    for part, inside in listing.parts.items():
        rows = np.flatnonzero(good[start : start + len(inside)]) + start
        start += len(inside)
        if not len(rows):
            raise UserError(f"{given}: none of the {part} pictures can be read")
        renumbered = np.cumsum(good)[rows] - 1
        if structured:
            renumbered = renumbered[np.random.RandomState(0).permutation(len(rows))]
        parts[part] = renumbered
    return Folder(
        root=given,
        files=[file for file, use in zip(files, good, strict=True) if use],
        parts=parts,
        labels=None if labels is None else labels[good],
        class_names=class_names,
        found=found[good],
        background=background,
    )


def _state(files: list[File]) -> list:
    return [(file.path, *file.status) for file in files]


def _numbered(labels: list) -> tuple[np.ndarray | None, tuple[str, ...] | None]:
    if labels[0] is None:
        return None, None
    names = sorted(set(labels))
    numbers = {name: number for number, name in enumerate(names)}
    texts = tuple(drawable(str(name)) for name in names)
    return np.array([numbers[label] for label in labels], np.int64), texts


def _tell(root: Path, listing: Listing, files, found, strict: bool):
    """Warns of what was left out, converted or decided; raises UserError if it is not allowed."""
    left_out = listing.left_out
    refused = {kind: names for kind, names in left_out.items() if kind not in NOT_REFUSED}
    if strict and files and any(refused.values()):
        way_out = "remove or repair them, or leave out --strict_data"
        raise UserError(f"{root}: {_left_out(refused, len(files))}: {way_out}")
    if any(left_out.values()):
        message = f"{root}: {_left_out(left_out, len(files))}"
        if not files:
            raise UserError(message)
        warnings.warn(message, stacklevel=3)
    noted = {}
    for note, kind in COUNTED.items():
        noted[kind] = _noted(note, files, found)
    _, first = np.unique(found["content"], return_index=True)
    copies = np.setdiff1d(np.arange(len(files)), first)
    noted["exact copies of others"] = [files[row].relative for row in copies]
    if text := described(noted):
        listing.notes.append(text)
    if listing.notes:
        warnings.warn(f"{root}: {'; '.join(listing.notes)}", stacklevel=3)


def _noted(note: str, files: list[File], found: np.ndarray) -> list[str]:
    """The names of files with one of `decoding.NOTES`."""
    rows = np.flatnonzero(found["notes"] & (1 << decoding.NOTES.index(note)))
    return [files[row].relative for row in rows]


def _left_out(kinds: Mapping[str, list[str]], used: int) -> str:
    count = sum(map(len, kinds.values()))
    return f"{count:,} of {used + count:,} left out: {described(kinds)}"


def _survey(files: list[File], background: str) -> np.ndarray:
    paths = [file.path for file in files]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Pillow's, of large pictures and damaged EXIF entries
        look = partial(_look, background=background)
        return np.fromiter(_in_threads(look, paths, "reading"), FOUND, len(files))


def _looked_at_again(found: np.ndarray, files: list[File], background: str) -> np.ndarray:
    """`found`, with new entries of files whose problem may have passed since it was kept."""
    passing = [PROBLEMS.index(problem) for problem in ("too large", UNREADABLE)]
    rows = np.flatnonzero(np.isin(found["problem"], passing))
    if len(rows):
        found = np.array(found)
        found[rows] = _survey([files[row] for row in rows], background)
    return found


def _look(path: str, background: str) -> tuple:
    """The fields of `FOUND` of a file."""
    try:
        with open(path, "rb") as file:
            if os.fstat(file.fileno()).st_size > MAX_BYTES:
                raise decoding.NoPicture("too large")
            data = file.read()
        content = int.from_bytes(hashlib.sha256(data).digest()[:8], "big")
        with decoding.open_picture(data) as image:
            height, width = decoding.size(image)
            image.draft(None, (1, 1))  # JPEG: an eighth of the size, much faster
            pixels, notes = decoding.decode(image, background=background)
    except decoding.NoPicture as reason:
        return PROBLEMS.index(reason.kind), 0, 0, False, 0, 0
    except OSError:
        return PROBLEMS.index(UNREADABLE), 0, 0, False, 0, 0
    bits = sum(1 << decoding.NOTES.index(note) for note in notes)
    return 0, height, width, pixels.shape[-1] == 1, bits, content


def _pixels(path: bytes, shape: Shape, resize: decoding.Resize, background: str) -> np.ndarray:
    """uint8 [H, W, C]. Raises UserError if the file is no longer readable."""
    *size, channels = shape
    size = None if None in size else (size[0], size[1])
    file = os.fsdecode(path)
    try:
        with decoding.open_picture(file) as image:
            return decoding.decode(image, channels, size, resize, background)[0]
    except (decoding.NoPicture, OSError) as error:
        reason = getattr(error, "strerror", None) or error
        raise UserError(
            f"{file} cannot be read any more ({reason}): restore it, and start again"
        ) from error


def _in_threads(function: Callable, items: list, doing: str) -> Iterator:
    """The results in order, with a progress bar on a terminal."""
    pool = ThreadPoolExecutor()
    try:
        results = pool.map(function, items)
        yield from tqdm(results, doing, len(items), disable=None, leave=False, unit=" pictures")
    finally:  # after an error or Ctrl-C nobody waits for the rest
        pool.shutdown(cancel_futures=True)
