"""What a model says of an image, beside its training images and the held-out ones."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from tf_bigan.core.model import AdversarialModel
from tf_bigan.data import ImageData
from tf_bigan.errors import UserError
from tf_bigan.explore.directions import Directions, coordinates, principal
from tf_bigan.explore.fitting import Fitting

_CHUNK = 1024  # images in float32 at once


@dataclass(frozen=True)
class Neighbour:
    """A training image near to another by E(x): its place in the data, class and distance."""

    index: int
    label: str | None
    distance: float


@dataclass(frozen=True)
class Look:
    """Everything that is shown of an image x; None where the model has no network for it.

    x: [H, W, C] in [0, 1].
    code: E(x), [latent].
    reconstruction: G(E(x)), [H, W, C] in [0, 1].
    error: the sum of |x - G(E(x))| over pixels and channels.
    stranger: the percentage of held-out images with a smaller error.
    neighbours: the nearest training images, nearest first.
    """

    x: np.ndarray
    code: np.ndarray
    neighbours: list[Neighbour]
    reconstruction: np.ndarray | None = None
    error: float | None = None
    stranger: float | None = None


class Explorer:
    """A trained model with what is needed to place an image: codes and errors of other images.

    Args:
        model: any system of this package.
        train: the images among which neighbours are sought.
        held_out: the images whose errors tell how strange another one is.
        most: of larger sets so many images are taken, drawn without replacement.
        progress: called with a line about each long calculation.

    Raises:
        UserError: the data do not fit the model, or it gives values that are not finite.
    """

    def __init__(
        self,
        model: AdversarialModel,
        train: ImageData,
        held_out: ImageData,
        most: int = 20_000,
        progress: Callable[[str], None] = lambda line: None,
    ):
        self.model, self.train, self.held_out = model, train, held_out
        self.encodes, self.generates = hasattr(model, "encoder"), hasattr(model, "generator")
        if train.image_shape != model.image_shape:
            raise UserError(
                f"the model is for images of shape {model.image_shape}, but {train.name} has "
                f"{train.image_shape}: train it anew on these, or give it back its own data"
            )
        self.gallery = _drawn(len(train), most)  # places of the images in `train`
        every = max(1, len(self.gallery) // 1000)  # of all classes, where they are sorted
        self.fitting = Fitting.to(train.images[self.gallery[::every]])
        self.codes = self.errors = None
        if self.encodes:
            progress(f"encoding {len(self.gallery):,} training images")
            self.codes = self._in_chunks(model.encode, train, self.gallery)
        if self.inverts:
            chosen = _drawn(len(held_out), most)
            progress(f"reconstructing {len(chosen):,} held-out images")
            self.errors = np.sort(self._in_chunks(self._errors, held_out, chosen))

    @property
    def inverts(self) -> bool:
        """Whether there is a G(E(x))."""
        return self.encodes and self.generates

    @cached_property
    def _search(self):
        from sklearn.neighbors import NearestNeighbors

        return NearestNeighbors(algorithm="brute").fit(self.codes)

    def look(self, x: np.ndarray, neighbours: int = 8) -> Look:
        """All that the model says of one image, [H, W, C] in [0, 1]; it must have an encoder."""
        code = self.model.encode(x[None])[0]
        near = self.neighbours(code, neighbours)
        if not self.generates:
            return Look(x, code, near)
        reconstruction = self.model.generate(code[None])[0]
        error = float(np.abs(x - reconstruction).sum())
        return Look(x, code, near, reconstruction, error, self.stranger(error))

    def neighbours(self, code: np.ndarray, count: int) -> list[Neighbour]:
        """The training images with the codes nearest to one, [latent]."""
        count = min(count, len(self.codes))
        distances, rows = self._search.kneighbors(code[None], count)
        return [
            Neighbour(int(index), label_of(self.train, index), float(distance))
            for distance, index in zip(distances[0], self.gallery[rows[0]], strict=True)
        ]

    def stranger(self, error: float) -> float:
        """The percentage of held-out images that are reconstructed with a smaller error."""
        return 100.0 * float(np.searchsorted(self.errors, error, side="left")) / len(self.errors)

    def directions(self, count: int = 8) -> Directions:
        """Where to move z: the codes' principal directions, or without an encoder its entries."""
        if self.encodes:
            return principal(self.codes, count)
        return coordinates(self.model.prior, count)

    def draw(self, seed: int) -> np.ndarray:
        """One z of the prior, [latent]."""
        return self.model.prior.sample(1, seed).numpy()[0]

    def picture_of(self, z: np.ndarray) -> np.ndarray:
        """G(z) of one z [latent]: [H, W, C] in [0, 1]."""
        return self.model.generate(z[None])[0]

    def between(self, a: np.ndarray, b: np.ndarray, steps: int = 10) -> np.ndarray:
        """From image a to image b, [H, W, C]: a, G on the way in `steps`, b; [steps + 2, ...]."""
        way = self.model.interpolate(a[None], b[None], steps)[0]
        return np.concatenate([a[None], way, b[None]])

    def _errors(self, x: np.ndarray) -> np.ndarray:
        return np.abs(x - self.model.reconstruct(x)).sum((1, 2, 3))

    def _in_chunks(self, function, images: ImageData, chosen: np.ndarray) -> np.ndarray:
        starts = range(0, len(chosen), _CHUNK)
        values = np.concatenate(
            [function(images.as_float(chosen[start : start + _CHUNK])) for start in starts]
        )
        if not np.isfinite(values).all():
            raise UserError(
                f"the model of step {int(self.model.step.numpy())} gives values that are not "
                "finite: its training has failed"
            )
        return values


def label_of(images: ImageData, index: int) -> str | None:
    """The name of an image's class, None without labels."""
    if images.labels is None:
        return None
    label = int(images.labels[index])
    return images.class_names[label] if images.class_names else str(label)


def _drawn(count: int, most: int) -> np.ndarray:
    """Places of at most `most` of `count` images, in order, always the same ones."""
    return np.sort(np.random.default_rng(0).permutation(count)[:most])
