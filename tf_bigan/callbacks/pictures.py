"""Pictures of samples, reconstructions and interpolations, as PNG files."""

import os

import numpy as np

from tf_bigan.callbacks.periodic import Periodic
from tf_bigan.core.model import AdversarialModel
from tf_bigan.data.pixels import to_unit_range
from tf_bigan.report.pictures import (
    enlarged,
    image_grid,
    originals_over_reconstructions,
    save_png,
)


def sample_picture(model: AdversarialModel, n: int = 64, seed: int = 0) -> np.ndarray | None:
    """G(z) for `n` draws of z, which depend only on the seed: uint8 [H', W', C], C 1 or 3.

    None for a model without a generator.
    """
    if not hasattr(model, "generator"):
        return None
    return image_grid(enlarged(visible(model.sample(n, seed))))


def reconstruction_picture(model: AdversarialModel, images: np.ndarray) -> np.ndarray | None:
    """Images [N, H, W, C] in [0, 1] with G(E(x)) below each: uint8 [H', W', C], C 1 or 3.

    None for a model without encoder or generator.
    """
    if not _inverts(model):
        return None
    reconstructions = enlarged(visible(model.reconstruct(images)))
    return originals_over_reconstructions(enlarged(visible(images)), reconstructions)


def interpolation_picture(
    model: AdversarialModel, images: np.ndarray, steps: int = 10
) -> np.ndarray | None:
    """One row per pair of images: the first, `steps` interpolations, the second.

    Images [N, H, W, C] in [0, 1] -> uint8 [H', W', C], C 1 or 3. None for a model without encoder
    or generator, and for fewer than two images.
    """
    if not _inverts(model) or len(images) < 2:
        return None
    a, b = images[: len(images) // 2 * 2 : 2], images[1::2]
    between = model.interpolate(a, b, steps)  # [N/2, steps, H, W, C]
    rows = np.concatenate([a[:, None], between, b[:, None]], axis=1)
    tiles = enlarged(visible(rows.reshape(-1, *images.shape[1:])))
    return image_grid(tiles, columns=steps + 2)


class _Picture(Periodic):
    """Writes `picture()` as DIRECTORY/NAME-epoch-0005.png, unless it is None."""

    name: str

    def __init__(self, directory: str | os.PathLike, every: int):
        super().__init__(every)
        self.directory = os.fspath(directory)

    def picture(self) -> np.ndarray | None:
        raise NotImplementedError

    def run(self, epoch: int, logs: dict) -> None:
        picture = self.picture()
        if picture is not None:
            os.makedirs(self.directory, exist_ok=True)
            save_png(os.path.join(self.directory, f"{self.name}-epoch-{epoch:04d}.png"), picture)


class SampleGrid(_Picture):
    """A picture of G(z) before training and every `every` epochs, for the same `n` draws of z.

    Args:
        directory: directory of the files samples-epoch-0005.png; created if it does not exist.
        n: number of samples.
        every: epochs between two pictures.
        seed: random seed of z.
    """

    name = "samples"

    def __init__(self, directory: str | os.PathLike, n: int = 64, every: int = 1, seed: int = 0):
        super().__init__(directory, every)
        self.n, self.seed = n, seed

    def picture(self) -> np.ndarray | None:
        return sample_picture(self.model, self.n, self.seed)


class ReconstructionGrid(_Picture):
    """A picture of images above G(E(x)), before training and every `every` epochs.

    Args:
        images: [N, H, W, C], uint8 or float in [0, 1].
        directory: directory of the files reconstructions-epoch-0005.png.
        every: epochs between two pictures.
    """

    name = "reconstructions"

    def __init__(self, images: np.ndarray, directory: str | os.PathLike, every: int = 1):
        super().__init__(directory, every)
        self.images = to_unit_range(images)

    def picture(self) -> np.ndarray | None:
        return reconstruction_picture(self.model, self.images)


class InterpolationGrid(ReconstructionGrid):
    """A picture of interpolations from each even to each odd image; see `ReconstructionGrid`."""

    name = "interpolations"

    def picture(self) -> np.ndarray | None:
        return interpolation_picture(self.model, self.images)


def _inverts(model: AdversarialModel) -> bool:
    return hasattr(model, "encoder") and hasattr(model, "generator")


def visible(images: np.ndarray) -> np.ndarray:
    """Images with 1 or 3 channels unchanged, RGBA over white, the first channel of others."""
    if images.shape[-1] == 4:
        return images[..., :3] * images[..., 3:] + (1 - images[..., 3:])
    return images if images.shape[-1] in (1, 3) else images[..., :1]
