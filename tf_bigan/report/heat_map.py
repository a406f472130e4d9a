"""Heat maps of the differences between images and reconstructions."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from matplotlib import colormaps

from tf_bigan.constraints import Positive, check
from tf_bigan.evaluation.checks import as_image_pairs

_COLOURS = "magma"  # black for no difference


def heat_maps(
    images: npt.ArrayLike, reconstructions: npt.ArrayLike, *, scale: Positive | None = None
) -> np.ndarray:
    """|x - G(E(x))|, the mean over the channels, in colours from black to bright yellow.

    Args:
        images: x [N, H, W, C] in [0, 1].
        reconstructions: G(E(x)) [N, H, W, C] in [0, 1].
        scale: the difference with the brightest colour, > 0; by default the largest of all, so
            that the maps of one call are comparable.

    Returns:
        float32 [N, H, W, 3] in [0, 1].

    Raises:
        UserError: a wrong rank or range, NaN, unequal shapes, or a scale that is not positive.
    """
    images, reconstructions = as_image_pairs(images, reconstructions)
    differences = np.abs(images.astype(np.float64) - reconstructions).mean(axis=-1)  # [N, H, W]
    if scale is None:
        scale = differences.max() or 1.0
    check("scale", scale, Positive)
    return colormaps[_COLOURS](np.minimum(differences / scale, 1))[..., :3].astype(np.float32)
