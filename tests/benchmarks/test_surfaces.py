"""Surfaces with defects, which are small and leave the rest as it is."""

import numpy as np
import pytest

from benchmarks import surfaces


def test_the_normal_patches_are_of_the_photograph():
    images, defective = surfaces.surface("lake")
    assert images.shape == (1000, 32, 32, 3) and images.dtype == np.float32
    assert (defective[:800] == 0).all() and (defective[800:] == 1).all()
    from sklearn.datasets import load_sample_images

    _, _, rows, columns = surfaces.PLACES["lake"]
    corners = np.random.default_rng(0).integers(
        (rows[0], columns[0]), (rows[1], columns[1]), (1000, 2)
    )
    y, x = corners[3]
    pixels = load_sample_images().images[0][y : y + 2, x : x + 2]
    np.testing.assert_allclose(images[3, 0, 0], pixels.mean((0, 1)) / 255, rtol=1e-5)


@pytest.mark.parametrize("seed", range(20))
def test_a_defect_changes_a_small_part(seed):
    rng = np.random.default_rng(seed)
    grey, other = np.full((64, 64, 3), 100, np.uint8), np.full((400, 400, 3), 200, np.uint8)
    changed = (surfaces.damaged(grey, other, rng) != grey).any(axis=2)
    assert 0.01 < changed.mean() < 0.13
    assert (grey == 100).all()
