"""Class labels of a user's arrays: any integers or strings, numbered 0 ... K-1."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping

import numpy as np
from absl import logging

from tf_bigan.data.images import ImageData
from tf_bigan.errors import UserError


def labelled_parts(
    name: str, arrays: Mapping[str, tuple[np.ndarray, np.ndarray | None]]
) -> dict[str, ImageData]:
    """{part: images} of {part: (uint8 [N, H, W, C], its labels or None)}.

    The K different values in the labels of all parts are the classes. Sorted, they become the
    labels 0 ... K-1, and their text the class names: 20240131 and 20240201 become 0 and 1 with
    the names "20240131" and "20240201".

    Raises UserError unless there is one integer or string for each image.
    """
    given = {
        part: _checked(name, part, images, labels)
        for part, (images, labels) in arrays.items()
        if labels is not None
    }
    if len({labels.dtype.kind for labels in given.values()}) > 1:
        raise UserError(f"{name}: some labels are integers and some are strings: use one type")
    classes = np.unique(np.concatenate(list(given.values()))) if given else np.empty(0)
    numbers = {part: np.searchsorted(classes, labels) for part, labels in given.items()}
    names = tuple(map(str, classes)) or None
    return {
        part: ImageData(name, images, numbers.get(part), names)
        for part, (images, _) in arrays.items()
    }


def renumbered(images: ImageData, class_names: tuple[str, ...] | None) -> ImageData:
    """The same images with the labels that their classes have among `class_names`.

    Every data set numbers its own classes, so that "dog" may be 1 here and 0 there. Classes that
    are not among `class_names` get the numbers after them, with a warning. Images stay as they are
    if either side has no names.
    """
    own = images.class_names
    if images.labels is None or not own or not class_names or own == class_names:
        return images
    unknown = [name for name in own if name not in class_names]
    if unknown:
        logging.warning(
            "%s: %s %s not among the classes of the training (%s)",
            images.name,
            ", ".join(unknown),
            "is" if len(unknown) == 1 else "are",
            ", ".join(class_names),
        )
    names = (*class_names, *unknown)
    numbers = np.array([names.index(name) for name in own])
    return dataclasses.replace(images, labels=numbers[images.labels], class_names=names)


def _checked(name: str, part: str, images: np.ndarray, labels: np.ndarray) -> np.ndarray:
    if labels.dtype.kind not in "iuU" or labels.ndim == 0 or labels.size != len(labels):
        raise UserError(
            f"{name}: the {part} labels have dtype {labels.dtype} and shape {labels.shape}: give "
            "one integer or string for each image, such as labels.astype(int)"
        )
    if len(labels) != len(images):
        raise UserError(f"{name}: {len(images)} {part} images, but {len(labels)} labels")
    labels = labels.reshape(-1)
    return labels if labels.dtype.kind == "U" else labels.astype(np.int64)
