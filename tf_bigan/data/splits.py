"""Which examples are for training, validation and test."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

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
            f"{train.name} has no validation part of its own: give validation=N (--validation=N) "
            f"to set N of its {len(train)} training examples aside"
        )
    return parts["validation"]


def _set_aside(images: Images, n: int, seed: int) -> tuple[Images, Images]:
    """(n examples chosen by `seed`, the others)."""
    if n >= len(images):
        raise UserError(
            f"{images.name}: cannot set {n} examples aside, there are {len(images)} to train on"
        )
    # The legacy generator is frozen: NumPy's newer ones may change between versions.
    order = np.random.RandomState(seed % 2**32).permutation(len(images))
    return images.subset(np.sort(order[:n])), images.subset(np.sort(order[n:]))
