"""Splits into training, validation and test examples."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated

import numpy as np
import tensorflow as tf

from tf_bigan.constraints import Seed, check
from tf_bigan.data.images import ImageData
from tf_bigan.data.streaming import StreamedImages
from tf_bigan.errors import UserError, counted

MOST_VALIDATION = 10_000
SPLITS = ("train", "validation", "test")
Images = ImageData | StreamedImages


def choose(parts: Mapping[str, Images], split: str, validation: int | None, seed: int) -> Images:
    """Selects one split from a source's parts ("train", optionally "test" and "validation").

    If the source has no test part, "test" is 1/6 of the examples, the same for every `seed` and
    `validation`, so that results are comparable and no run trains on test images of another.
    "validation" consists of `validation` examples of the train part, drawn by `seed`; "train" of
    the others. With `validation=None` it is the source's own validation part, or else 1/6 of the
    train part, at most `MOST_VALIDATION`, the same for every `seed`. Examples keep their order.

    Raises UserError for an unknown or missing split, or a number out of range.
    """
    if split not in SPLITS:
        raise UserError(f"unknown split {split!r}: choose one of {', '.join(SPLITS)}")
    if validation is not None:
        check("validation", validation, Annotated[int, "[0, inf)"])
    check("seed", seed, Seed)
    train = parts["train"]
    test = parts.get("test")
    least = 4 if test is None else 3  # one to train on; without validation two, to measure on
    way_out = f"give at least {least} images, or {least - 1} with validation=0"
    if "validation" in parts:
        way_out = "give at least 2 images"
    if test is None:
        test, train = _set_aside(train, max(1, len(train) // 6), 0, way_out)
    if split == "test":
        return test
    if validation is None and "validation" not in parts:
        validation, seed = max(2, min(len(train) // 6, MOST_VALIDATION)), 0
    elif len(train) > 1:
        way_out = f"give at most {len(train) - 1:,}"
    if validation:
        held_out, train = _set_aside(train, validation, seed, way_out)
        return held_out if split == "validation" else train
    if split == "train":
        return train
    if "validation" not in parts:
        raise UserError(
            f"{train.name} has no validation part: set validation=N, which reserves N of its "
            f"{len(train):,} training examples, or use the test split"
        )
    return parts["validation"]


def balanced(images: Images, n: int, seed: int) -> Images:
    """`n` labelled examples, balanced over the classes, in the order of the source.

    Uses `balanced_rows`. The labels of streamed images are read once, without decoding images.
    Raises UserError as `balanced_rows` does, and for images without labels.
    """
    return images.subset(balanced_rows(_labels(images), n, seed))


def balanced_rows(labels: np.ndarray, n: int, seed: int) -> np.ndarray:
    """Ascending row numbers [n] of random rows, balanced over the classes.

    If n is not a multiple of the number of classes, `seed` draws the classes that get one more
    row. If a class has too few rows, all of them are used, and more of the others. With the same
    seed, the rows for a larger n include those for a smaller n.

    Args:
        labels: integers [N].
        n: number of labelled examples, from the number of classes to N.
        seed: random seed of the choice.

    Raises:
        UserError: n or seed is out of range.
    """
    check("seed", seed, Seed)
    classes = np.unique(labels)
    if not len(classes) <= n <= len(labels):
        raise UserError(
            f"{n} labelled examples cannot be chosen: use at least {len(classes)}, one of each "
            f"class, and at most all {len(labels):,}"
        )
    random = np.random.RandomState(seed)  # frozen, see `_set_aside`
    first, turns, rows = random.permutation(len(classes)), [], []
    for label, place in zip(classes, first, strict=True):
        members = random.permutation(np.flatnonzero(labels == label))
        rows.append(members)
        # Cycles through the classes in one random order.
        turns.append(np.arange(len(members)) * len(classes) + place)
    order = np.argsort(np.concatenate(turns))
    return np.sort(np.concatenate(rows)[order[:n]])


def _labels(images: Images) -> np.ndarray:
    """Labels, int64 [N]. Raises UserError if there are none, or they cannot be read."""
    if isinstance(images, ImageData):
        if images.labels is not None:
            return images.labels
    elif images.has_labels:
        records = images.records.map(lambda record: record["label"])
        try:
            return np.fromiter(records.as_numpy_iterator(), np.int64)
        except tf.errors.OpError as error:
            reason = error.message.splitlines()[0]
            raise UserError(f"{images.name}: its labels cannot be read: {reason}") from error
    raise UserError(f"{images.name} has no labels: choose labelled images")


def _set_aside(images: Images, n: int, seed: int, way_out: str) -> tuple[Images, Images]:
    """(n examples chosen by `seed`, the others)."""
    if n >= len(images):
        raise UserError(
            f"{images.name}: cannot reserve {counted(n, 'example')} of {len(images):,}: {way_out}"
        )
    # The legacy generator is frozen; NumPy's newer ones may change between versions.
    order = np.random.RandomState(seed).permutation(len(images))
    return images.subset(np.sort(order[:n])), images.subset(np.sort(order[n:]))
