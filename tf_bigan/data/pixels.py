"""Pixels as float32 in [0, 1]: the common rule for accepted images.

uint8 is divided by 255. Floats must be in [0, 1]; values outside by rounding errors, as from
scikit-learn's MinMaxScaler, are clipped. Everything else is an error, because guessing a range
may fail silently.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import tensorflow as tf

from tf_bigan.errors import UserError

ROUNDING = 1e-6  # tolerance of floats outside [0, 1]
_ACCEPTED = "pixels must be uint8 or floats in [0, 1]"
_FROM_BYTES = "divide by 255, or convert to uint8"  # where values may be those of bytes
_CONVERSIONS = {"bool": "convert to float", "uint16": "divide by 65535"}


def to_unit_range(images: npt.ArrayLike, name: str = "images") -> np.ndarray:
    """Pixels of any shape as float32 in [0, 1].

    Args:
        images: uint8 in 0..255, or floats in [0, 1]. float32 in range is returned without a copy.
        name: the argument's name, for the message.

    Raises:
        UserError: a wrong dtype, values outside [0, 1] by more than `ROUNDING`, or NaN.
    """
    images = np.asarray(images)
    if images.dtype == np.uint8:
        return np.divide(images, np.float32(255), dtype=np.float32)
    if images.dtype.kind != "f" and images.dtype.name != "bfloat16":
        raise UserError(_wrong_dtype(name, str(images.dtype)))
    if images.size == 0:
        return images.astype(np.float32)
    low, high = float(images.min()), float(images.max())
    if np.isnan(low):
        raise UserError(f"{name} contains NaN; {_ACCEPTED}: leave these images out")
    if low < -ROUNDING or high > 1 + ROUNDING:
        raise UserError(f"{name} has values from {low:g} to {high:g}; {_ACCEPTED}: {_FROM_BYTES}")
    images = images.astype(np.float32, copy=False)
    return images if low >= 0 and high <= 1 else images.clip(0, 1)


def _wrong_dtype(name: str, dtype: str) -> str:
    return f"{name} has dtype {dtype}; {_ACCEPTED}: {_CONVERSIONS.get(dtype, _FROM_BYTES)}"


def tensor_to_unit_range(images: tf.Tensor, name: str = "images") -> tf.Tensor:
    """The same for a tensor in a graph, for example in the function of `Dataset.map`.

    The dtype is checked when the graph is built (`tf.autograph.experimental.do_not_convert` on the
    mapped function keeps the error unchanged). The values are checked when it runs: TensorFlow
    raises InvalidArgumentError, which `tf_bigan.data.pipeline.user_errors` turns into UserError.
    """
    if images.dtype == tf.uint8:
        return tf.cast(images, tf.float32) / 255.0
    if not images.dtype.is_floating:
        raise UserError(_wrong_dtype(name, images.dtype.name))
    images = tf.cast(images, tf.float32)
    in_range = tf.reduce_all((images >= -ROUNDING) & (images <= 1 + ROUNDING))  # False for NaN
    message = f"UserError: {name} has values outside of [0, 1], or NaN; {_ACCEPTED}: {_FROM_BYTES}"
    with tf.control_dependencies([tf.debugging.Assert(in_range, [message])]):
        return tf.clip_by_value(images, 0.0, 1.0)
