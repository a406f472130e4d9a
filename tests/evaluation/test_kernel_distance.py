import sys
import tracemalloc

import numpy as np
import pytest

from tf_bigan.evaluation import kernel_distance

module = sys.modules["tf_bigan.evaluation.kernel_distance"]  # its name is also the function's


def double_loop(a, b):
    """The unbiased estimator of Gretton et al. 2012, as it is defined."""

    def kernel(x, y):
        return (x @ y / len(x) + 1) ** 3

    within_a = [kernel(x, y) for i, x in enumerate(a) for j, y in enumerate(a) if i != j]
    within_b = [kernel(x, y) for i, x in enumerate(b) for j, y in enumerate(b) if i != j]
    return np.mean(within_a) + np.mean(within_b) - 2 * np.mean([kernel(x, y) for x in a for y in b])


def test_by_hand():
    # k = (x y + 1)^3: k(0, 1) = 1 within a and k(2, 2) = 125 within b; across, k(0, 2) = 1 and
    # k(1, 2) = 27, 14 on average.
    a, b = [[0.0], [1.0]], [[2.0], [2.0]]
    assert module._unbiased_mmd2(np.array(a), np.array(b)) == pytest.approx(1 + 125 - 28)


@pytest.mark.parametrize(("m", "n", "width"), [(2, 2, 1), (15, 22, 7), (30, 9, 3)])
def test_agrees_with_a_double_loop(monkeypatch, m, n, width):
    rng = np.random.default_rng(m)
    a, b = rng.normal(size=(m, width)), rng.normal(0.5, 2, size=(n, width))
    assert module._unbiased_mmd2(a, b) == pytest.approx(double_loop(a, b), rel=1e-11)
    monkeypatch.setattr(module, "_BLOCK_VALUES", 60)
    assert module._unbiased_mmd2(a, b) == pytest.approx(double_loop(a, b), rel=1e-11)


def test_value_and_error_come_from_disjoint_subsets(monkeypatch):
    rng = np.random.default_rng(0)
    a, b = rng.normal(size=(43, 3)), rng.normal(1, 1, size=(31, 3))
    seen, estimates = [], []

    def recorded(x, y):
        seen.append((x, y))
        estimates.append(double_loop(x, y))
        return estimates[-1]

    monkeypatch.setattr(module, "_unbiased_mmd2", recorded)
    monkeypatch.setattr(module, "_SUBSETS", 4)
    value, error = kernel_distance(a, b)
    for side, rows in zip(zip(*seen, strict=True), (a, b), strict=True):
        np.testing.assert_array_equal(np.sort(np.concatenate(side), axis=0), np.sort(rows, axis=0))
        assert {len(part) for part in side} <= {len(rows) // 4, len(rows) // 4 + 1}
    assert value == pytest.approx(np.mean(estimates))
    deviations = np.square(np.subtract(estimates, value)).sum()
    assert error == pytest.approx(np.sqrt(deviations / 3 / 4))


def test_unbiased_and_its_error_is_honest():
    # Equal distributions of few rows, where the biased estimate would be clearly positive.
    rng = np.random.default_rng(1)
    results = [kernel_distance(*rng.normal(size=(2, 100, 4)), seed=s) for s in range(300)]
    values, errors = np.transpose(results)
    spread = values.std(ddof=1)
    assert abs(values.mean()) < 4 * spread / np.sqrt(300)
    assert (values < 0).sum() > 60
    assert np.sqrt(np.square(errors).mean()) == pytest.approx(spread, rel=0.15)


def test_it_estimates_the_distance_of_known_distributions():
    # x = 0 or 1 against y = 0 or 2, evenly: E k over pairs by hand.
    rng = np.random.default_rng(2)
    a, b = rng.integers(0, 2, (20_000, 1)), 2 * rng.integers(0, 2, (20_000, 1))
    within_a, within_b, across = (3 + 8) / 4, (3 + 125) / 4, (3 + 27) / 4
    value, error = kernel_distance(a, b)
    assert error < 0.5
    assert value == pytest.approx(within_a + within_b - 2 * across, abs=4 * error)


def test_no_matrix_of_all_pairs_is_held(monkeypatch):
    monkeypatch.setattr(module, "_BLOCK_VALUES", 20_000)  # 0.16 MB
    a, b = np.random.default_rng(4).normal(size=(2, 4000, 2))
    tracemalloc.start()
    kernel_distance(a, b)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 1e6  # the matrix of a subset would take 1.3e6


@pytest.mark.parametrize("size", [1e23, 1e60])
def test_large_values_are_measured_or_refused(size):
    a, b = np.random.default_rng(8).uniform(-1, 1, size=(2, 40, 3))
    if size > 1e24:
        with pytest.raises(ValueError, match=r"^features_b: expected values up to 1e\+24 in size"):
            kernel_distance(a, size * b)
    else:
        assert np.isfinite(kernel_distance(size * a, size * b)).all()


ROWS = np.arange(80.0).reshape(40, 2)


@pytest.mark.parametrize(
    ("a", "b", "options", "message"),
    [
        (ROWS, ROWS[:19], {}, r"^features_b: expected at least 20 rows, got 19"),
        (ROWS, ROWS, {"seed": 2**31}, r"^seed=2147483648: it must be an int in"),
        (ROWS, ROWS[:, :1], {}, r"^features_b: expected 2 values per row"),
        (ROWS, np.full((40, 2), np.inf), {}, r"^features_b: .* NaN or infinity"),
    ],
)
def test_bad_input(a, b, options, message):
    with pytest.raises(ValueError, match=message):
        kernel_distance(a, b, **options)
