"""What stands for a trained model in the tests of the pages, and a tiny detector."""

from types import SimpleNamespace

import numpy as np
import pytest

from tests.small import eager
from tf_bigan import BiGANDetector, priors
from tf_bigan.data import ImageData
from tf_bigan.explore.detector.explorer import DetectorExplorer
from tf_bigan.explore.explorer import Explorer


class Halving:
    """E flattens an image of 2 × 2 pixels, G halves what it is given."""

    image_shape, encoder, generator = (2, 2, 1), True, True
    prior, step = priors.Uniform(4), SimpleNamespace(numpy=lambda: 7)

    def encode(self, images):
        return images.reshape(len(images), -1)

    def generate(self, z):
        return 0.5 * z.reshape(-1, *self.image_shape)

    def reconstruct(self, images):
        return self.generate(self.encode(images))

    def sample(self, n, seed=0):
        return self.generate(self.prior.sample(n, seed).numpy())

    def interpolate(self, a, b, steps):
        t = np.linspace(0, 1, steps, dtype=np.float32).reshape(1, steps, 1, 1, 1)
        return 0.5 * (a[:, None] * (1 - t) + b[:, None] * t)


class OnlyG(Halving):
    @property
    def encoder(self):
        raise AttributeError


class OnlyE(Halving):
    @property
    def generator(self):
        raise AttributeError


def data(*values, labels=None) -> ImageData:
    """An image of 2 × 2 equal pixels for each value."""
    images = np.repeat(np.array(values, np.uint8), 4).reshape(-1, 2, 2, 1)
    names = None if labels is None else ("cat", "dog")
    return ImageData("tiny", images, None if labels is None else np.array(labels), names)


TRAIN, HELD_OUT = data(0, 51, 102, 255, labels=[0, 1, 1, 0]), data(255, 51, 102, 153, 204)


@pytest.fixture(scope="module")
def explorer() -> Explorer:
    return Explorer(Halving(), TRAIN, HELD_OUT)


TINY = {"width": 4, "latent_dim": 2, "epochs": 1, "random_state": 0}


@pytest.fixture(scope="session")
def photos() -> np.ndarray:
    """Grey and of so many values that codes and patches are in the score."""
    return np.random.default_rng(0).integers(0, 120, (24, 15, 18, 1), np.uint8)


@pytest.fixture(scope="session")
def detective(photos) -> DetectorExplorer:
    with eager():
        return DetectorExplorer(BiGANDetector("autoencoder", **TINY).fit(photos))
