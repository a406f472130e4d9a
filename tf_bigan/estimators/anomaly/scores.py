"""From what is measured of rows to scores of strangeness; larger is stranger."""

from collections.abc import Mapping

import numpy as np

COMBINED = ("reconstruction", "relative", "latent_distance", "latent_density")
LATENT = ("latent_distance", "latent_density", "combined")  # need the training rows' codes
CRITERIA = (*COMBINED[:2], "feature_matching", "cross_entropy", "alad", *LATENT)
LEAST = 1e-12


def scores(measured: Mapping[str, np.ndarray], weight: float) -> dict[str, np.ndarray]:
    """The scores that these measurements allow, all but `combined`.

    With L_G = Σ|x - G(E(x))|, the logits l of the discriminator of pairs, f its last hidden layer:

        reconstruction    L_G
        relative          L_G / Σ|x|, the share of an image that does not come back; not of a table
        feature_matching  a·L_G + (1 - a)·Σ|f(x, E(x)) - f(G(E(x)), E(x))|
        cross_entropy     a·L_G + (1 - a)·softplus(-l(G(E(x)), E(x)))
        alad              Σ|f_xx(x, x) - f_xx(x, G(E(x)))|
        latent_distance, latent_density   see `CodeNeighbours`

    feature_matching and cross_entropy are of EGBAD (Zenati et al. 2018, section 3), alad of ALAD
    (Zenati et al. 2018, section IV).

    Args:
        measured: of `TrainedSystem` and `CodeNeighbours`, [N] each.
        weight: a.
    """
    found = {name: measured[name] for name in COMBINED if name in measured}
    error = measured["reconstruction"]
    if "size" in measured:
        found["relative"] = error / np.maximum(measured["size"], LEAST)
    if "features" in measured:
        found["feature_matching"] = weight * error + (1.0 - weight) * measured["features"]
        found["cross_entropy"] = weight * error + (1.0 - weight) * measured["cross_entropy"]
    if "pairs" in measured:
        found["alad"] = measured["pairs"]
    return found


class Combination:
    """The mean of the logarithms of the scores in `COMBINED`, each in standard deviations.

    An error counts by itself and by the size of the image: simple images are easy to give back. A
    distance counts by itself and by what is usual around: simple images lie densely.

    Args:
        held_out: scores [N] of normal rows that the system did not learn from, N >= 2: what is
            usual. No anomaly is needed. Those of `COMBINED` that are here count.
    """

    def __init__(self, held_out: Mapping[str, np.ndarray]):
        self._names = [name for name in COMBINED if name in held_out]
        logarithms = self._logarithms(held_out)
        self._mean = logarithms.mean(axis=0)
        self._deviation = np.maximum(logarithms.std(axis=0), LEAST)

    def of(self, found: Mapping[str, np.ndarray]) -> np.ndarray:
        """The combined score of other rows, [N]."""
        return ((self._logarithms(found) - self._mean) / self._deviation).mean(axis=1)

    def _logarithms(self, found: Mapping[str, np.ndarray]) -> np.ndarray:
        return np.log(np.maximum(np.stack([found[n] for n in self._names], axis=1), LEAST))
