import numpy as np
import pytest

from tf_bigan.evaluation import modes_covered


def test_by_hand():
    centres = [[0, 0], [10, 0], [0, 10]]
    points = [[0, 0.9], [2.9, 0], [3.1, 0], [10.1, 0.2], [5, 5]]
    # Within 3: the first two of mode 0 and one of mode 1; 3.1 and (5, 5) are too far.
    assert modes_covered(points, centres, 1.0) == (2, 60.0)
    assert modes_covered(points, centres, 0.1) == (1, 20.0)
    assert modes_covered(points, centres, 4 / 3) == (2, 80.0)


def test_a_ring_of_eight():
    rng = np.random.default_rng(0)
    angles = 2 * np.pi * np.arange(8) / 8
    ring = np.stack([np.cos(angles), np.sin(angles)], axis=1)
    owners = rng.integers(0, 8, 20_000)
    points = ring[owners] + 0.02 * rng.normal(size=(20_000, 2))
    covered, quality = modes_covered(points, ring, 0.02)
    assert covered == 8
    assert quality == pytest.approx(100 * (1 - np.exp(-4.5)), abs=0.3)  # two dimensions: Rayleigh
    assert modes_covered(points[owners < 3], ring, 0.02).covered == 3


@pytest.mark.parametrize(
    ("points", "centres", "sigma", "message"),
    [
        (np.zeros((2, 3)), np.zeros((2, 2)), 1, r"^centres: expected 3 values per row as in"),
        (np.zeros((2, 2)), np.zeros((2, 2)), 0, r"^sigma=0: it must be a float in \(0, inf\)"),
        (np.zeros((0, 2)), np.zeros((2, 2)), 1, r"^points: expected a non-empty array"),
        (np.full((2, 2), np.nan), np.zeros((2, 2)), 1, r"^points: .* NaN"),
    ],
)
def test_bad_input(points, centres, sigma, message):
    with pytest.raises(ValueError, match=message):
        modes_covered(points, centres, sigma)
