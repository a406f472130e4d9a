"""Anomaly scores from the measurements of a row; larger is more anomalous."""

from collections.abc import Mapping
from typing import Literal

import numpy as np

Criterion = Literal[
    "reconstruction",
    "relative",
    "feature_matching",
    "cross_entropy",
    "alad",
    "latent_distance",
    "latent_density",
    "combined",
]
COMBINED = ("reconstruction", "relative", "latent_distance", "latent_density")
LATENT = ("latent_distance", "latent_density", "combined")  # need the training rows' codes
LEAST = 1e-12


def scores(measured: Mapping[str, np.ndarray], weight: float) -> dict[str, np.ndarray]:
    """All scores that the measurements allow, except `combined`.

    With L_G = Σ|x - G(E(x))|, D(x, z) with logits l and last hidden layer f:

        reconstruction    L_G
        relative          L_G / Σ|x|, for images only
        feature_matching  a·L_G + (1 - a)·Σ|f(x, E(x)) - f(G(E(x)), E(x))|
        cross_entropy     a·L_G + (1 - a)·softplus(-l(G(E(x)), E(x)))
        alad              Σ|f_xx(x, x) - f_xx(x, G(E(x)))|
        latent_distance, latent_density   see `CodeNeighbours`

    feature_matching and cross_entropy are from EGBAD (Zenati et al. 2018, section 3), alad is from
    ALAD (Zenati et al. 2018, section IV).

    Args:
        measured: the results of `TrainedSystem` and `CodeNeighbours`, [N] each.
        weight: a, in [0, 1].
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
    """The mean of the standardised logarithms of the scores in `COMBINED`.

    Simple images are easy to reconstruct and their codes are dense, so that both absolute errors
    and distances, and those relative to image brightness and local density, are used.

    Args:
        held_out: scores [N] of normal rows that were not used for training, N >= 2, for the mean
            and standard deviation. Uses the scores in `COMBINED` that it contains.
    """

    def __init__(self, held_out: Mapping[str, np.ndarray]):
        self._names = [name for name in COMBINED if name in held_out]
        logarithms = self._logarithms(held_out)
        self._mean = logarithms.mean(axis=0)
        self._deviation = np.maximum(logarithms.std(axis=0), LEAST)

    def of(self, found: Mapping[str, np.ndarray]) -> np.ndarray:
        """The combined score of rows, [N]."""
        return ((self._logarithms(found) - self._mean) / self._deviation).mean(axis=1)

    def _logarithms(self, found: Mapping[str, np.ndarray]) -> np.ndarray:
        return np.log(np.maximum(np.stack([found[n] for n in self._names], axis=1), LEAST))
