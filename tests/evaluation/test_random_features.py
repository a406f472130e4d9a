"""A fixed random network orders corruptions by their strength, without labels."""

import hashlib
import sys

import numpy as np
import pytest
from scipy import ndimage
from sklearn.datasets import load_digits

from tests.closeness import assert_close
from tf_bigan.evaluation import frechet_distance, random_features
from tf_bigan.evaluation.random_features import kernels

X, Y = load_digits(return_X_y=True)
ORDER = np.random.default_rng(0).permutation(len(X))
X, Y = (X[ORDER] / 16).astype(np.float32).reshape(-1, 8, 8, 1), Y[ORDER]
REAL, OTHER, OTHER_LABELS = X[:900], X[900:], Y[900:]
NOISE = np.random.default_rng(1).normal(size=OTHER.shape).astype(np.float32)


@pytest.fixture(scope="module")
def distance():
    """fd_random of some images from one half of the digits."""
    real = random_features(REAL)
    return lambda images: frechet_distance(real, random_features(images))


def test_two_halves_of_the_same_images_are_near(distance):
    floor = distance(OTHER)  # of three seeds of the kernels .018 to .041
    assert 0.01 < floor < 0.1
    assert distance(REAL) < 1e-3 * floor
    assert distance(np.random.default_rng(0).random(OTHER.shape)) > 20 * floor


@pytest.mark.parametrize(
    "series",
    [
        [ndimage.gaussian_filter(OTHER, (0, s, s, 0)) for s in (0, 0.5, 0.7, 1, 1.5)],
        [np.clip(OTHER + s * NOISE, 0, 1) for s in (0, 0.1, 0.2, 0.3, 0.5)],
        [OTHER + s * (0.5 - OTHER) for s in (0, 0.1, 0.2, 0.4, 0.6)],
        [OTHER + s * (1 - OTHER) for s in (0, 0.05, 0.1, 0.2)],
        [OTHER + s * (OTHER[::-1] - OTHER) for s in (0, 0.1, 0.2, 0.3, 0.5)],
        [np.roll(OTHER, pixels, axis=2) for pixels in (0, 1, 2)],
        [OTHER[OTHER_LABELS + missing < 10][:350] for missing in (0, 2, 4, 6)],
    ],
    ids=["blur", "noise", "contrast", "brightness", "mixtures", "shift", "missing classes"],
)
def test_it_rises_with_the_strength_of_a_corruption(distance, series):
    values = [distance(images) for images in series]
    # Of three seeds of the kernels no step is below 1.2.
    assert (np.divide(values[1:], values[:-1]) > 1.1).all(), values


def test_the_kernels_are_the_same_bits_everywhere():
    digests = {
        channels: hashlib.sha256(b"".join(k.tobytes() for k in kernels(channels))).hexdigest()[:16]
        for channels in (1, 3)
    }
    assert digests == {1: "f49207ba945b5de2", 3: "db7b234bac91361b"}


def test_they_keep_the_size_of_their_input():
    """He's variance, 2 / fan_in."""
    for kernel in kernels(3):
        fan_in = kernel[..., 0].size
        assert kernel.dtype == np.float32
        assert kernel.var() == pytest.approx(2 / fan_in, rel=0.1)
        assert abs(kernel).max() <= np.sqrt(6 / fan_in)


def correlated(x: np.ndarray, kernel: np.ndarray, stride: int) -> np.ndarray:
    """ReLU of a convolution [H, W, C] in float64, one output at a time, padded as TensorFlow does:
    the odd row and column of zeros at the end."""
    height, width = (-(-side // stride) for side in x.shape[:2])
    missing = [
        max(0, (n - 1) * stride + 3 - side)
        for n, side in zip((height, width), x.shape[:2], strict=True)
    ]
    x = np.pad(x, [(n // 2, n - n // 2) for n in missing] + [(0, 0)])
    out = np.empty((height, width, kernel.shape[-1]))
    for i, j in np.ndindex(height, width):
        patch = x[i * stride : i * stride + 3, j * stride : j * stride + 3]
        out[i, j] = np.tensordot(patch, kernel.astype(np.float64), 3)
    return np.maximum(out, 0)


@pytest.mark.parametrize(
    ("shape", "width"), [((8, 8, 1), 56), ((20, 34, 3), 48 + 8 * 12), ((1, 1, 4), 32)]
)
def test_values_are_those_of_a_plain_loop(shape, width):
    image = np.random.default_rng(0).random(shape, np.float32)
    x, expected = 2 * image.astype(np.float64) - 1, []
    grids = [(1, 1), (1, 1), (2, 2), (4, 4)]
    for kernel, stride, grid in zip(kernels(shape[-1]), (1, 2, 2, 2), grids, strict=True):
        x = correlated(x, kernel, stride)
        rows, columns = map(min, grid, x.shape[:2])
        for row in np.array_split(x, rows, axis=0):
            expected += [c.mean(axis=(0, 1)) for c in np.array_split(row, columns, axis=1)]
    found = random_features(image[None])
    assert found.shape == (1, width) and found.dtype == np.float32
    assert_close(found[0], np.concatenate(expected))


def test_blocks_and_bytes_do_not_matter(monkeypatch):
    module = sys.modules[random_features.__module__]
    images = np.random.default_rng(0).integers(0, 256, (23, 8, 8, 3), np.uint8)
    whole = random_features(images)
    monkeypatch.setattr(module, "_BLOCK_PIXELS", 7 * 64)
    assert_close(random_features(images / np.float32(255)), whole)
