"""Directions in latent space."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from sklearn.decomposition import PCA

from tf_bigan.priors import Prior

_DRAWS = 4096  # draws of z to estimate its standard deviations


@dataclass(frozen=True)
class Directions:
    """K directions in latent space.

    vectors: unit vectors, [K, latent_dim].
    spreads: the standard deviation of z along each, [K].
    names: names of the directions.
    """

    vectors: np.ndarray
    spreads: np.ndarray
    names: tuple[str, ...]

    def moved(self, z: np.ndarray, steps: npt.ArrayLike) -> np.ndarray:
        """z [latent_dim] moved by `steps` [K] standard deviations along the directions."""
        steps = np.asarray(steps, np.float64) * self.spreads
        return (z + steps @ self.vectors).astype(np.float32)


def principal(codes: np.ndarray, count: int) -> Directions:
    """The first principal components of codes E(x) [N, latent_dim]."""
    count = min(count, *codes.shape)
    with np.errstate(invalid="ignore"):  # equal codes: shares are 0 / 0; a single one: variances
        pca: Any = PCA(random_state=0).fit(codes.astype(np.float64))
    spreads = np.sqrt(np.nan_to_num(pca.explained_variance_[:count]))
    shares = np.nan_to_num(pca.explained_variance_ratio_[:count])
    names = tuple(f"Direction {i} ({share:.0%})" for i, share in enumerate(shares, 1))
    return Directions(pca.components_[:count], spreads, names)


def coordinates(prior: Prior, count: int) -> Directions:
    """The first dimensions of z."""
    count = min(count, prior.dim)
    spreads = prior.sample(_DRAWS, seed=0).numpy().std(0)[:count]
    names = tuple(f"z{i}" for i in range(1, count + 1))
    return Directions(np.eye(prior.dim)[:count], spreads, names)
