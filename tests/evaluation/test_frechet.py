import numpy as np
import pytest

from tf_bigan.evaluation import frechet, frechet_distance, gaussian_frechet_distance


def random_covariance(rng, width, rank=None):
    root = rng.normal(size=(width, rank or width))
    return root @ root.T / width


def by_matrix_root(mean_a, a, mean_b, b):
    from scipy.linalg import sqrtm

    return np.square(mean_a - mean_b).sum() + np.trace(a + b - 2 * sqrtm(a @ b).real)


def test_by_hand():
    # One dimension: (mean_a - mean_b)^2 + (sd_a - sd_b)^2 = (3 - 1)^2 + (5 - 2)^2.
    assert gaussian_frechet_distance([3], [[25]], [1], [[4]]) == pytest.approx(13, rel=1e-12)
    # Variances are unbiased: {-1, 1} has 2, {2, 4, 6} has 4.
    expected = 4**2 + (2 - np.sqrt(2)) ** 2
    assert frechet_distance([[-1], [1]], [[2], [4], [6]]) == pytest.approx(expected, rel=1e-12)


def test_commuting_covariances_have_a_closed_form():
    rng = np.random.default_rng(0)
    basis, _ = np.linalg.qr(rng.normal(size=(20, 20)))
    sd_a, sd_b = rng.uniform(0, 3, size=(2, 20))
    sd_a[:5] = 0  # singular, where roots of rounding errors would show
    mean_a, mean_b = rng.normal(size=(2, 20))
    a, b = ((basis * sd**2) @ basis.T for sd in (sd_a, sd_b))
    expected = np.square(mean_a - mean_b).sum() + np.square(sd_a - sd_b).sum()
    assert gaussian_frechet_distance(mean_a, a, mean_b, b) == pytest.approx(expected, rel=1e-7)


@pytest.mark.parametrize("width", [1, 4, 60])
def test_agrees_with_scipy(width):
    rng = np.random.default_rng(width)
    a, b = random_covariance(rng, width), random_covariance(rng, width)
    means = rng.normal(size=(2, width))
    expected = by_matrix_root(means[0], a, means[1], b)
    assert gaussian_frechet_distance(means[0], a, means[1], b) == pytest.approx(expected, rel=1e-9)


def test_rows_agree_with_numpy_covariances(monkeypatch):
    rng = np.random.default_rng(1)
    a = rng.normal(size=(500, 12)) @ rng.normal(size=(12, 12)) + 100
    b = (rng.normal(size=(300, 12)) + 100).astype(np.float32)
    expected = by_matrix_root(a.mean(0), np.cov(a.T), b.mean(0, dtype=float), np.cov(b.T))
    assert frechet_distance(a, b) == pytest.approx(expected, rel=1e-6)
    assert frechet_distance(b, a) == pytest.approx(frechet_distance(a, b), rel=1e-12)
    whole = frechet_distance(a, b)
    monkeypatch.setattr(frechet, "_BLOCK_VALUES", 100)  # 8 rows at a time
    assert frechet_distance(a, b) == pytest.approx(whole, rel=1e-12)


def test_equal_sets_are_at_distance_zero_also_where_the_covariance_is_singular():
    rows = np.random.default_rng(2).normal(size=(10, 64))
    assert 0 <= frechet_distance(rows, rows) < 1e-10
    assert frechet_distance(rows, rows + 0.5) == pytest.approx(64 * 0.25, rel=1e-10)


def test_samples_of_known_gaussians():
    rng = np.random.default_rng(3)
    a, b = rng.normal(0, 1, size=(20_000, 8)), rng.normal(1, 2, size=(20_000, 8))
    assert frechet_distance(a, b) == pytest.approx(8 * (1 + 1), rel=0.03)


def test_identical_samples_are_a_gaussian_without_variance():
    rows = np.array([[-1.0, 0], [1, 0], [0, 2], [0, -2]])  # variances 2 / 3 and 8 / 3
    same = np.tile([3.0, 4.0], (5, 1))
    assert frechet_distance(rows, same) == pytest.approx(25 + 10 / 3, rel=1e-12)
    assert frechet_distance(same, same + 1) == pytest.approx(2, rel=1e-12)


ROWS = np.arange(8.0).reshape(4, 2)


@pytest.mark.parametrize(
    ("a", "b", "message"),
    [
        (ROWS[0], ROWS, r"^features_a: expected a non-empty array .* \(2,\)"),
        (ROWS, ROWS[:1], r"^features_b: expected at least 2 rows, got 1"),
        (ROWS, ROWS[:, :1], r"^features_b: expected 2 values per row as in features_a, got 1"),
        (ROWS * np.nan, ROWS, r"^features_a: .* NaN"),
        (ROWS.astype(str), ROWS, r"^features_a: expected real numbers"),
    ],
)
def test_bad_features(a, b, message):
    with pytest.raises(ValueError, match=message):
        frechet_distance(a, b)


def test_singular_covariances_in_float32():
    a = np.random.default_rng(0).normal(size=(30, 50)).astype(np.float32) + 3
    b = 1.1 * a[:, ::-1]
    gaussians = [part for rows in (a, b) for part in (rows.mean(0), np.cov(rows.T, dtype="f4"))]
    assert gaussian_frechet_distance(*gaussians) == pytest.approx(frechet_distance(a, b), rel=1e-3)


def test_bad_gaussians():
    with pytest.raises(ValueError, match=r"^mean_a, mean_b: expected \[D\] each"):
        gaussian_frechet_distance([0, 0], np.eye(2), [0], np.eye(2))
    with pytest.raises(ValueError, match=r"^covariance_b: expected \[D, D\] with D = 2, got"):
        gaussian_frechet_distance([0, 0], np.eye(2), [0, 0], np.ones(2))
    for mean, covariance, message in (
        ([0, np.nan], np.eye(2), r"^mean_b: expected finite values"),
        ([0, 0], np.full((2, 2), np.nan), r"^covariance_b: expected finite values"),
        ([0, 0], -np.eye(2), r"^covariance_b: expected no negative eigenvalue, found -1"),
        ([0, 0], [[1, 0.5], [0, 1]], r"^covariance_b: expected a symmetric matrix"),
    ):
        with pytest.raises(ValueError, match=message):
            gaussian_frechet_distance([0, 0], np.eye(2), mean, covariance)
