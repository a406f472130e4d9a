"""Closeness of numbers that another machine's arithmetic rounds in another way."""

import numpy as np


def assert_close(actual, desired, tol=1e-5, err_msg=""):
    """No entry of `actual` is further from `desired` than `tol` times the largest of |desired|.

    A sum in float32 is as exact as its largest terms, whatever they leave of each other: an entry
    near zero is not to be judged by its own size, nor one in the hundreds by that of 1. Where all
    of `desired` is zero, all of `actual` must be.
    """
    actual, desired = (np.asarray(a).astype(np.float64) for a in (actual, desired))
    assert actual.shape == desired.shape, (actual.shape, desired.shape)
    assert np.isfinite(desired).all()
    atol = tol * np.abs(desired).max()
    np.testing.assert_allclose(actual, desired, rtol=0, atol=atol, err_msg=err_msg)
