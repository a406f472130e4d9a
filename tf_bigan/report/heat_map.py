"""Heat maps: where an image and its reconstruction differ."""

import numpy as np

from tf_bigan.evaluation.checks import as_image_pairs, check_positive

_COLOURS = "magma"  # black where they agree


def heat_maps(images, reconstructions, *, scale: float | None = None) -> np.ndarray:
    """|x - G(E(x))|, the mean over the channels, in colours from black to bright yellow.

    Args:
        images: x [N, H, W, C] in [0, 1].
        reconstructions: G(E(x)) [N, H, W, C] in [0, 1].
        scale: the difference that is brightest, > 0; by default the largest of all, so that the
            maps of one call compare.

    Returns:
        float32 [N, H, W, 3] in [0, 1].

    Raises:
        ValueError: for another rank or range, NaN, unequal shapes, or a scale that is not positive.
    """
    from matplotlib import colormaps

    images, reconstructions = as_image_pairs(images, reconstructions)
    differences = np.abs(images.astype(np.float64) - reconstructions).mean(axis=-1)  # [N, H, W]
    if scale is None:
        scale = differences.max() or 1.0
    check_positive(scale, "scale")
    return colormaps[_COLOURS](np.minimum(differences / scale, 1))[..., :3].astype(np.float32)
