import numpy as np
import pytest

from tf_bigan.evaluation import RunningNearest, nearest, neighbours


def brute_force(queries, gallery):
    difference = queries[:, None].astype(np.float64) - gallery[None]
    distances = np.sqrt((difference**2).sum(axis=2))
    return distances.min(axis=1), distances.argmin(axis=1)


@pytest.mark.parametrize("width", [1, 50, 784])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_matches_brute_force(width, dtype):
    rng = np.random.default_rng(width)
    queries = rng.random((70, width)).astype(dtype)
    gallery = rng.random((300, width)).astype(dtype)
    distances, indices = nearest(queries, gallery)
    expected, expected_indices = brute_force(queries, gallery)
    np.testing.assert_allclose(distances, expected, rtol=1e-12, atol=1e-12)
    np.testing.assert_array_equal(indices, expected_indices)


def test_by_hand():
    queries = [[0.0, 0.0], [3.0, 4.0], [10.0, 0.0]]
    gallery = [[3.0, 3.0], [0.0, 1.0], [6.0, 3.0]]
    distances, indices = nearest(queries, gallery)
    np.testing.assert_allclose(distances, [1.0, 1.0, 5.0], rtol=1e-12)
    assert indices.tolist() == [1, 0, 2]


def test_no_cancellation_far_from_the_origin():
    # |q|^2 is 1e8 here: in float32 the expansion alone is off by several units in each square.
    rng = np.random.default_rng(0)
    gallery = (1000 + rng.normal(size=(500, 100))).astype(np.float32)
    queries = gallery[::5] + rng.normal(scale=1e-3, size=(100, 100)).astype(np.float32)
    distances, indices = nearest(queries, gallery)
    expected, _ = brute_force(queries, gallery)
    np.testing.assert_allclose(distances, expected, rtol=1e-9)
    np.testing.assert_array_equal(indices, np.arange(0, 500, 5))


def test_float32_rounding_does_not_choose_the_winner():
    # Squared distances of about 1e-3 around a row of squared norm 1e5 (after centring, since the
    # second query pulls the mean away): float32 scores are multiples of 8e-3.
    rng = np.random.default_rng(1)
    base = rng.normal(size=200)
    directions = rng.normal(size=(300, 200))
    directions /= np.linalg.norm(directions, axis=1, keepdims=True)
    gallery = base + rng.uniform(0.02, 0.05, size=(300, 1)) * directions
    queries = np.stack([base, base + 50])
    distances, indices = nearest(queries, gallery)
    expected, expected_indices = brute_force(queries, gallery)
    assert indices[0] == expected_indices[0]
    np.testing.assert_allclose(distances, expected, rtol=1e-9)


def test_a_far_row_does_not_make_the_others_tie():
    rng = np.random.default_rng(7)
    queries, gallery = rng.normal(size=(60, 8)), rng.normal(size=(300, 8))
    gallery[5] *= 1e9
    distances, indices = nearest(queries, gallery)
    expected, expected_indices = brute_force(queries, gallery)
    np.testing.assert_array_equal(indices, expected_indices)
    np.testing.assert_allclose(distances, expected, rtol=1e-12)
    running = RunningNearest(queries)
    for block in np.split(gallery, 10):
        running.update(block)
    np.testing.assert_array_equal(running.indices, expected_indices)


def test_itself_is_at_distance_zero():
    rows = np.random.default_rng(2).random((1200, 64)).astype(np.float32)
    distances, indices = nearest(rows, rows)
    np.testing.assert_array_equal(distances, 0)
    np.testing.assert_array_equal(indices, np.arange(1200))


def test_ties_go_to_the_lowest_index():
    rng = np.random.default_rng(3)
    row = rng.random((1, 97)).astype(np.float32)
    gallery = np.concatenate([row + 1, np.repeat(row, 9000, axis=0)])
    _, indices = nearest(row + 0.01, gallery)
    assert indices.tolist() == [1]
    running = RunningNearest(row + 0.01)
    for block in np.split(gallery, [100, 101, 5000]):
        running.update(block)
    assert running.indices.tolist() == [1]


def test_rows_equidistant_but_for_rounding_tie():
    # Shuffling the values of a row keeps its distance to a constant one, up to the sums' rounding.
    rng = np.random.default_rng(6)
    row = rng.random(333)
    gallery = np.stack([rng.permutation(row) for _ in range(500)])
    query = np.full((1, 333), 0.3)
    assert len(set(np.square(gallery - query).sum(axis=1))) > 1
    assert nearest(query, gallery)[1].tolist() == [0]
    running = RunningNearest(query)
    for block in np.split(gallery, 10):
        running.update(block)
    assert running.indices.tolist() == [0]


def test_blocks_of_any_size_give_the_same(monkeypatch):
    rng = np.random.default_rng(4)
    queries = rng.random((700, 30)).astype(np.float32)
    gallery = rng.random((1000, 30)).astype(np.float32)
    distances, indices = nearest(queries, gallery)
    for size in (1, 7, 333, 1000):
        running = RunningNearest(queries)
        for start in range(0, 1000, size):
            running.update(gallery[start : start + size])
        np.testing.assert_allclose(running.distances, distances, rtol=1e-12)
        np.testing.assert_array_equal(running.indices, indices)
        assert running.seen == 1000
    monkeypatch.setattr(neighbours, "_QUERY_ROWS", 13)
    monkeypatch.setattr(neighbours, "_GALLERY_ROWS", 17)
    in_blocks = nearest(queries, gallery)
    np.testing.assert_allclose(in_blocks[0], distances, rtol=1e-12)
    np.testing.assert_array_equal(in_blocks[1], indices)


def test_order_of_the_gallery_does_not_matter():
    rng = np.random.default_rng(5)
    queries = rng.random((50, 20)).astype(np.float32)
    gallery = rng.random((400, 20)).astype(np.float32)
    order = rng.permutation(400)
    distances, indices = nearest(queries, gallery)
    shuffled_distances, shuffled_indices = nearest(queries, gallery[order])
    np.testing.assert_allclose(shuffled_distances, distances, rtol=1e-12)
    np.testing.assert_array_equal(order[shuffled_indices], indices)


def test_images_are_flattened_and_integers_accepted():
    queries = np.zeros((2, 2, 2, 1), np.uint8)
    gallery = np.full((1, 4), 255, np.uint8)
    distances, indices = nearest(queries, gallery)
    np.testing.assert_allclose(distances, 510)  # no wrap-around: sqrt(4 * 255^2)
    assert indices.tolist() == [0, 0]


def test_nothing_seen_yet():
    running = RunningNearest(np.zeros((3, 2)))
    assert np.isinf(running.distances).all() and running.seen == 0


@pytest.mark.parametrize(
    ("queries", "gallery", "message"),
    [
        (np.zeros(3), np.zeros((2, 3)), r"^queries: expected a non-empty array .* \(3,\)"),
        (np.zeros((0, 3)), np.zeros((2, 3)), r"^queries: expected a non-empty array"),
        (np.zeros((2, 3)), np.zeros((0, 3)), r"^gallery: expected a non-empty array"),
        (np.zeros((2, 3)), np.zeros((2, 4)), r"^gallery: expected 3 values a row .* got 4"),
        (np.full((2, 3), np.nan), np.zeros((2, 3)), r"^queries: .* found NaN or infinity"),
        (np.zeros((2, 3)), np.full((2, 3), np.inf), r"^gallery: .* found NaN or infinity"),
        (np.full((2, 3), 1e19), np.zeros((2, 3)), r"^queries: expected values up to 1e\+15"),
        (np.zeros((2, 3)), np.full((2, 3), -1e19), r"^gallery: expected values up to .* found 1e"),
        (np.array([["a", "b"]]), np.zeros((2, 2)), r"^queries: expected real numbers"),
    ],
)
def test_bad_input(queries, gallery, message):
    with pytest.raises(ValueError, match=message):
        nearest(queries, gallery)
