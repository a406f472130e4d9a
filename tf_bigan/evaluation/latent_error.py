"""Latent error: does E undo G?  Distances ||z - E(G(z))||_2, with a baseline of wrong pairs."""

import numpy as np

from tf_bigan.evaluation.checks import as_features, as_rows


def latent_error(z, z_hat) -> tuple[float, float]:
    """Mean ||z_i - E(G(z_i))||_2 and its baseline, the same with z_{i+1} (the last with the first).

    The norm is not squared and runs over the whole latent. An error well under its baseline means
    that the encoder finds the draw that a sample was made of.

    Args:
        z: latent draws [N, ...], N >= 2.
        z_hat: E(G(z)), of the same shape.

    Returns:
        The mean distance, and the mean distance of wrong pairs.

    Raises:
        ValueError: for unequal shapes, fewer than two rows, draws that are all the same, or
            non-finite values.
    """
    if np.shape(z) != np.shape(z_hat):
        raise ValueError(f"z_hat: expected the shape of z, {np.shape(z)}, got {np.shape(z_hat)}")
    z = as_features(z, "z").astype(np.float64)
    z_hat = as_rows(z_hat, "z_hat")
    return (
        float(np.linalg.norm(z - z_hat, axis=1).mean()),
        float(np.linalg.norm(np.roll(z, -1, axis=0) - z_hat, axis=1).mean()),
    )
