"""Which pixels are accepted, in NumPy and in TensorFlow alike."""

import ml_dtypes
import numpy as np
import pytest
import tensorflow as tf

from tf_bigan.data.pipeline import user_errors
from tf_bigan.data.pixels import tensor_to_unit_range, to_unit_range
from tf_bigan.errors import UserError


def as_array(images):
    return to_unit_range(images, "x")


def as_dataset(images):
    @tf.autograph.experimental.do_not_convert
    def convert(image):
        return tensor_to_unit_range(image, "x")

    with user_errors():
        return tf.data.Dataset.from_tensors(images).map(convert).get_single_element()


BOTH = pytest.mark.parametrize("convert", [as_array, as_dataset])


@BOTH
def test_accepted_pixels(convert):
    for given, expected in (
        (np.array([0, 51, 255], np.uint8), [0, 0.2, 1]),
        (np.array([0, 0.2, 1], np.float64), [0, 0.2, 1]),
        (np.array([-1e-7, 0.5, 1.0000001], np.float32), [0, 0.5, 1]),  # by rounding
        (np.array([0, 0.5, 1], np.float16), [0, 0.5, 1]),
        (np.array([0, 0.5, 1], ml_dtypes.bfloat16), [0, 0.5, 1]),
    ):
        got = np.asarray(convert(given))
        assert got.dtype == np.float32 and got.min() == 0 and got.max() == 1
        np.testing.assert_allclose(got, expected, rtol=1e-7)


@BOTH
def test_refused_pixels(convert):
    for given, message in (
        (np.array([0.0, 255.0]), "x has values .*; .*: divide by 255, or convert to uint8$"),
        (np.array([0.0, 1.00001]), "x has values"),
        (np.array([-0.5, 0.5]), "x has values"),
        (np.array([0.5, np.nan]), "x .*NaN"),
        (np.array([0.5, np.inf]), "x has values"),
        (np.array([0, 1]), "x has dtype int64; .*: divide by 255, or convert to uint8$"),
        (np.array([0, 1], np.uint16), "x has dtype uint16; .*: divide by 65535$"),
        (np.array([False, True]), "x has dtype bool; .*: convert to float$"),
    ):
        with pytest.raises(UserError, match=message):
            convert(given)


def test_both_divide_alike():
    grey = np.arange(256, dtype=np.uint8)
    np.testing.assert_array_equal(as_array(grey), as_dataset(grey))


def test_nothing_is_copied_in_vain():
    images = np.linspace(0, 1, 5, dtype=np.float32)
    assert as_array(images) is images
    assert as_array(images[:0]).shape == (0,)
