"""The pictures of the reports."""

from __future__ import annotations

import math

import numpy as np

from tf_bigan import data, report
from tf_bigan.callbacks.pictures import visible
from tf_bigan.core.model import AdversarialModel
from tf_bigan.report import Figure
from tf_bigan.run import build

_MAP_IMAGES, _SAMPLES, _PAIRS = 2000, 100, 50
_MAP_VALUES = 50_000_000  # maximal pixel values of all images in the map
_ENDS = slice(50, 70)  # images to interpolate between
_EXTREMES, _COLUMNS = 12, 10


def figures(model: AdversarialModel, held_out: data.ImageData) -> list[Figure]:
    """Samples, reconstructions, interpolations, best and worst reconstructions, latent map.

    Figures that need a missing generator or encoder are left out.
    """
    generates, encodes = hasattr(model, "generator"), hasattr(model, "encoder")
    most = min(_MAP_IMAGES, max(_SAMPLES, _MAP_VALUES // math.prod(held_out.image_shape)))
    few = build.picks(held_out, most)
    images = few.as_float()
    made = []
    if generates:
        grid = report.image_grid(_tiles(model.sample(_SAMPLES, seed=1)), pad=2)
        made.append(Figure("Samples", "G(z)", grid, "third"))
    if generates and encodes:
        reconstructions = model.reconstruct(images)
        pairs = report.originals_over_reconstructions(
            _tiles(images[:_PAIRS]), _tiles(reconstructions[:_PAIRS]), _COLUMNS
        )
        made.append(Figure("Reconstructions", "x above G(E(x))", pairs, "third"))
        ends = images[_ENDS] if len(images) >= _ENDS.stop else images[-20:]
        half = len(ends) // 2
        between = model.interpolate(ends[:half], ends[half : 2 * half], _COLUMNS)
        grid = report.image_grid(_tiles(between.reshape(-1, *images.shape[1:])), _COLUMNS, pad=2)
        note = f"{model.prior.path} from one E(x) to another"
        made.append(Figure("Interpolations", note, grid, "third"))
        made += _extremes(visible(images), visible(reconstructions))
    if encodes:
        codes = model.encode(images)
        picture, share = report.latent_map(codes, visible(images), few.labels)
        note = f"{len(codes):,} images, {share:.0%} of their variance"
        made.append(Figure("Latent map of E(x)", note, picture, "map"))
    return made


def _extremes(images: np.ndarray, reconstructions: np.ndarray) -> list[Figure]:
    """The best and the worst reconstructions, with heat maps of |x - G(E(x))|."""
    squares = np.square(images - reconstructions).sum(axis=(1, 2, 3))
    order = np.argsort(squares, kind="stable")
    count = min(_EXTREMES, len(order) // 2)
    heat = report.heat_maps(images, reconstructions)
    made = []
    for title, rows in (("Best", order[:count]), ("Worst", order[::-1][:count])):
        batches = (images[rows], reconstructions[rows], heat[rows])
        colour = [np.broadcast_to(batch, (*batch.shape[:3], 3)) for batch in batches]
        grid = report.image_grid(_tiles(np.concatenate(colour)), columns=count, pad=2)
        errors = np.sqrt(squares[rows])
        note = (
            f"x, G(E(x)) and |x − G(E(x))|; ‖x − G(E(x))‖ from {errors[0]:.2f} to "
            f"{errors[-1]:.2f} among {len(order):,} images"
        )
        made.append(Figure(f"{title} reconstructions", note, grid, "full"))
    return made


def _tiles(images: np.ndarray) -> np.ndarray:
    """Images with 1 or 3 channels, in a suitable size for a grid."""
    return report.shrunk(report.enlarged(visible(images)))
