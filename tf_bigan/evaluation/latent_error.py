"""Latent error: distances ||z - E(G(z))||_2, with a baseline of wrong pairs."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from tf_bigan.evaluation.checks import Unmeasurable, as_rows


def latent_error(z: npt.ArrayLike, z_hat: npt.ArrayLike) -> tuple[float, float]:
    """Mean ||z_i - E(G(z_i))||_2 and its baseline, the same with z_{i+1} (the last with the first).

    The norm is not squared and covers all latent dimensions. An error well below the baseline
    means that the encoder recovers the z of a sample.

    Args:
        z: draws of z [N, ...], N >= 2.
        z_hat: E(G(z)), of the same shape.

    Returns:
        The mean distance, and the mean distance of wrong pairs.

    Raises:
        Unmeasurable: unequal shapes, fewer than two rows, or non-finite values.
    """
    if np.shape(z) != np.shape(z_hat):
        raise Unmeasurable(f"z_hat: expected the shape of z, {np.shape(z)}, got {np.shape(z_hat)}")
    z = as_rows(z, "z", least=2).astype(np.float64)
    z_hat = as_rows(z_hat, "z_hat")
    return (
        float(np.linalg.norm(z - z_hat, axis=1).mean()),
        float(np.linalg.norm(np.roll(z, -1, axis=0) - z_hat, axis=1).mean()),
    )
