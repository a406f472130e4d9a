"""What a model makes of its data: the pictures of the reports."""

import math
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from tf_bigan import data, report
from tf_bigan.callbacks.pictures import visible
from tf_bigan.core.model import AdversarialModel
from tf_bigan.report.page import Figure
from tf_bigan.run import build

_MAP_IMAGES, _SAMPLES, _PAIRS = 2000, 100, 50
_MAP_VALUES = 50_000_000  # of all these images: fewer where they are large
_ENDS = slice(50, 70)  # of interpolations
_EXTREMES, _COLUMNS = 12, 10


class Gallery:
    """Samples, reconstructions, interpolations and codes of held-out images, as far as there are.

    The arrays are of 1 or 3 channels; of a system without a generator or an encoder some are None.
    """

    def __init__(self, model: AdversarialModel, held_out: data.ImageData):
        generates, encodes = hasattr(model, "generator"), hasattr(model, "encoder")
        few = build.picks(
            held_out,
            min(_MAP_IMAGES, max(_SAMPLES, _MAP_VALUES // math.prod(held_out.image_shape))),
        )
        images = few.as_float()
        self.labels, self.class_names = few.labels, held_out.class_names
        self.images = visible(images)
        self.samples = visible(model.sample(_SAMPLES, seed=1)) if generates else None
        self.codes = model.encode(images) if encodes else None
        self.reconstructions = self.interpolations = None
        self.path = model.prior.path
        if generates and encodes:
            self.reconstructions = visible(model.reconstruct(images))
            ends = images[_ENDS] if len(images) >= _ENDS.stop else images[-20:]
            half = len(ends) // 2
            between = model.interpolate(ends[:half], ends[half : 2 * half], _COLUMNS)
            self.interpolations = visible(between)

    def write_png(self, path: Path, columns: Mapping, title: str):
        """report.png: all of it in one picture, with a table {column: {name: value}}."""
        inverts = self.reconstructions is not None
        report.report_png(
            path,
            samples=self.samples,
            originals=self.images[:_PAIRS] if inverts else None,
            reconstructions=self.reconstructions[:_PAIRS] if inverts else None,
            interpolations=self.interpolations,
            path_name=self.path,
            codes=self.codes,
            labels=self.labels,
            class_names=self.class_names,
            metrics=columns,
            title=title,
        )

    def figures(self) -> list[Figure]:
        """The figures of report.html."""
        figures = []
        if self.samples is not None:
            grid = report.image_grid(_tiles(self.samples), pad=2)
            figures.append(Figure("Samples", "G(z)", grid, "third"))
        if self.reconstructions is not None:
            pairs = report.originals_over_reconstructions(
                _tiles(self.images[:_PAIRS]),
                _tiles(self.reconstructions[:_PAIRS]),
                _COLUMNS,
            )
            figures.append(Figure("Reconstructions", "x above G(E(x))", pairs, "third"))
            images = self.interpolations.reshape(-1, *self.images.shape[1:])
            grid = report.image_grid(_tiles(images), _COLUMNS, pad=2)
            note = "from one E(x) to another"
            figures.append(Figure("Interpolations", note, grid, "third"))
            figures += self._extremes()
        if self.codes is not None:
            picture, share = report.latent_map(self.codes, self.images, self.labels)
            note = f"{len(self.codes):,} images, two principal components: {share:.0%} of variance"
            figures.append(Figure("Latent map of E(x)", note, picture, "map"))
        return figures

    def _extremes(self) -> list[Figure]:
        """The best and the worst reconstructions, with heat maps of |x - G(E(x))|."""
        squares = np.square(self.images - self.reconstructions).sum(axis=(1, 2, 3))
        order = np.argsort(squares, kind="stable")
        count = min(_EXTREMES, len(order) // 2)
        heat = report.heat_maps(self.images, self.reconstructions)
        figures = []
        for title, rows in (("Best", order[:count]), ("Worst", order[::-1][:count])):
            batches = (self.images[rows], self.reconstructions[rows], heat[rows])
            colour = [np.broadcast_to(b, (*b.shape[:3], 3)) for b in batches]
            tiles = _tiles(np.concatenate(colour))
            grid = report.image_grid(tiles, columns=count, pad=2)
            errors = np.sqrt(squares[rows])
            note = (
                f"x, G(E(x)) and |x − G(E(x))|; ‖x − G(E(x))‖ from {errors[0]:.2f} to "
                f"{errors[-1]:.2f} among {len(order):,} images"
            )
            figures.append(Figure(f"{title} reconstructions", note, grid, "full"))
        return figures


def _tiles(images: np.ndarray) -> np.ndarray:
    """Images of a size to look at in a grid."""
    return report.shrunk(report.enlarged(images))
