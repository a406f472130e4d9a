"""How far a code lies from the codes of training, and how sparse that is for the place."""

import numpy as np

LEAST = 1e-12  # keeps logarithms and ratios of distances finite where rows are equal
SAME = 1e-3  # of the usual distance: what rounding leaves between a code and itself


class CodeNeighbours:
    """The training rows' codes, and what they say about others.

    Args:
        codes: [N, latent], N >= 2.
        n_neighbors: k, fewer where there are not so many.
    """

    def __init__(self, codes: np.ndarray, n_neighbors: int):
        from sklearn.neighbors import NearestNeighbors

        k = min(n_neighbors, len(codes) - 1)
        self._index = NearestNeighbors(n_neighbors=k + 1).fit(codes)
        distances, _ = self._index.kneighbors(n_neighbors=k)  # without itself
        self._usual = np.maximum(distances.mean(axis=1), LEAST)

    def measure(self, codes: np.ndarray) -> dict[str, np.ndarray]:
        """Places codes among those of training.

        A code of training is not its own neighbour: it would look more normal than a new one.

        Returns:
            latent_distance  the mean Euclidean distance to the k nearest codes, [N]
            latent_density   that, in units of the same distance of these k: a local outlier factor
                             (Breunig et al. 2000) without its reachability; about 1 inside
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
