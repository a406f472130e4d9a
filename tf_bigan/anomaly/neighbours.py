"""How far a code lies from the codes of training, and how sparse that is for the place."""

import numpy as np

LEAST = 1e-12  # keeps logarithms and ratios of distances finite where rows are equal


class CodeNeighbours:
    """The training rows' codes, and what they say about others.

    Args:
        codes: [N, latent], N >= 2.
        n_neighbors: k, fewer where there are not so many.
    """

    def __init__(self, codes: np.ndarray, n_neighbors: int):
        from sklearn.neighbors import NearestNeighbors

        self._index = NearestNeighbors(n_neighbors=min(n_neighbors, len(codes) - 1)).fit(codes)
        distances, _ = self._index.kneighbors()  # without itself
        self._usual = np.maximum(distances.mean(axis=1), LEAST)

    def measure(self, codes: np.ndarray) -> dict[str, np.ndarray]:
        """Places codes among those of training.

        Returns:
            latent_distance  the mean Euclidean distance to the k nearest codes, [N]
            latent_density   that, in units of the same distance of these k: a local outlier factor
                             (Breunig et al. 2000) without its reachability; about 1 inside
        """
        distances, nearest = self._index.kneighbors(codes)
        distance = np.maximum(distances.mean(axis=1), LEAST)
        return {
            "latent_distance": distance,
            "latent_density": distance / self._usual[nearest].mean(axis=1),
        }
