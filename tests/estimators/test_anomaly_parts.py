"""The parts of the detector's score: each against NumPy, scikit-learn or values by hand."""

import warnings

import numpy as np
import pytest
import tensorflow as tf
from scipy.spatial.distance import cdist
from sklearn.decomposition import PCA

from tests.closeness import assert_close
from tf_bigan.errors import UserError
from tf_bigan.estimators.anomaly import arrays
from tf_bigan.estimators.anomaly import patches as patches_
from tf_bigan.estimators.anomaly.arrays import rows_at_once
from tf_bigan.estimators.anomaly.columns import Columns
from tf_bigan.estimators.anomaly.components import Components
from tf_bigan.estimators.anomaly.evidence import KNOTS, Evidence
from tf_bigan.estimators.anomaly.hog import CELLS, DIRECTIONS, hog
from tf_bigan.estimators.anomaly.neighbours import Neighbours
from tf_bigan.estimators.anomaly.patches import Patches
from tf_bigan.estimators.anomaly.scores import scores


def test_scores_by_hand():
    measured = {
        "reconstruction": np.array([2.0, 6.0]),
        "size": np.array([4.0, 3.0]),
        "features": np.array([10.0, 20.0]),
        "cross_entropy": np.array([1.0, 3.0]),
        "pairs": np.array([7.0, 8.0]),
    }
    found = scores(measured, weight=0.75)
    expected = {
        "reconstruction": [2.0, 6.0],
        "relative": [0.5, 2.0],
        "feature_matching": [0.75 * 2 + 0.25 * 10, 0.75 * 6 + 0.25 * 20],
        "cross_entropy": [0.75 * 2 + 0.25 * 1, 0.75 * 6 + 0.25 * 3],
        "alad": [7.0, 8.0],
    }
    assert set(found) == set(expected)
    for name, values in expected.items():
        np.testing.assert_allclose(found[name], values, err_msg=name)


@pytest.mark.parametrize("columns", [3, 80])  # the long rows are searched by other coordinates
def test_neighbours_agree_with_all_distances(columns):
    rng = np.random.default_rng(0)
    # Of few dimensions, so that what the search leaves out is small.
    rows, others = (rng.normal(size=(n, 3)) @ np.eye(3, columns) for n in (300, 7))
    found = measured_by(Neighbours(rows, n_neighbors=4), others)
    between = cdist(rows, rows)
    np.fill_diagonal(between, np.inf)
    usual = np.sort(between, axis=1)[:, :4].mean(axis=1)
    distances = cdist(others, rows)
    nearest = distances.argsort(axis=1)[:, :4]
    four = np.take_along_axis(distances, nearest, 1)
    np.testing.assert_allclose(found["distance"], four[:, :3].mean(axis=1), rtol=1e-5)
    np.testing.assert_allclose(
        found["density"], four.mean(axis=1) / usual[nearest].mean(axis=1), rtol=1e-5
    )
    np.testing.assert_array_equal(found["nearest"], nearest[:, 0])
    assert not found["itself"].any()
    assert measured_by(Neighbours(rows, n_neighbors=4), rows)["itself"].all()


def measured_by(part, rows):
    return {n: v.numpy() for n, v in part.measure(tf.constant(rows, tf.float32)).items()}


@pytest.mark.parametrize("columns", [3, 80])
def test_a_row_that_is_far_away_leaves_the_neighbours_of_others(columns):
    rng = np.random.default_rng(0)
    rows, others = rng.normal(size=(301, columns)), rng.normal(size=(7, columns))
    rows[300, 1] = 1e9
    found = measured_by(Neighbours(rows, n_neighbors=4), others)
    nearest = np.sort(cdist(others, rows), axis=1)[:, :3]
    np.testing.assert_allclose(found["distance"], nearest.mean(axis=1), rtol=0.02)


def test_neighbours_of_equal_rows_are_finite():
    found = measured_by(Neighbours(np.ones((5, 2)), n_neighbors=10), [[1.0, 1], [2, 1]])
    assert np.isfinite(found["density"]).all()
    assert found["density"][0] == 1.0 < found["density"][1]


def test_a_row_of_the_references_is_not_its_own_neighbour():
    """Else a threshold by the rows of `fit` would call far more of the new ones strange."""
    rows = np.random.default_rng(0).normal(size=(800, 20)).astype(np.float32)
    neighbours = Neighbours(rows[:400], n_neighbors=3)
    distances = np.sort(cdist(rows[:400], rows[:400]), axis=1)[:, 1:4].mean(1)
    known, new = (measured_by(neighbours, part)["distance"] for part in (rows[:400], rows[400:]))
    np.testing.assert_allclose(known, distances, rtol=1e-4)
    assert 0.06 < np.mean(new > np.percentile(known, 90)) < 0.15


def test_evidence_by_hand():
    """Uniform levels up to the 75 % quantile; then a Pareto tail with Hill's estimator."""
    logs = np.linspace(0.0, 4.0, 401)
    evidence = Evidence(np.exp(logs))
    scores_ = np.exp([0.0, 2.0, 3.0, 3.5, 103.0])
    # Beyond u = 3: the mean of log s - 3 is 0.5, so that the slope is 2.
    expected = [0.0, np.log(2), np.log(4), np.log(4) + 1.0, np.log(4) + 200.0]
    found = evidence.of(tf.constant(scores_)).numpy()
    # Between two knots it is linear, and -log(1 - p) is not.
    np.testing.assert_allclose(found, expected, rtol=0.01, atol=1e-9)
    assert KNOTS == 16


# The logarithm of 0.3 is rounded up.
@pytest.mark.parametrize(
    "held_out", [np.ones(50), np.full(50, 0.3), np.array([1.0, 2.0]), np.zeros(3)]
)
def test_evidence_of_few_or_equal_rows_is_finite_and_grows(held_out):
    found = Evidence(held_out).of(tf.constant([0.5, 1.0, 3.0, 1e9, 1e30])).numpy()
    assert np.isfinite(found).all() and (np.diff(found) >= 0).all() and found[-1] > found[-2]


def test_a_row_outside_the_columns_ranges_is_seen_at_any_distance():
    rows = np.array([[0.0, 5.0, -1.0], [2.0, 5.0, 1.0]])
    columns = Columns(rows)  # means 1, 5, 0; deviations 1, none, 1
    standard = columns.standardised(tf.constant([[3.0, 5.0, 0.0], [1.0, 5.1, -9.0]], tf.float64))
    np.testing.assert_allclose(standard, [[2, 0, 0], [0, 0.1 / 5e-6, -9]], rtol=1e-4)
    sigmoid = 1 / (1 + np.exp(-standard.numpy().clip(-50, 50)))
    np.testing.assert_allclose(columns.images(standard)[:, 0, 0], sigmoid, rtol=1e-5)
    # The ranges are [-1, 1], [0, 0] and [-1, 1].
    np.testing.assert_allclose(columns.excess(standard), [1, 0.1 / 5e-6 + 8], rtol=1e-4)


def test_only_rounding_makes_a_column_constant():
    """Seconds since 1970, 10 s around a day: 1,000 s more are 100 deviations."""
    seconds = 1.7e9 + 10 * np.random.default_rng(0).normal(size=300)
    tenth = np.full(300, 0.1 + 0.2) + np.where(np.arange(300) % 2, 6e-17, 0)  # one ulp apart
    columns = Columns(np.stack([seconds, tenth], 1))
    new = np.array([[1.7e9 + 1000, 0.3], [1.7e9, 0.3003]])
    standard = columns.standardised(tf.constant(new)).numpy()
    assert 90 < standard[0, 0] < 110 and abs(standard[1, 0]) < 1
    np.testing.assert_allclose(standard[:, 1], [0, 1e-3 / 1e-6], atol=1e-6, rtol=1e-3)
    single = Columns(np.stack([seconds, tenth], 1).astype(np.float32))  # no digits for 10 s
    np.testing.assert_allclose(single.scale[0], 1.7e3, rtol=1e-3)


def test_a_step_of_float16_is_no_jump_of_a_constant_column():
    """At 1,000 it is 0.5, and such a column has no digits for less."""
    rows = np.full((40, 1), 1000, np.float16)
    rows[::2] += np.float16(0.5)
    assert np.abs(Columns(rows).standardised(tf.constant(rows, tf.float64))).max() < 1


def test_a_column_whose_squares_overflow_is_named():
    rows = np.random.default_rng(0).normal(size=(9, 3))
    rows[4, 1] = -1e200
    with pytest.raises(UserError, match="^X: column 1 has values up to 1e[+]200, whose squares"):
        Columns(rows)


def test_components_agree_with_scikit_learn():
    rows = np.random.default_rng(0).normal(size=(50, 6)) @ np.diag([9, 7, 5, 1, 1, 1])
    pca = PCA(3).fit(rows)
    expected = np.abs(rows - pca.inverse_transform(pca.transform(rows))).sum(1)
    components, rows = Components(rows), tf.constant(rows, tf.float32)
    np.testing.assert_allclose(components.error(rows), expected, rtol=1e-4)
    coordinates = pca.transform(rows.numpy())
    np.testing.assert_allclose(np.abs(components.coordinates(rows)), np.abs(coordinates), atol=1e-3)
    *same, rest = components.coordinates_and_rest(rows).numpy().T
    np.testing.assert_allclose(np.abs(same), np.abs(coordinates.T), atol=1e-3)
    left_out = rows.numpy() - pca.inverse_transform(pca.transform(rows.numpy()))
    np.testing.assert_allclose(rest, np.linalg.norm(left_out, axis=1), rtol=1e-4)


def test_few_rows_are_not_described_much_better_than_new_ones():
    rows = np.random.default_rng(0).normal(size=(40, 200)).astype(np.float32)
    found = Components(rows[:20]).coordinates_and_rest(tf.constant(rows)).numpy()
    assert found.shape == (40, 5 + 1)
    assert found[20:, -1].mean() < 1.5 * found[:20, -1].mean()


def test_rounding_is_no_error_of_components():
    """Of columns that are multiples of one: every normal row is redrawn, others are not."""
    rows = np.random.default_rng(0).normal(size=(200, 1)) * [1.0, 0.3, -2.1, 0.7]
    broken = rows[:1] + [0.0, 0.01, 0.0, 0.0]
    both = tf.constant(np.concatenate([rows, broken]), tf.float32)
    *usual, unusual = Components(rows).error(both).numpy()
    assert len(set(usual)) == 1 and unusual > 50 * usual[0]


def test_equal_rows_bring_no_warnings():
    with warnings.catch_warnings():
        warnings.simplefilter("error", RuntimeWarning)
        assert np.isfinite(Components(np.ones((9, 4))).axes.numpy()).all()
        assert np.isfinite(Patches(np.ones((9, 8, 8, 1), np.float32), parts=4).bank.numpy()).all()
        assert np.isfinite(Neighbours(np.ones((9, 80)), 3).axes.numpy()).all()


def test_large_images_are_searched_few_at_a_time(monkeypatch):
    """With their neighbours 256 of them take gigabytes; of long patches a sample is enough."""
    assert [rows_at_once(n) for n in (5, 64 * 64 * 3, 256 * 256 * 3, 2**30)] == [256, 256, 21, 1]
    images = np.random.default_rng(0).random((50, 16, 16, 1), np.float32)
    images[:, :, 8:] *= 0.5
    whole = Neighbours(images.reshape(50, -1), 5), Patches(images, parts=4)
    monkeypatch.setattr(arrays, "VALUES", 7 * 256)
    few = Neighbours(images.reshape(50, -1), 5), Patches(images, parts=4)
    np.testing.assert_allclose(few[0].usual, whole[0].usual, rtol=1e-5)
    new = tf.constant(1 - images[:9])
    expected = whole[1].distances(new)
    np.testing.assert_allclose(few[1].distances(new), expected, rtol=1e-3, atol=1e-3)
    seen = []
    monkeypatch.setattr(patches_, "LONG", 15)
    monkeypatch.setattr(patches_, "MOST_VALUES", 100 * 16)
    monkeypatch.setattr(
        PCA, "fit", lambda self, rows, fit=PCA.fit: seen.append(rows) or fit(self, rows)
    )
    sampled = Patches(images, parts=4).distances(new).numpy()
    assert [rows.shape for rows in seen] == [(100, 16)]
    np.testing.assert_allclose(sampled, expected, rtol=0.3, atol=0.5)


def test_a_patch_is_compared_with_those_at_its_place():
    """A spot is found where it is, whatever the brightness of the picture."""
    rng = np.random.default_rng(0)
    normal = np.linspace(0, 1, 16)[None, :, None, None] * rng.uniform(0.2, 1, (30, 1, 16, 1))
    normal = np.broadcast_to(normal, (30, 16, 16, 1)).astype(np.float32)
    patches = Patches(normal, parts=4)
    spot = normal[:2].copy()
    spot[0, 9:12, 2:5] = 1.0
    distances = patches.distances(tf.constant(spot)).numpy()
    assert distances.shape == (2, 7, 7)  # of 4×4 pixels, at every second
    assert np.unravel_index(distances[0].argmax(), (7, 7)) in [(4, 1), (5, 0), (4, 0), (5, 1)]
    assert distances[0].max() > 10 * distances[1].max()
    heat = patches.heat_map(tf.constant(spot)).numpy()
    assert heat.shape == (2, 16, 16)
    assert heat[0, 8:13, 1:6].mean() > 4 * heat[0, :6].mean()
    # Each pixel has the mean of the patches that cover it.
    np.testing.assert_allclose(heat[0, 0, 0], distances[0, 0, 0], rtol=1e-5)
    np.testing.assert_allclose(heat[0, 2, 2], distances[0, :2, :2].mean(), rtol=1e-5)


def test_patches_cover_every_pixel():
    """Also where the strides do not divide the sides; the image is then continued by its mirror."""
    images = np.random.default_rng(0).random((5, 28, 19, 2), np.float32)
    patches = Patches(images, parts=2)  # 14×10 pixels, at every 3rd and 2nd
    changed = images[:1].copy()
    changed[0, -1, -1] = 1 - changed[0, -1, -1]
    apart = patches.distances(tf.constant(np.concatenate([images[:1], changed]))).numpy()
    assert apart.shape == (2, 6, 6) and (apart[1] - apart[0]).argmax() == 35
    assert patches.heat_map(tf.constant(images)).shape == (5, 28, 19)


@pytest.mark.parametrize("parts", [2, 4])
def test_large_images_whose_strides_divide_nothing(parts):
    images = np.random.default_rng(0).random((3, 301, 301, 1), np.float32)
    patches = Patches(images, parts)
    cut = patches._cut(images).numpy()
    expected = cut @ patches.axes.numpy() - patches.origin.numpy()
    assert_close(patches._coordinates(tf.constant(images)), expected, tol=1e-4)
    assert patches.heat_map(tf.constant(images)).shape == (3, 301, 301)


def test_an_image_of_training_is_not_compared_with_itself():
    images = np.random.default_rng(0).random((9, 8, 8, 1), np.float32)
    patches = Patches(images, parts=4)
    same = patches.distances(tf.constant(images)).numpy()
    others = patches.distances(
        tf.constant(images), tf.range(9), tf.constant([True] * 8 + [False])
    ).numpy()
    assert same.max() < 0.01 and others[:8].min() > 0.01
    np.testing.assert_allclose(others[8], same[8])


def test_histograms_say_where_edges_are_and_in_which_directions():
    """Dark, then light from column 14 on: half of the edge is in column 13, half in 14."""
    images = np.zeros((2, 28, 28, 1), np.float32)
    images[0, :, 14:] = 0.5
    images[1] = images[0].transpose(1, 0, 2)
    right, down = (hog(tf.constant(images)).numpy() ** 2).reshape(2, CELLS, CELLS, DIRECTIONS)
    along = np.exp(32.0 * np.cos(2 * np.pi * np.arange(DIRECTIONS) / DIRECTIONS))
    np.testing.assert_allclose(right.sum((0, 1)), along / along.sum(), rtol=1e-3, atol=1e-9)
    # Cells are 4 wide. The columns are 0.5 from the middle of theirs, and 3.5 or 4.5 from others.
    columns = np.array([0, 0, 0.125, 2 * 0.875, 0.125, 0, 0]) / 2
    np.testing.assert_allclose(right.sum((0, 2)), columns, rtol=1e-4, atol=1e-9)
    np.testing.assert_allclose(right.sum((1, 2)), 1 / 7, rtol=1e-4)
    # Turned: from above to below is a quarter of a turn further.
    np.testing.assert_allclose(np.roll(right.transpose(1, 0, 2), 4, 2), down, atol=1e-6)


def test_histograms_do_not_see_brightness_and_contrast():
    images = np.random.default_rng(0).random((3, 17, 6, 3), np.float32)
    found = hog(tf.constant(images)).numpy()
    assert found.shape == (3, 7 * 6 * DIRECTIONS)
    np.testing.assert_allclose((found**2).sum(1), 1.0, rtol=1e-5)
    np.testing.assert_allclose(hog(tf.constant(0.3 + 0.2 * images)), found, atol=1e-4)
    assert np.abs(hog(tf.constant(1 - images)) - found).max() > 0.05  # light is not dark
    assert not hog(tf.fill((1, 17, 6, 3), 0.7)).numpy().any()


def test_histograms_of_large_images_are_those_of_smaller_ones():
    """A cell has fewer than 16 pixels a side, whatever the image's size."""
    small = np.random.default_rng(0).random((2, 56, 60, 1), np.float32)
    large = small.repeat(2, axis=1).repeat(2, axis=2)
    np.testing.assert_allclose(hog(tf.constant(large)), hog(tf.constant(small)), atol=1e-5)
