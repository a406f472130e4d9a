"""NND: how far the real images are from the nearest generated one."""

from tf_bigan.evaluation.checks import as_images, check_same_image_shape
from tf_bigan.evaluation.neighbours import nearest


def nnd(images, samples) -> float:
    """Mean L2 distance from each real image to the nearest sample (official name: NND).

    Low when every real image has a sample close to it, so it punishes both poor samples and
    missing modes. It falls as the number of samples grows: compare equal numbers. The official
    evaluation takes 10,000 held-out images and 100,000 samples; NND/10 and NND/100 take the first
    tenth and hundredth of these samples.

    Args:
        images: real images [N, H, W, C] in [0, 1].
        samples: G(z) [M, H, W, C] in [0, 1].

    Raises:
        ValueError: for another rank, range or image size, or NaN.
    """
    images, samples = as_images(images, "images"), as_images(samples, "samples")
    check_same_image_shape(images, "images", samples, "samples")
    distances, _ = nearest(images, samples)
    return float(distances.mean())
