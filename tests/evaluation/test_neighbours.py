import tracemalloc

import numpy as np
import pytest

from tf_bigan.evaluation import Unmeasurable, nearest
from tf_bigan.evaluation import neighbours as module


def brute_force(queries, candidates):
    difference = queries[:, None].astype(np.float64) - candidates[None]
    distances = np.sqrt((difference**2).sum(axis=2))
    return distances.min(axis=1), distances.argmin(axis=1)


@pytest.mark.parametrize("width", [1, 50, 784])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_matches_brute_force(width, dtype):
    rng = np.random.default_rng(width)
    queries = rng.random((70, width)).astype(dtype)
    candidates = rng.random((300, width)).astype(dtype)
    distances, indices = nearest(queries, candidates)
    expected, expected_indices = brute_force(queries, candidates)
    np.testing.assert_allclose(distances, expected, rtol=1e-12, atol=1e-12)
    np.testing.assert_array_equal(indices, expected_indices)


def test_by_hand():
    queries = [[0.0, 0.0], [3.0, 4.0], [10.0, 0.0]]
    candidates = [[3.0, 3.0], [0.0, 1.0], [6.0, 3.0]]
    distances, indices = nearest(queries, candidates)
    np.testing.assert_allclose(distances, [1.0, 1.0, 5.0], rtol=1e-12)
    assert indices.tolist() == [1, 0, 2]


def test_no_cancellation_far_from_the_origin():
    # |q|^2 is 1e8 here: in float32 |q|^2 - 2 q.c + |c|^2 would be off by several units.
    rng = np.random.default_rng(0)
    candidates = (1000 + rng.normal(size=(500, 100))).astype(np.float32)
    queries = candidates[::5] + rng.normal(scale=1e-3, size=(100, 100)).astype(np.float32)
    distances, indices = nearest(queries, candidates)
    expected, _ = brute_force(queries, candidates)
    np.testing.assert_allclose(distances, expected, rtol=1e-9)
    np.testing.assert_array_equal(indices, np.arange(0, 500, 5))


@pytest.mark.parametrize("outlier", [1e10, 3e38])
def test_an_outlier_does_not_disturb_the_others(outlier):
    rng = np.random.default_rng(1)
    queries, candidates = rng.normal(size=(2, 300, 20)).astype(np.float32)
    queries[7] = outlier
    expected = brute_force(queries, candidates)
    np.testing.assert_array_equal(np.delete(nearest(queries, candidates)[1], 7),
                                  np.delete(expected[1], 7))  # fmt: skip
    np.testing.assert_allclose(nearest(queries, candidates)[0], expected[0], rtol=1e-6)


def test_large_images_take_no_memory_of_their_differences(monkeypatch):
    rng = np.random.default_rng(0)
    queries, candidates = rng.random((600, 2000)), rng.random((5, 2000))
    monkeypatch.setattr(module, "_BLOCK_VALUES", 20_000)
    tracemalloc.start()
    try:
        distances, _ = nearest(queries, candidates)
        assert tracemalloc.get_traced_memory()[1] < 2.5 * queries.nbytes  # one copy, moved
    finally:
        tracemalloc.stop()
    np.testing.assert_allclose(distances, brute_force(queries, candidates)[0], rtol=1e-12)


def test_itself_is_at_distance_zero():
    rows = np.random.default_rng(2).random((1200, 64)).astype(np.float32)
    distances, indices = nearest(rows, rows)
    np.testing.assert_array_equal(distances, 0)
    np.testing.assert_array_equal(indices, np.arange(1200))


def test_images_are_flattened_and_integers_and_two_dtypes_accepted():
    queries = np.zeros((2, 2, 2, 1), np.uint8)
    candidates = np.full((1, 4), 255, np.float64)
    distances, indices = nearest(queries, candidates)
    np.testing.assert_allclose(distances, 510)  # sqrt(4 * 255^2)
    assert indices.tolist() == [0, 0]


@pytest.mark.parametrize(
    ("queries", "candidates", "message"),
    [
        (np.zeros(3), np.zeros((2, 3)), r"^queries: expected a non-empty array .* \(3,\)"),
        (np.zeros((2, 3)), np.zeros((0, 3)), r"^candidates: expected a non-empty array"),
        (np.zeros((2, 3)), np.zeros((2, 4)), r"^candidates: expected 3 values per row .* got 4"),
        (np.full((2, 3), np.nan), np.zeros((2, 3)), r"^queries: .* found NaN or infinity"),
        (np.zeros((2, 3)), np.full((2, 3), 1e200), r"^candidates: expected values up to"),
        (np.array([["a", "b"]]), np.zeros((2, 2)), r"^queries: expected real numbers"),
    ],
)
def test_bad_input(queries, candidates, message):
    with pytest.raises(Unmeasurable, match=message):
        nearest(queries, candidates)
