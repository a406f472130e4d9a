"""Which examples are for training, validation and test."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import tensorflow as tf

from tf_bigan.data.images import ImageData
from tf_bigan.data.streaming import StreamedImages
from tf_bigan.errors import UserError

SPLITS = ("train", "validation", "test")
Images = ImageData | StreamedImages


def choose(parts: Mapping[str, Images], split: str, validation: int, seed: int) -> Images:
    """One split of a source's own parts ("train", perhaps "test" and "validation").

    Without a part of its own, "test" is 1/6 of the examples, drawn once and for all: the same
    for every `seed` and `validation`, so that results compare and no run trains on another's
    test. `validation` examples of the train part, drawn by `seed`, are "validation", the others
    "train". The chosen examples stay in the order of the source.
    """
    if split not in SPLITS:
        raise UserError(f"unknown split {split!r}: choose one of {', '.join(SPLITS)}")
    if validation < 0:
        raise UserError(f"validation={validation}: it must be 0 or more examples")
    train = parts["train"]
    test = parts.get("test")
    if test is None:
        test, train = _set_aside(train, max(1, len(train) // 6), seed=0)
    if split == "test":
        return test
    if validation:
        held_out, train = _set_aside(train, validation, seed)
        return held_out if split == "validation" else train
    if split == "train":
        return train
    if "validation" not in parts:
        raise UserError(
            f"{train.name} has no validation part of its own: take the test split, or train with "
            f"--validation=N (validation=N), which sets N of its {len(train)} examples aside"
        )
    return parts["validation"]


def balanced(images: Images, count: int, seed: int) -> Images:
    """`count` labelled examples, as many of each class that occurs, in the order of the source.

    What is left of an uneven division goes to classes drawn by `seed`, one example each. With the
    same seed, a larger count adds to the examples of a smaller one. The labels of streamed images
    are read once, without decoding an image.

    Raises UserError without labels, for fewer examples than classes, or too few in a class.
    """
    labels = _labels(images)
    classes = np.unique(labels)
    if count < len(classes):
        raise UserError(
            f"{images.name}: {count} labels are too few for {len(classes)} classes: "
            f"keep at least one of each (--labels={len(classes)})"
        )
    random = np.random.RandomState(seed % 2**32)  # frozen, see `_set_aside`
    share, rest = divmod(count, len(classes))
    wanted = share + (random.permutation(len(classes)) < rest)
    chosen = []
    for label, n in zip(classes, wanted, strict=True):
        members = np.flatnonzero(labels == label)
        if n > len(members):
            raise UserError(
                f"{images.name}: {count} balanced labels need {n} examples of class {label}, "
                f"which has {len(members)}: keep fewer labels (--labels)"
            )
        chosen.append(random.permutation(members)[:n])
    return images.subset(np.sort(np.concatenate(chosen)))


def _labels(images: Images) -> np.ndarray:
    """int64 [N]. Raises UserError if there are none, or they cannot be read."""
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
    raise UserError(f"{images.name} has no labels to keep some of: choose labelled images")


def _set_aside(images: Images, n: int, seed: int) -> tuple[Images, Images]:
    """(n examples chosen by `seed`, the others)."""
    if n >= len(images):
        raise UserError(
            f"{images.name}: cannot set {n} examples aside, there are {len(images)} to train on"
        )
    # The legacy generator is frozen: NumPy's newer ones may change between versions.
    order = np.random.RandomState(seed % 2**32).permutation(len(images))
    return images.subset(np.sort(order[:n])), images.subset(np.sort(order[n:]))
