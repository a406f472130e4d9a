"""Pictures and folders of them for the tests of data."""

from pathlib import Path

import numpy as np
from PIL import Image

from tf_bigan.data import load

RNG = np.random.default_rng(0)
GREY = RNG.integers(0, 256, (6, 6), np.uint8)
RGB = RNG.integers(0, 256, (6, 6, 3), np.uint8)


def save(path: Path, pixels, **options):
    path.parent.mkdir(parents=True, exist_ok=True)
    image = pixels if isinstance(pixels, Image.Image) else Image.fromarray(pixels)
    image.save(path, **options)


def filled(root: Path, names, channels=()) -> Path:
    """A folder of random pictures of 4 × 4."""
    for name in names:
        save(root / name, RNG.integers(0, 256, (4, 4, *channels), np.uint8))
    return root


def whole(root, **options):
    """All images of a folder, and all labels."""
    parts = [load(f"folder:{root}", split, **options) for split in ("train", "test")]
    labels = None if parts[0].labels is None else np.concatenate([p.labels for p in parts])
    return np.concatenate([part.images for part in parts]), labels, parts[0].class_names
