import numpy as np
import pytest

from tf_bigan.evaluation import latent_error


def test_by_hand():
    z = [[0, 0], [1, 0], [0, 1]]
    z_hat = [[3, 4], [1, 0], [0, 3]]
    error, baseline = latent_error(z, z_hat)
    assert error == pytest.approx((5 + 0 + 2) / 3)
    # Each with the next draw: (1, 0) - (3, 4), (0, 1) - (1, 0), (0, 0) - (0, 3).
    assert baseline == pytest.approx((np.sqrt(20) + np.sqrt(2) + 3) / 3)


def test_an_exact_inverse_and_none():
    z, other = np.random.default_rng(0).uniform(-1, 1, size=(2, 2000, 50)).astype(np.float32)
    error, baseline = latent_error(z, z)
    assert error == 0 and baseline == pytest.approx(np.sqrt(50 * 2 / 3), rel=0.01)
    error, baseline = latent_error(z, other)
    assert error == pytest.approx(baseline, rel=0.01)


@pytest.mark.parametrize(
    ("z", "z_hat", "message"),
    [
        (np.eye(3), np.eye(3)[:2], r"^z_hat: expected the shape of z, \(3, 3\), got \(2, 3\)"),
        (np.eye(3)[:1], np.eye(3)[:1], r"^z: expected at least 2 rows, got 1"),
        (np.eye(3), np.full((3, 3), np.nan), r"^z_hat: .* NaN"),
        (np.arange(3), np.arange(3), r"^z: expected a non-empty array"),
    ],
)
def test_bad_input(z, z_hat, message):
    with pytest.raises(ValueError, match=message):
        latent_error(z, z_hat)
