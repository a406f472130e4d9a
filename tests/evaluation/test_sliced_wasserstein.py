import sys
import tracemalloc

import numpy as np
import pytest

from tf_bigan.evaluation import sliced_wasserstein

module = sys.modules["tf_bigan.evaluation.sliced_wasserstein"]  # its name is also the function's


def test_one_dimension_by_hand():
    # 0 -> 1, 2 -> 4, 5 -> 5, whatever the order: (1 + 4 + 0) / 3.
    assert sliced_wasserstein([[5], [0], [2]], [[1], [5], [4]]) == pytest.approx(np.sqrt(5 / 3))
    # Unequal numbers, in sixths: 0 gives 2 to 0 and 1 to 3, 6 gives 1 to 3 and 2 to 6.
    a, b = [[0], [6]], [[0], [3], [6]]
    assert sliced_wasserstein(a, b) == pytest.approx(np.sqrt((9 + 9) / 6))
    assert sliced_wasserstein(b, a) == pytest.approx(np.sqrt((9 + 9) / 6))


@pytest.mark.parametrize(("n", "m"), [(7, 7), (4, 10), (9, 6), (13, 5)])
def test_unequal_numbers_are_as_if_all_points_were_repeated(n, m):
    rng = np.random.default_rng(n)
    a, b = rng.normal(size=(n, 3)), rng.normal(1, 2, size=(m, 3))
    repeated = sliced_wasserstein(np.repeat(a, m, axis=0), np.repeat(b, n, axis=0))
    assert sliced_wasserstein(a, b) == pytest.approx(repeated, rel=1e-12)


def test_agrees_with_scipy_on_where_the_mass_goes():
    # Where all moves go one way, the 1-Wasserstein distance checks the plan.
    from scipy.stats import wasserstein_distance

    rng = np.random.default_rng(0)
    a, b = np.sort(rng.random(11)), np.sort(rng.random(8))
    amounts, i, j = module._transport_plan(11, 8)
    assert amounts.sum() == pytest.approx(1)
    assert amounts @ abs(a[i] - b[j]) == pytest.approx(wasserstein_distance(a, b), rel=1e-12)


def test_shift():
    # Along a unit vector v, a shift by s moves all mass by v.s; E (v.s)^2 = |s|^2 / D.
    rng = np.random.default_rng(1)
    rows, shift = rng.normal(size=(200, 6)), rng.normal(size=6)
    value = sliced_wasserstein(rows, rows[::-1] + shift, directions=20_000)
    assert value == pytest.approx(np.linalg.norm(shift) / np.sqrt(6), rel=0.02)


def test_scaled_gaussians():
    # Every projection of N(0, s^2 I) is N(0, s^2): the distance is |s - t|.
    rng = np.random.default_rng(2)
    a, b = rng.normal(0, 1, size=(20_000, 5)), rng.normal(0, 3, size=(30_000, 5))
    assert sliced_wasserstein(a, b, directions=64) == pytest.approx(2, rel=0.03)


def test_images_and_blocks(monkeypatch):
    rng = np.random.default_rng(3)
    a, b = rng.random((2, 50, 4, 3, 2)).astype(np.float32)
    value = sliced_wasserstein(a, b, directions=100)
    expected = sliced_wasserstein(a.reshape(50, 24), b.reshape(50, 24), directions=100)
    assert value == expected
    monkeypatch.setattr(module, "_BLOCK_VALUES", 7 * 24)
    monkeypatch.setattr(module, "_DIRECTIONS", 9)
    assert sliced_wasserstein(a, b, directions=100) == pytest.approx(value, rel=1e-10)
    assert sliced_wasserstein(a, a[::-1]) == pytest.approx(0, abs=1e-12)
    assert sliced_wasserstein(a, b, seed=1, directions=100) != value


def test_wide_rows_are_taken_a_few_at_a_time(monkeypatch):
    monkeypatch.setattr(module, "_BLOCK_VALUES", 50_000)  # 0.4 MB
    a, b = np.random.default_rng(4).random((2, 400, 5000), np.float32)
    tracemalloc.start()
    sliced_wasserstein(a, b, directions=5)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 8e6  # a set would take 16e6


ROWS = np.arange(8.0).reshape(4, 2)


@pytest.mark.parametrize(
    ("a", "b", "options", "message"),
    [
        (ROWS, ROWS[:1], {}, r"^b: expected at least 2 rows, got 1"),
        (ROWS, ROWS[:, :1], {}, r"^b: expected 2 values per row as in a, got 1"),
        (ROWS, ROWS * np.nan, {}, r"^b: .* NaN"),
        (ROWS, ROWS, {"directions": 0}, r"^directions=0: it must be an int in"),
    ],
)
def test_bad_input(a, b, options, message):
    with pytest.raises(ValueError, match=message):
        sliced_wasserstein(a, b, **options)
