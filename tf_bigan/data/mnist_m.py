"""MNIST-M-like colour digits: MNIST blended with photographs, the target of domain adaptation."""

from __future__ import annotations

import numpy as np

from tf_bigan.data import mnist
from tf_bigan.data.images import CHUNK, ImageData

SEEDS = {"train": 0, "test": 1}
STRIPS = 10  # per photograph; with fewer, wider strips one part would be darker than the other


def open_mnist_m(data_dir: str | None = None) -> tuple[str, dict[str, ImageData]]:
    """(origin, {"train": 60,000 images, "test": 10,000 images}), 28x28x3, always the same ones.

    Made like MNIST-M in Ganin et al., "Domain-Adversarial Training of Neural Networks" (2016),
    section 5.2.3, but different from the published file: the patches come from the two photographs
    in scikit-learn, not from BSDS500. The order is that of MNIST, which is loaded by `open_mnist`.
    Raises UserError if MNIST is not available.
    """
    origin, digits = mnist.open_mnist(data_dir)
    scenes = _photographs()
    parts = {}
    for part, seed in SEEDS.items():
        data = digits[part].take(len(digits[part]))
        images = blend(data.images, scenes[part], seed)
        parts[part] = ImageData("mnist_m", images, data.labels, data.class_names)
    return f"{origin}, blended with the photographs of scikit-learn", parts


def blend(digits: np.ndarray, photographs: np.ndarray, seed: int) -> np.ndarray:
    """|patch - digit| in each channel, for a patch drawn uniformly from the photographs.

    digits: uint8 [N, H, W, 1].  photographs: uint8 [P, at least H, at least W, C].
    Returns uint8 [N, H, W, C]; the first n depend only on `seed` and the first n digits.
    """
    n, height, width, _ = digits.shape
    # [P, rows, columns, C, H, W], a view: the patch at each position
    patches = np.lib.stride_tricks.sliding_window_view(photographs, (height, width), axis=(1, 2))
    places = patches.shape[:3]
    # The legacy generator is frozen; NumPy's newer ones may change between versions.
    chosen = np.random.RandomState(seed).randint(np.prod(places), size=n)
    images = np.empty((n, height, width, photographs.shape[-1]), np.uint8)
    for start in range(0, n, CHUNK):
        chunk = slice(start, start + CHUNK)
        patch = np.moveaxis(patches[np.unravel_index(chosen[chunk], places)], 1, -1)
        digit = digits[chunk]
        # |patch - digit| without negative intermediate values, which would wrap around in uint8
        images[chunk] = np.maximum(patch, digit) - np.minimum(patch, digit)
    return images


def _photographs() -> dict[str, np.ndarray]:
    """uint8 [10, 427, 64, 3] for each part: vertical strips of the photographs, alternating.

    No pixel is in both parts, but both parts contain the same scenes: a building, sky, water and
    trees in one photograph, a flower in front of dark leaves in the other.
    """
    from sklearn.datasets import load_sample_images

    pictures = np.stack(load_sample_images().images)  # [2, 427, 640, 3]
    strips = np.split(pictures, STRIPS, axis=2)
    return {"train": np.concatenate(strips[0::2]), "test": np.concatenate(strips[1::2])}
