"""Input checks shared by the metrics: each failure is one ValueError that names the argument."""

import numpy as np

_RANGE_SLACK = 1e-4  # rounding of a sigmoid, or of (tanh + 1) / 2, in half precision sums


def as_rows(array, name: str) -> np.ndarray:
    """Checks a batch of vectors (or images) and flattens it to real rows [N, D].

    Args:
        array: numbers [N, ...], N >= 1. Integers become float32.
        name: the argument's name, for the message.

    Raises:
        ValueError: if the array has rank < 2, is empty, or holds NaN or infinite values.
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
    return array.reshape(len(array), -1)


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


def check_same_width(a: np.ndarray, a_name: str, b: np.ndarray, b_name: str) -> None:
    """Raises ValueError unless two arrays of rows have the same number of columns."""
    if a.shape[1] != b.shape[1]:
        raise ValueError(
            f"{b_name}: expected {a.shape[1]} values a row as in {a_name}, got {b.shape[1]}"
        )
