"""Compares an image with the training and held-out images of a model."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from sklearn.neighbors import NearestNeighbors

from tf_bigan.core.model import AdversarialModel
from tf_bigan.data import ImageData
from tf_bigan.data.decoding import Resize
from tf_bigan.errors import UserError, drawable
from tf_bigan.explore.directions import Directions, coordinates, principal
from tf_bigan.explore.fitting import Fitting

_CHUNK = 1024  # images in float32 at once


@dataclass(frozen=True)
class Neighbour:
    """A training image with a nearby code: its index, the name of its class, the distance."""

    index: int
    label: str | None
    distance: float


@dataclass(frozen=True)
class Look:
    """The results for an image x. None: the model has no network for it.

    x: [H, W, C] in [0, 1].
    code: E(x), [latent_dim].
    neighbours: the training images with the nearest codes, nearest first.
    reconstruction: G(E(x)), [H, W, C] in [0, 1].
    error: the sum of |x - G(E(x))| over pixels and channels.
    percentile: the percentage of held-out images with a smaller error.
    """

    x: np.ndarray
    code: np.ndarray
    neighbours: list[Neighbour]
    reconstruction: np.ndarray | None = None
    error: float | None = None
    percentile: float | None = None


class Explorer:
    """A trained model with the codes and reconstruction errors of its images.

    Args:
        model: any system.
        train: the images to search for neighbours.
        held_out: the images to compare reconstruction errors with.
        most: number of images to draw from larger sets, without replacement.
        resize, background: as in `data.load`, for uploaded files.
        progress: called with a line of text before each long calculation.

    Raises:
        UserError: the images do not fit the model, or its outputs are not finite.
    """

    def __init__(
        self,
        model: AdversarialModel,
        train: ImageData,
        held_out: ImageData,
        most: int = 20_000,
        resize: Resize = "crop",
        background: str = "white",
        progress: Callable[[str], None] = lambda line: None,
    ):
        self.model = model
        self.train, self.held_out = _drawable(train), _drawable(held_out)
        self.encodes, self.generates = hasattr(model, "encoder"), hasattr(model, "generator")
        if train.image_shape != model.image_shape:
            raise UserError(
                f"the model is for images of shape {model.image_shape}, but {train.name} has "
                f"{train.image_shape}: use the images that it was trained on"
            )
        self.searched = _drawn(len(train), most)  # indices of images in `train`
        every = max(1, len(self.searched) // 1000)  # the images may be sorted by class
        self.fitting = Fitting.to(train.images[self.searched[::every]], resize, background)
        self.codes = self.errors = np.empty(0)
        if self.encodes:
            progress(f"encoding {len(self.searched):,} training images")
            self.codes = self._in_chunks(model.encode, train, self.searched)
        if self.inverts:
            chosen = _drawn(len(held_out), most)
            progress(f"reconstructing {len(chosen):,} held-out images")
            self.errors = np.sort(self._in_chunks(self._errors, held_out, chosen))

    @property
    def inverts(self) -> bool:
        """Whether the model can reconstruct."""
        return self.encodes and self.generates

    @cached_property
    def _search(self) -> NearestNeighbors:
        return NearestNeighbors(algorithm="brute").fit(self.codes)

    def look(self, x: np.ndarray, neighbours: int = 8) -> Look:
        """The results for an image [H, W, C] in [0, 1]. The model must have an encoder."""
        code = self.model.encode(x[None])[0]
        near = self.neighbours(code, neighbours)
        if not self.generates:
            return Look(x, code, near)
        reconstruction = self.model.generate(code[None])[0]
        error = float(np.abs(x - reconstruction).sum())
        return Look(x, code, near, reconstruction, error, self.percentile(error))

    def neighbours(self, code: np.ndarray, count: int) -> list[Neighbour]:
        """The training images with the codes nearest to `code` [latent_dim]."""
        count = min(count, len(self.codes))
        distances, rows = self._search.kneighbors(code[None], count)
        return [
            Neighbour(int(index), label_of(self.train, index), float(distance))
            for distance, index in zip(distances[0], self.searched[rows[0]], strict=True)
        ]

    def percentile(self, error: float) -> float:
        """The percentage of held-out images with a smaller reconstruction error."""
        return 100.0 * float(np.searchsorted(self.errors, error, side="left")) / len(self.errors)

    def directions(self, count: int = 8) -> Directions:
        """The principal components of the codes; without an encoder the dimensions of z."""
        if self.encodes:
            return principal(self.codes, count)
        return coordinates(self.model.prior, count)

    def draw(self, seed: int) -> np.ndarray:
        """One draw of z, [latent_dim]."""
        return self.model.prior.sample(1, seed).numpy()[0]

    def picture_of(self, z: np.ndarray) -> np.ndarray:
        """G(z) of one z [latent_dim]: [H, W, C] in [0, 1]."""
        return self.model.generate(z[None])[0]

    def between(self, a: np.ndarray, b: np.ndarray, steps: int = 10) -> np.ndarray:
        """a, `steps` interpolations and b, for images a, b [H, W, C]: [steps + 2, H, W, C]."""
        images = self.model.interpolate(a[None], b[None], steps)[0]
        return np.concatenate([a[None], images, b[None]])

    def _errors(self, x: np.ndarray) -> np.ndarray:
        return np.abs(x - self.model.reconstruct(x)).sum((1, 2, 3))

    def _in_chunks(self, function, images: ImageData, chosen: np.ndarray) -> np.ndarray:
        starts = range(0, len(chosen), _CHUNK)
        values = np.concatenate(
            [function(images.as_float(chosen[start : start + _CHUNK])) for start in starts]
        )
        if not np.isfinite(values).all():
            raise UserError(
                f"outputs of the model of step {int(self.model.step.numpy())} are not finite: its "
                "training has failed"
            )
        return values


def label_of(images: ImageData, index: int) -> str | None:
    """The name of an image's class; None without labels."""
    if images.labels is None:
        return None
    label = int(images.labels[index])
    return images.class_names[label] if images.class_names else str(label)


def _drawable(images: ImageData) -> ImageData:
    """The images with names that a page can hold: its text must be UTF-8."""
    classes = images.class_names and tuple(map(drawable, images.class_names))
    return replace(images, name=drawable(images.name), class_names=classes)


def _drawn(count: int, most: int) -> np.ndarray:
    """At most `most` of `count` indices, fixed and in ascending order."""
    return np.sort(np.random.default_rng(0).permutation(count)[:most])
