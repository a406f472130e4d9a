"""Distances from a code E(x) to the codes of the training rows, and local densities."""

import numpy as np
from sklearn.neighbors import NearestNeighbors

LEAST = 1e-12  # a lower bound, so that logarithms and ratios of distances are finite
SAME = 1e-3  # a code this close, relative to its usual distance, is the same row up to rounding


class CodeNeighbours:
    """Nearest-neighbour distances to the codes of the training rows.

    Args:
        codes: [N, latent_dim], N >= 2.
        n_neighbors: k, at most N - 1 are used.
    """

    def __init__(self, codes: np.ndarray, n_neighbors: int):
        k = min(n_neighbors, len(codes) - 1)
        self._index = NearestNeighbors(n_neighbors=k + 1).fit(codes)
        distances, _ = self._index.kneighbors(n_neighbors=k)  # a row is not its own neighbour
        self._usual = np.maximum(distances.mean(axis=1), LEAST)

    def measure(self, codes: np.ndarray) -> dict[str, np.ndarray]:
        """Compares codes [M, latent_dim] with those of the training rows.

        A training row does not count as its own neighbour; it would look more normal than new
        rows.

        Returns:
            latent_distance  mean Euclidean distance to the k nearest codes, [M]
            latent_density   latent_distance divided by its mean over these k codes, [M]: a local
                             outlier factor (Breunig et al. 2000) without reachability distances;
                             about 1 for an inlier
        """
        distances, nearest = self._index.kneighbors(codes)
        itself = distances[:, :1] <= SAME * self._usual[nearest[:, :1]]
        distances = np.where(itself, distances[:, 1:], distances[:, :-1])
        nearest = np.where(itself, nearest[:, 1:], nearest[:, :-1])
        distance = np.maximum(distances.mean(axis=1), LEAST)
        return {
            "latent_distance": distance,
            "latent_density": distance / self._usual[nearest].mean(axis=1),
        }
