"""Input checks shared by the metrics: each failure is one ValueError that names the argument."""

import numpy as np

_RANGE_SLACK = 1e-4  # rounding of a sigmoid, or of (tanh + 1) / 2, in half precision sums
_LARGEST = 1e100  # sums of squares, and their products, are finite in float64
_SUM_SLACK = 1e-3  # of a softmax in float16 or bfloat16 outputs


def as_rows(array, name: str) -> np.ndarray:
    """Checks a batch of vectors (or images) and flattens it to real rows [N, D].

    Args:
        array: numbers [N, ...], N >= 1. Integers become float32.
        name: the argument's name, for the message.

    Raises:
        ValueError: if the array has rank < 2, is empty, or holds NaN, infinite or enormous values.
    """
    array = np.asarray(array)
    if array.ndim < 2 or array.size == 0:
        raise ValueError(f"{name}: expected a non-empty array [N, ...], got shape {array.shape}")
    if array.dtype.kind in "iub":
        array = array.astype(np.float32)
    if array.dtype not in (np.float32, np.float64):
        if array.dtype.kind not in "fV":  # V: bfloat16, as NumPy sees it
            raise ValueError(f"{name}: expected real numbers, got dtype {array.dtype}")
        array = array.astype(np.float32)
    if not np.isfinite(array).all():
        raise ValueError(f"{name}: expected finite values, found NaN or infinity")
    check_size(array, name, _LARGEST)
    return array.reshape(len(array), -1)


def as_features(array, name: str, least: int = 2) -> np.ndarray:
    """Checks features that must carry information, and flattens them as `as_rows` does.

    Args:
        array: numbers [N, ...].
        name: the argument's name, for the message.
        least: the fewest rows that the metric can work with.

    Raises:
        ValueError: also if there are fewer rows, or all rows are the same.
    """
    rows = as_rows(array, name)
    if len(rows) < least:
        raise ValueError(f"{name}: expected at least {least} rows, got {len(rows)}")
    if len(rows) > 1 and (rows == rows[0]).all():
        raise ValueError(f"{name}: expected rows that differ, all {len(rows)} are the same")
    return rows


def as_images(array, name: str) -> np.ndarray:
    """Checks a batch of images and returns it as a float array [N, H, W, C].

    Args:
        array: floats [N, H, W, C] in [0, 1], N >= 1.
        name: the argument's name, for the message.

    Raises:
        ValueError: if rank, dtype or range is another, or a value is NaN.
    """
    array = np.asarray(array)
    if array.ndim != 4 or array.size == 0:
        raise ValueError(f"{name}: expected non-empty images [N, H, W, C], got shape {array.shape}")
    if array.dtype.kind not in "fV":
        raise ValueError(
            f"{name}: expected float images in [0, 1], got dtype {array.dtype} (divide by 255?)"
        )
    if array.dtype not in (np.float32, np.float64):
        array = array.astype(np.float32)
    low, high = array.min(), array.max()
    if np.isnan(low):
        raise ValueError(f"{name}: expected finite values, found NaN")
    if low < -_RANGE_SLACK or high > 1 + _RANGE_SLACK:
        raise ValueError(f"{name}: expected pixels in [0, 1], found [{low:.4g}, {high:.4g}]")
    return array


def as_pixels(array, name: str) -> np.ndarray:
    """Images of uint8, or of floats as in `as_images`, as float32 in [0, 1]."""
    array = np.asarray(array)
    if array.dtype == np.uint8:
        return array.astype(np.float32) / np.float32(255)
    return as_images(array, name).astype(np.float32).clip(0.0, 1.0)


def as_image_pairs(x, x_rec, name: str = "images") -> tuple[np.ndarray, np.ndarray]:
    """Checks images and their reconstructions, two arrays of one shape, as `as_images` does.

    Args:
        x: floats [N, H, W, C] in [0, 1].
        x_rec: the same of their reconstructions.
        name: the first argument's name, for the message; the other's is "reconstructions".

    Raises:
        ValueError: also if the shapes differ.
    """
    x, x_rec = as_images(x, name), as_images(x_rec, "reconstructions")
    if x.shape != x_rec.shape:
        raise ValueError(
            f"reconstructions: expected the {name}' shape {x.shape}, got {x_rec.shape}"
        )
    return x, x_rec


def as_labels(array, name: str, count: int) -> np.ndarray:
    """Checks integer class labels [count].

    Raises:
        ValueError: if rank, dtype or length is another.
    """
    array = np.asarray(array)
    if array.ndim != 1 or array.dtype.kind not in "iu":
        raise ValueError(
            f"{name}: expected integers [N], got shape {array.shape}, dtype {array.dtype}"
        )
    if len(array) != count:
        raise ValueError(f"{name}: expected {count} labels, one a row, got {len(array)}")
    return array


def as_class_labels(array, name: str, count: int) -> np.ndarray:
    """Checks labels to learn from or to be found again: as `as_labels`, of at least two classes."""
    labels = as_labels(array, name, count)
    classes = np.unique(labels)
    if len(classes) < 2:
        raise ValueError(f"{name}: expected at least 2 classes, found {classes.tolist()}")
    return labels


def as_probabilities(array, name: str) -> np.ndarray:
    """Checks class probabilities and returns them as float64 [N, K], N >= 1, K >= 2.

    Raises:
        ValueError: if rank or dtype is another, a value is NaN or outside [0, 1], or a row does
            not sum to 1.
    """
    probabilities = np.asarray(array)
    if probabilities.ndim != 2 or len(probabilities) == 0 or probabilities.shape[1] < 2:
        raise ValueError(
            f"{name}: expected class probabilities [N, K] with K >= 2, "
            f"got shape {probabilities.shape}"
        )
    probabilities = as_rows(probabilities, name).astype(np.float64)
    low, high = probabilities.min(), probabilities.max()
    if low < 0 or high > 1 + _SUM_SLACK:
        raise ValueError(f"{name}: expected values in [0, 1], found [{low:.4g}, {high:.4g}]")
    sums = probabilities.sum(axis=1)
    worst = sums[np.abs(sums - 1).argmax()]
    if abs(worst - 1) > _SUM_SLACK:
        raise ValueError(f"{name}: expected rows that sum to 1, found a sum of {worst:.4g}")
    return probabilities


def check_count(value: int, name: str, low: int, high: int | None = None) -> None:
    """Raises ValueError unless `value` is an integer with low <= value <= high."""
    is_integer = isinstance(value, int | np.integer) and not isinstance(value, bool)
    if not is_integer or value < low or (high is not None and value > high):
        wanted = f"at least {low}" if high is None else f"from {low} to {high}"
        raise ValueError(f"{name}: expected an integer {wanted}, got {value!r}")


def check_positive(value: float, name: str) -> None:
    """Raises ValueError unless `value` is a finite number above 0."""
    if not (np.isscalar(value) and np.isreal(value) and 0 < value < np.inf):
        raise ValueError(f"{name}: expected a number above 0, got {value!r}")


def check_size(array: np.ndarray, name: str, most: float) -> None:
    """Raises ValueError if a value is so far from 0 that sums of squares would overflow."""
    largest = float(max(array.max(), -array.min()))
    if largest > most:
        raise ValueError(f"{name}: expected values up to {most:g} in size, found {largest:.4g}")


def check_same_image_shape(a: np.ndarray, a_name: str, b: np.ndarray, b_name: str) -> None:
    """Raises ValueError unless two batches of images have the same height, width and channels."""
    if a.shape[1:] != b.shape[1:]:
        raise ValueError(
            f"{b_name}: expected images {a.shape[1:]} as in {a_name}, got {b.shape[1:]}"
        )


def check_same_width(a: np.ndarray, a_name: str, b: np.ndarray, b_name: str) -> None:
    """Raises ValueError unless two arrays of rows have the same number of columns."""
    if a.shape[1] != b.shape[1]:
        raise ValueError(
            f"{b_name}: expected {a.shape[1]} values a row as in {a_name}, got {b.shape[1]}"
        )
