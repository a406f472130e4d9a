"""Fréchet distance between two sets of features: the formula of FID, for any features."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from tf_bigan.evaluation.checks import Unmeasurable, as_rows, check_same_width

_BLOCK_VALUES = 8_000_000  # float64 values per block: 64 MB
# Tolerance for a covariance, in units of its largest value.
_ROUNDING, _ROUNDING_OF_FLOAT32 = 1e-8, 1e-4


def frechet_distance(features_a: npt.ArrayLike, features_b: npt.ArrayLike) -> float:
    """Squared Fréchet distance of the Gaussians fitted to two sets of rows.

    |mean_a - mean_b|^2 + tr(A + B - 2 (A B)^(1/2)) with the unbiased covariances A and B, the
    formula of FID (Heusel et al. 2017, section 3). Identical rows are a Gaussian without variance.
    The value depends on the features and decreases with the number of rows, because estimated
    covariances are noisy: compare only with equal features and numbers of rows. With fewer rows
    than values per row, the covariances are singular and the bias is large.

    Args:
        features_a: [N, ...] numbers, N >= 2.
        features_b: [M, ...] numbers, M >= 2, with the same row size.

    Returns:
        The distance, >= 0, in squared units of the features.

    Raises:
        Unmeasurable: fewer than two rows, non-finite values, or unequal widths.
    """
    a = as_rows(features_a, "features_a", least=2)
    b = as_rows(features_b, "features_b", least=2)
    check_same_width(a, "features_a", b, "features_b")
    return gaussian_frechet_distance(*_mean_and_covariance(a), *_mean_and_covariance(b))


def gaussian_frechet_distance(
    mean_a: npt.ArrayLike,
    covariance_a: npt.ArrayLike,
    mean_b: npt.ArrayLike,
    covariance_b: npt.ArrayLike,
) -> float:
    """Squared Fréchet (2-Wasserstein) distance of two Gaussians, in float64.

    With the symmetric roots R = A^(1/2) and S = B^(1/2), tr (A B)^(1/2) = tr (R B R)^(1/2) is the
    sum of the singular values of R S, since R B R = (R S)(R S)^T. This avoids the root of a
    product, which is not symmetric, and roots of rounding errors of zero eigenvalues.

    Args:
        mean_a, mean_b: [D].
        covariance_a, covariance_b: [D, D], symmetric and positive semi-definite.

    Raises:
        Unmeasurable: wrong shapes, values that are not finite, or a covariance that is not
            symmetric or has a negative eigenvalue.
    """
    mean_a, mean_b = (np.asarray(mean, np.float64) for mean in (mean_a, mean_b))
    if mean_a.ndim != 1 or mean_a.shape != mean_b.shape:
        raise Unmeasurable(
            f"mean_a, mean_b: expected [D] each, got shapes {mean_a.shape}, {mean_b.shape}"
        )
    for name, mean in (("mean_a", mean_a), ("mean_b", mean_b)):
        if not np.isfinite(mean).all():
            raise Unmeasurable(f"{name}: expected finite values, found NaN or infinity")
    roots, traces = [], 0.0
    for name, given in (("covariance_a", covariance_a), ("covariance_b", covariance_b)):
        covariance = np.asarray(given)
        rounding = _ROUNDING_OF_FLOAT32 if covariance.dtype == np.float32 else _ROUNDING
        covariance = covariance.astype(np.float64)
        if covariance.shape != 2 * mean_a.shape:
            raise Unmeasurable(
                f"{name}: expected [D, D] with D = {len(mean_a)}, got shape {covariance.shape}"
            )
        if not np.isfinite(covariance).all():
            raise Unmeasurable(f"{name}: expected finite values, found NaN or infinity")
        slack = rounding * np.abs(covariance).max()
        if not np.allclose(covariance, covariance.T, rtol=0, atol=slack):
            raise Unmeasurable(f"{name}: expected a symmetric matrix")
        roots.append(_symmetric_root(covariance, name, rounding))
        traces += np.trace(covariance)
    cross = np.linalg.norm(roots[0] @ roots[1], "nuc")
    return max(0.0, float(np.square(mean_a - mean_b).sum() + traces - 2 * cross))


def _mean_and_covariance(rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    mean = rows.mean(axis=0, dtype=np.float64)
    covariance = np.zeros((len(mean), len(mean)))
    step = max(1, _BLOCK_VALUES // len(mean))
    for start in range(0, len(rows), step):
        centred = rows[start : start + step] - mean
        covariance += centred.T @ centred
    return mean, covariance / (len(rows) - 1)


def _symmetric_root(matrix: np.ndarray, name: str, rounding: float) -> np.ndarray:
    values, vectors = np.linalg.eigh(matrix)
    if values[0] < -rounding * np.abs(values).max():
        raise Unmeasurable(f"{name}: expected no negative eigenvalue, found {values[0]:.4g}")
    return (vectors * np.sqrt(np.maximum(values, 0))) @ vectors.T
