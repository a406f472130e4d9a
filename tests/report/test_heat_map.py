import numpy as np
import pytest

from tf_bigan.report import heat_maps


def brightness(maps):
    return maps.sum(axis=-1)


def test_brighter_where_the_difference_is_larger():
    x = np.zeros((1, 2, 2, 1), np.float32)
    x_rec = np.array([0, 0.1, 0.5, 1], np.float32).reshape(1, 2, 2, 1)
    maps = heat_maps(x, x_rec)
    assert maps.shape == (1, 2, 2, 3) and maps.dtype == np.float32
    values = brightness(maps).ravel()
    assert (np.diff(values) > 0).all() and values[0] < 0.05 and values[-1] > 2.3
    np.testing.assert_array_equal(heat_maps(x_rec, x), maps)  # whichever is larger


def test_maps_of_one_call_share_a_scale():
    x = np.zeros((2, 2, 2, 3), np.float32)
    x_rec = x.copy()
    x_rec[0, 0, 0, 0] = 0.9  # a mean of 0.3 over the channels
    x_rec[1, 0, 0] = 0.3
    x_rec[1, 1, 1] = 0.6
    maps = brightness(heat_maps(x, x_rec))
    assert maps[0, 0, 0] == pytest.approx(maps[1, 0, 0], abs=0.02)
    np.testing.assert_allclose(heat_maps(x, x_rec, scale=0.6), heat_maps(x, x_rec), atol=0.02)
    assert brightness(heat_maps(x, x_rec, scale=2.0)).max() < maps.max()
    assert brightness(heat_maps(x, x)).max() < 0.05


def test_bad_input():
    x = np.zeros((2, 2, 2, 1), np.float32)
    with pytest.raises(ValueError, match=r"^reconstructions: expected the shape of images"):
        heat_maps(x, x[:1])
    with pytest.raises(ValueError, match="^scale=0: it must be a float in"):
        heat_maps(x, x, scale=0)
