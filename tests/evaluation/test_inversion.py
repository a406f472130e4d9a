import tracemalloc

import numpy as np
import pytest

from tf_bigan.evaluation import InversionError, inversion_error, to_uint8_levels
from tf_bigan.evaluation import inversion as module


def test_by_hand():
    images = np.zeros((3, 1, 2, 1))
    images[:, 0, :, 0] = [[0, 0], [1, 0], [1, 1]]
    reconstructions = np.zeros((3, 1, 2, 1))
    reconstructions[:, 0, :, 0] = [[0.6, 0.8], [1, 0], [0.5, 1]]
    error, baseline = inversion_error(images, reconstructions)
    # ||(.6, .8)|| = 1, 0, .5
    assert error == pytest.approx(1.5 / 3)
    # Each with the next image: (1, 0) - (.6, .8); (1, 1) - (1, 0); (0, 0) - (.5, 1)
    assert baseline == pytest.approx((np.sqrt(0.8) + 1 + np.sqrt(1.25)) / 3)


def test_the_norm_is_not_squared_and_runs_over_all_axes():
    images = np.zeros((2, 3, 4, 3), np.float32)
    error, baseline = inversion_error(images, np.full_like(images, 0.5))
    assert error == pytest.approx(3) and baseline == pytest.approx(3)  # sqrt(36 / 4)


def test_identity_has_no_error_but_a_baseline():
    images = np.random.default_rng(0).random((20, 4, 4, 1)).astype(np.float32)
    error, baseline = inversion_error(images, images)
    expected = np.sqrt(((images - np.roll(images, -1, axis=0)) ** 2).sum(axis=(1, 2, 3))).mean()
    assert error == 0
    assert baseline == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("size", [1, 2, 7, 23])
def test_blocks_of_any_size_give_the_same(size):
    rng = np.random.default_rng(1)
    images, reconstructions = rng.random((2, 23, 5, 4, 1)).astype(np.float32)
    running = InversionError()
    for start in range(0, 23, size):
        rows = slice(start, start + size)
        running.update(images[rows], reconstructions[rows])
    expected = inversion_error(images, reconstructions)
    assert running.result() == pytest.approx(expected, rel=1e-12)
    distances = np.sqrt(((np.roll(images, -1, 0) - reconstructions) ** 2).sum(axis=(1, 2, 3)))
    assert running.result()[1] == pytest.approx(distances.mean(), rel=1e-5)


def test_large_images_take_no_memory_of_their_differences(monkeypatch):
    images, reconstructions = np.random.default_rng(0).random((2, 300, 50, 40, 1), np.float32)
    expected = inversion_error(images, reconstructions)
    monkeypatch.setattr(module, "_BLOCK_VALUES", 20_000)
    tracemalloc.start()
    try:
        assert inversion_error(images, reconstructions) == pytest.approx(expected, rel=1e-12)
        assert tracemalloc.get_traced_memory()[1] < images.nbytes / 2
    finally:
        tracemalloc.stop()


def test_uint8_levels_survive_a_file():
    images = np.random.default_rng(2).random((100, 8, 8, 1))
    rounded = to_uint8_levels(images)
    stored = np.rint(rounded * 255).astype(np.uint8)
    assert rounded.dtype == np.float32
    np.testing.assert_array_equal(stored.astype(np.float32) / np.float32(255), rounded)
    assert abs(rounded - images).max() <= 0.5 / 255 + 1e-7
    np.testing.assert_allclose(
        to_uint8_levels(np.array([-0.1, 0.4 / 255, 0.6 / 255, 1.1])), [0, 0, 1 / 255, 1], rtol=1e-6
    )


@pytest.mark.parametrize(
    ("images", "reconstructions", "message"),
    [
        (np.zeros((2, 2, 2, 1)), np.zeros((2, 2, 2, 3)), r"^reconstructions: .* \(2, 2, 2, 3\)"),
        (np.zeros((1, 2, 2, 1)), np.zeros((1, 2, 2, 1)), r"^images: expected at least 2"),
        (np.zeros((2, 4)), np.zeros((2, 4)), r"^images: expected non-empty images"),
        (np.zeros((2, 2, 2, 1)), np.full((2, 2, 2, 1), np.nan), r"^reconstructions: .* NaN"),
    ],
)
def test_bad_input(images, reconstructions, message):
    with pytest.raises(ValueError, match=message):
        inversion_error(images, reconstructions)
