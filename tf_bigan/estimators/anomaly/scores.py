"""Anomaly scores from the measurements of a row; larger is more anomalous."""

from collections.abc import Mapping
from typing import Literal

import tensorflow as tf

Criterion = Literal[
    "reconstruction",
    "relative",
    "feature_matching",
    "cross_entropy",
    "alad",
    "latent_distance",
    "latent_density",
    "pixel_distance",
    "pixel_density",
    "patch_distance",
    "patch_mean",
    "hog_distance",
    "hog_density",
    "principal",
    "combined",
]
# Need more than the system: the codes, rows or patches of the training rows.
LATENT = ("latent_distance", "latent_density")
PIXEL = ("pixel_distance", "pixel_density")
PATCH = ("patch_distance", "patch_mean")
HOG = ("hog_distance", "hog_density")
PRINCIPAL = ("principal",)
# The scores in `combined`. Of a table or a small image, of at most `SHORT` values, the distances
# between rows say nearly all. Of a larger grey image the edges do: what is drawn, however thick or
# dark. In pictures in colour, pixels see the colour that edges and patches do not, and patches a
# small defect.
SHORT = 256
COMBINED_TABLES = (*PIXEL, *PRINCIPAL)
COMBINED_SMALL = PIXEL
COMBINED_COLOUR = ("pixel_distance", *PATCH, *HOG)
COMBINED_GREY = HOG
LEAST = 1e-12


def scores(measured: Mapping[str, tf.Tensor], weight: float) -> dict[str, tf.Tensor]:
    """The scores that the measurements of a system allow.

    With L_G = Σ|x - G(E(x))|, D(x, z) with logits l and last hidden layer f:

        reconstruction    L_G
        relative          L_G / Σ|x|, for images only
        feature_matching  a·L_G + (1 - a)·Σ|f(x, E(x)) - f(G(E(x)), E(x))|
        cross_entropy     a·L_G + (1 - a)·softplus(-l(G(E(x)), E(x)))
        alad              Σ|f_xx(x, x) - f_xx(x, G(E(x)))|

    feature_matching and cross_entropy are from EGBAD (Zenati et al. 2018, section 3), alad is from
    ALAD (Zenati et al. 2018, section IV).

    Args:
        measured: the results of `TrainedSystem`, [N] each.
        weight: a, in [0, 1].
    """
    error = measured["reconstruction"]
    found = {"reconstruction": error}
    if "size" in measured:
        found["relative"] = error / tf.maximum(measured["size"], LEAST)
    if "features" in measured:
        found["feature_matching"] = weight * error + (1.0 - weight) * measured["features"]
        found["cross_entropy"] = weight * error + (1.0 - weight) * measured["cross_entropy"]
    if "pairs" in measured:
        found["alad"] = measured["pairs"]
    return found
