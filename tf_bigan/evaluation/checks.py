"""Checks of the metrics' input arrays, with one-line messages that name the argument."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from tf_bigan.data.pixels import to_unit_range
from tf_bigan.errors import UserError

_LARGEST = 1e100  # sums of squares, and their products, are finite in float64
_LARGEST_OF_FLOAT32 = 1e12  # sums of squares are finite in float32
_SUM_SLACK = 1e-3  # tolerance for a softmax in float16 or bfloat16


class Unmeasurable(UserError):
    """The arrays do not allow this metric: a wrong shape, too few rows, a single class."""


class NotFinite(Unmeasurable):
    """An array, for example the output of a diverged model, contains NaN or infinity."""


def as_rows(array: npt.ArrayLike, name: str, least: int = 1) -> np.ndarray:
    """Checks a batch of vectors (or images) and flattens it to real rows [N, D].

    Args:
        array: numbers [N, ...]. Dtypes other than float64 become float32, or float64 if values are
            so large that sums of squares would overflow.
        name: the argument's name, for the message.
        least: the minimal number of rows.

    Raises:
        Unmeasurable: the array has rank < 2, is empty, has fewer rows, or contains huge values.
        NotFinite: it contains NaN or infinity.
    """
    array = np.asarray(array)
    if array.ndim < 2 or array.size == 0:
        raise Unmeasurable(f"{name}: expected a non-empty array [N, ...], got shape {array.shape}")
    if array.dtype.kind not in "iubf" and array.dtype.name != "bfloat16":
        raise Unmeasurable(f"{name}: expected real numbers, got dtype {array.dtype}")
    if array.dtype != np.float64:
        array = array.astype(np.float32, copy=False)
    if not np.isfinite(array).all():
        raise NotFinite(f"{name}: expected finite values, found NaN or infinity")
    if len(array) < least:
        raise Unmeasurable(f"{name}: expected at least {least} rows, got {len(array)}")
    if check_size(array, name, _LARGEST) > _LARGEST_OF_FLOAT32:
        array = array.astype(np.float64, copy=False)
    return array.reshape(len(array), -1)


def as_features(array: npt.ArrayLike, name: str) -> np.ndarray:
    """Checks training features, and flattens them as `as_rows` does.

    Raises:
        Unmeasurable: as `as_rows`, or there is a single row, or all rows are equal.
    """
    rows = as_rows(array, name, least=2)
    if (rows == rows[0]).all():
        raise Unmeasurable(f"{name}: expected rows that differ, all {len(rows)} are the same")
    return rows


def as_images(array: npt.ArrayLike, name: str) -> np.ndarray:
    """Checks a batch of images and returns it as float32 [N, H, W, C] in [0, 1].

    Args:
        array: [N, H, W, C], uint8 or floats in [0, 1], N >= 1.
        name: the argument's name, for the message.

    Raises:
        Unmeasurable: a wrong rank, dtype or range.
        NotFinite: NaN or infinity.
    """
    array = np.asarray(array)
    if array.ndim != 4 or array.size == 0:
        raise Unmeasurable(
            f"{name}: expected non-empty images [N, H, W, C], got shape {array.shape}"
        )
    if array.dtype.kind == "f" and not np.isfinite([array.min(), array.max()]).all():
        raise NotFinite(f"{name}: expected finite values, found NaN or infinity")
    try:
        return to_unit_range(array, name)
    except UserError as error:
        raise Unmeasurable(str(error)) from None


def as_image_pairs(
    x: npt.ArrayLike, x_rec: npt.ArrayLike, name: str = "images"
) -> tuple[np.ndarray, np.ndarray]:
    """Checks images and their reconstructions, two arrays of equal shape, as `as_images` does.

    Args:
        x: images [N, H, W, C].
        x_rec: their reconstructions [N, H, W, C].
        name: the first argument's name, for the message; the other's is "reconstructions".

    Raises:
        Unmeasurable: as `as_images`, or the shapes differ.
    """
    x, x_rec = as_images(x, name), as_images(x_rec, "reconstructions")
    if x.shape != x_rec.shape:
        raise Unmeasurable(
            f"reconstructions: expected the shape of {name}, {x.shape}, got {x_rec.shape}"
        )
    return x, x_rec


def as_labels(array: npt.ArrayLike, name: str, count: int) -> np.ndarray:
    """Checks integer class labels [count].

    Raises:
        Unmeasurable: a wrong rank, dtype or length.
    """
    array = np.asarray(array)
    if array.ndim != 1 or array.dtype.kind not in "iu":
        raise Unmeasurable(
            f"{name}: expected integers [N], got shape {array.shape}, dtype {array.dtype}"
        )
    if len(array) != count:
        raise Unmeasurable(f"{name}: expected {count} labels, one per row, got {len(array)}")
    return array


def as_class_labels(array: npt.ArrayLike, name: str, count: int) -> np.ndarray:
    """Checks training labels: as `as_labels`, with at least two classes."""
    labels = as_labels(array, name, count)
    classes = np.unique(labels)
    if len(classes) < 2:
        raise Unmeasurable(f"{name}: expected at least 2 classes, found {classes.tolist()}")
    return labels


def as_probabilities(array: npt.ArrayLike, name: str) -> np.ndarray:
    """Checks class probabilities and returns them as float64 [N, K], N >= 1, K >= 2.

    Raises:
        Unmeasurable: a wrong rank or dtype, a value that is NaN or outside [0, 1], or a row that
            does not sum to 1.
    """
    probabilities = np.asarray(array)
    if probabilities.ndim != 2 or len(probabilities) == 0 or probabilities.shape[1] < 2:
        raise Unmeasurable(
            f"{name}: expected class probabilities [N, K] with K >= 2, "
            f"got shape {probabilities.shape}"
        )
    probabilities = as_rows(probabilities, name).astype(np.float64)
    low, high = probabilities.min(), probabilities.max()
    if low < 0 or high > 1 + _SUM_SLACK:
        raise Unmeasurable(f"{name}: expected values in [0, 1], found [{low:.4g}, {high:.4g}]")
    sums = probabilities.sum(axis=1)
    worst = sums[np.abs(sums - 1).argmax()]
    if abs(worst - 1) > _SUM_SLACK:
        raise Unmeasurable(f"{name}: expected rows that sum to 1, found a sum of {worst:.4g}")
    return probabilities


def as_classification(
    train_features: npt.ArrayLike,
    train_labels: npt.ArrayLike,
    test_features: npt.ArrayLike,
    test_labels: npt.ArrayLike,
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Checks training features, test features, and the labels of both.

    Returns:
        Rows [N, D], labels [N], rows [M, D], labels [M]; the rows have one dtype.

    Raises:
        Unmeasurable: empty, constant or non-finite features, unequal widths, a wrong number of
            labels, or a single training class.
    """
    train = as_features(train_features, "train_features")
    test = as_rows(test_features, "test_features")
    check_same_width(train, "train_features", test, "test_features")
    dtype = np.result_type(train, test)
    return (
        train.astype(dtype, copy=False),
        as_class_labels(train_labels, "train_labels", len(train)),
        test.astype(dtype, copy=False),
        as_labels(test_labels, "test_labels", len(test)),
    )


def check_size(array: np.ndarray, name: str, most: float) -> float:
    """The largest size. Raises Unmeasurable if sums of squares of such values would overflow."""
    largest = float(max(array.max(), -array.min()))
    if largest > most:
        raise Unmeasurable(f"{name}: expected values up to {most:g} in size, found {largest:.4g}")
    return largest


def check_same_image_shape(a: np.ndarray, a_name: str, b: np.ndarray, b_name: str) -> None:
    """Raises Unmeasurable unless two batches of images have the same height, width, channels."""
    if a.shape[1:] != b.shape[1:]:
        raise Unmeasurable(
            f"{b_name}: expected images {a.shape[1:]} as in {a_name}, got {b.shape[1:]}"
        )


def check_same_width(a: np.ndarray, a_name: str, b: np.ndarray, b_name: str) -> None:
    """Raises Unmeasurable unless two arrays of rows have the same number of columns."""
    if a.shape[1] != b.shape[1]:
        raise Unmeasurable(
            f"{b_name}: expected {a.shape[1]} values per row as in {a_name}, got {b.shape[1]}"
        )
