"""Every score of a detector as one graph: what it runs, pickles and exports."""

import functools
import math
import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf

from tf_bigan.errors import UserError
from tf_bigan.estimators.anomaly.arrays import rows_at_once
from tf_bigan.estimators.anomaly.columns import Columns
from tf_bigan.estimators.anomaly.components import Components
from tf_bigan.estimators.anomaly.evidence import Evidence
from tf_bigan.estimators.anomaly.hog import hog
from tf_bigan.estimators.anomaly.neighbours import Neighbours
from tf_bigan.estimators.anomaly.patches import MAP, SCORE, Patches
from tf_bigan.estimators.anomaly.scores import (
    COMBINED_COLOUR,
    COMBINED_GREY,
    COMBINED_SMALL,
    COMBINED_TABLES,
    HOG,
    LATENT,
    PATCH,
    PIXEL,
    PRINCIPAL,
    SHORT,
    scores,
)
from tf_bigan.estimators.anomaly.trained import TrainedSystem
from tf_bigan.export.formats import ONNX
from tf_bigan.export.parts import precisions


class Scorer(tf.Module):
    """The scores of images [N, H, W, C] or of a table [N, F].

    Args:
        system: a trained system.
        columns: the table's columns; None for images.
        weight: see `scores`.
    """

    _PARTS = ("system", "columns", "weight", "pixels", "codes", "edge_components", "edges")
    _PARTS += ("patches", "map_patches", "components", "evidence")

    def __init__(self, system: TrainedSystem, columns: Columns | None, weight: float):
        super().__init__()
        self.system, self.columns, self.weight = system, columns, weight
        self.pixels: Neighbours | None = None
        self.codes: Neighbours | None = None
        self.edge_components: Components | None = None
        self.edges: Neighbours | None = None
        self.patches: Patches | None = None
        self.map_patches: Patches | None = None
        self.components: Components | None = None
        self.evidence: dict[str, Evidence] = {}
        self._functions: dict[str, Callable] = {}

    def __getstate__(self) -> dict[str, Any]:
        return {
            name: dict(getattr(self, name)) if name == "evidence" else getattr(self, name)
            for name in self._PARTS
        }

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__init__(state["system"], state["columns"], state["weight"])
        for name, part in state.items():
            setattr(self, name, part)

    @property
    def possible(self) -> tuple[str, ...]:
        """The scores that this system can give on such rows."""
        shape = (1, *self.system.model.image_shape)
        of_system = scores(self.system.measure(tf.zeros(shape)), self.weight)
        if self.columns is not None:
            del of_system["relative"]  # a table has no total brightness
        others = PRINCIPAL if self.columns is not None else (*PRINCIPAL, *PATCH, *HOG)
        return (*of_system, *LATENT, *PIXEL, *others, "combined")

    @property
    def combined(self) -> tuple[str, ...]:
        """The scores whose evidence is `combined`."""
        if self.columns is not None:
            return COMBINED_TABLES
        shape = self.system.model.image_shape
        if math.prod(shape) <= SHORT:
            return COMBINED_SMALL
        return COMBINED_GREY if shape[-1] == 1 else COMBINED_COLOUR

    @property
    def compares(self) -> bool:
        """Whether rows are compared with reference rows: after `fit`."""
        return any(part is not None for part in (self.pixels, self.edges, self.codes))

    def fit(self, rows: np.ndarray, names: Sequence[str], n_neighbors: int, trained: int) -> None:
        """Computes what the scores of these names need.

        Args:
            rows: the training rows, float32 images or a float64 table.
            names: criteria; "combined" stands for all.
            n_neighbors: see `Neighbours`.
            trained: the principal components are those of so many first rows. The others are held
                out, and calibrate the scores.
        """
        every = (*PIXEL, *PATCH, *HOG, *PRINCIPAL, *LATENT)
        wanted = {*(every if "combined" in names else names)}
        if wanted & {*PIXEL, *PATCH, *PRINCIPAL}:
            flat = self.run(self._flat, rows)["rows"]
            if wanted & {*PIXEL, *PATCH}:
                self.pixels = Neighbours(flat, n_neighbors)
            if wanted & {*PRINCIPAL}:
                self.components = Components(flat[:trained])
        if wanted & {*LATENT}:
            self.codes = Neighbours(self.run(self._codes, rows)["code"], n_neighbors)
        if self.columns is None and wanted & {*HOG}:
            edges = self.run(self._hog, rows[:trained])["hog"]
            self.edge_components = Components(edges)
            self.edges = Neighbours(self.run(self._edges, rows)["edges"], n_neighbors)
        if self.columns is None and wanted & {*PATCH, *PIXEL}:  # heat maps need them too
            self.patches, self.map_patches = Patches(rows, SCORE), Patches(rows, MAP)
        self._functions = {}

    def combine(self, held_out: dict[str, np.ndarray]) -> None:
        """Makes `combined` from the scores [N] of held-out normal rows."""
        self.evidence = {name: Evidence(held_out[name]) for name in self.combined}
        self._functions = {}

    def scores(self, rows: np.ndarray, names: Sequence[str] | None = None) -> dict[str, np.ndarray]:
        """{name: float64 [N]}; larger is more anomalous.

        Args:
            rows: images, or a table.
            names: the scores to compute; None for every one that was fitted.
        """
        return self.run(self.graph, rows, names)

    def heat_map(self, images: np.ndarray) -> np.ndarray:
        """float32 [N, H, W]; see `Patches.heat_map`."""
        return self.run(self._heat_map, images)["map"]

    def nearest(self, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """(distances, numbers) of the nearest reference rows, [N, k + 1] each, ascending.

        By edges if `combined` uses them, else by pixels, or by what the only score compares.
        """
        search = self._nearest_rows
        if "hog_distance" in self.evidence or (self.pixels is None and self.edges is not None):
            search = self._nearest_edges
        elif self.pixels is None:
            search = self._nearest_codes
        found = self.run(search, rows)
        return found["distances"], found["nearest"]

    def graph(self, rows: tf.Tensor) -> dict[str, tf.Tensor]:
        """The same as `scores` in TensorFlow."""
        flat, images = self._flat(rows)["rows"], self._images(rows)
        measured = self.system.measure(images)
        code = measured.pop("code")
        if self.columns is not None:
            del measured["size"]
        found = scores(measured, self.weight)
        if self.codes is not None:
            near = self.codes.measure(code)
            found |= {"latent_distance": near["distance"], "latent_density": near["density"]}
        if self.edges is not None:
            near = self.edges.measure(self._edges(rows)["edges"])
            found |= {"hog_distance": near["distance"], "hog_density": near["density"]}
        if self.components is not None:
            found["principal"] = self.components.error(flat)
        if self.columns is not None:
            # The system saw a saturated picture of the row, and components leave nothing out of
            # a row that is far away along one of them.
            outside = 1.0 + self.columns.excess(flat)
            found = {name: value * outside for name, value in found.items()}
        if self.pixels is not None:
            near = self.pixels.measure(flat)
            found |= {"pixel_distance": near["distance"], "pixel_density": near["density"]}
            if self.patches is not None and self.map_patches is not None:
                same = (near["nearest"], near["itself"])
                large = self.patches.distances(images, *same)
                small = self.map_patches.distances(images, *same)
                found["patch_distance"] = tf.reduce_max(large, axis=(1, 2))
                found["patch_mean"] = tf.reduce_mean(small, axis=(1, 2))
        found = {name: tf.cast(value, tf.float64) for name, value in found.items()}
        if self.evidence:
            found["combined"] = tf.add_n(list(self.parts(found).values())) / len(self.evidence)
        return found

    def parts(self, found: Mapping[str, Any]) -> dict[str, tf.Tensor]:
        """{name: [N]}, the evidence of each score that is combined, given all scores."""
        return {name: part.of(found[name]) for name, part in self.evidence.items()}

    def run(
        self, function: Callable, rows: np.ndarray, names: Sequence[str] | None = None
    ) -> dict[str, np.ndarray]:
        """The results of a function of a batch of rows, on all rows: those of `names`, or all.

        TensorFlow computes nothing that no result needs.
        """
        key = " ".join([function.__name__, *(names or ())])
        if key not in self._functions:
            # A partial, because TensorFlow warns of many tracings of one function.
            self._functions[key] = tf.function(functools.partial(_some, function, names))
        compiled, parts = self._functions[key], []
        count = rows_at_once(math.prod(rows.shape[1:]))
        for start in range(0, len(rows), count):
            part = rows[start : start + count]
            # The last call is padded, so that results do not depend on the number of rows.
            filled = np.zeros((count, *part.shape[1:]), rows.dtype)
            filled[: len(part)] = part
            results = compiled(tf.constant(filled))
            parts.append({n: value.numpy()[: len(part)] for n, value in results.items()})
        return {n: np.concatenate([part[n] for part in parts]) for n in parts[0]}

    def save(self, path: str | os.PathLike, score: str, threshold: float) -> None:
        """Writes an ONNX file, if the path ends in .onnx, or a SavedModel.

        Its signature is rows -> {"score": [N], "is_outlier": [N]}.
        """
        model = self.system.model.inference_model()
        shape = model.image_shape
        spec = (
            tf.TensorSpec((None, *shape), tf.float32, "rows")
            if self.columns is None
            else tf.TensorSpec((None, shape[-1]), tf.float64, "rows")
        )

        def serve(rows):
            found = self.graph(rows)[score]
            return {"score": found, "is_outlier": found > threshold}

        if Path(path).suffix == ONNX.suffix:
            ONNX.check_installed()
            others = (precisions(model.encoder) | precisions(model.generator)) - {"float32"}
            if others and self._uses_system(score):
                raise UserError(
                    f"onnx has no products in {', '.join(sorted(others))}, which the system "
                    'computes in: fit it with options={"precision": "float32"}'
                )
            ONNX.write_function(serve, spec, Path(path))
            return
        exported = tf.Module()
        exported.scorer = self
        exported.inference = model  # the average of the weights is no attribute that is tracked
        exported.serve = tf.function(serve, input_signature=[spec])
        try:
            tf.saved_model.save(exported, os.fspath(path), signatures=exported.serve)
        except (tf.errors.ResourceExhaustedError, tf.errors.OutOfRangeError) as error:
            raise OSError(error.message.partition("\n")[0]) from error  # of a full disk

    def _uses_system(self, score: str) -> bool:
        """Whether a score depends on what was trained."""
        names = {*self.evidence} if score == "combined" else {score}
        return not names <= {*PIXEL, *PATCH, *HOG, *PRINCIPAL}

    def _images(self, rows: tf.Tensor) -> tf.Tensor:
        """Rows as the system sees them, float32 [N, H, W, C]."""
        if self.columns is None:
            return rows
        return self.columns.images(self.columns.standardised(rows))

    def _flat(self, rows: tf.Tensor) -> dict[str, tf.Tensor]:
        """{"rows": float32 [N, F]}: pixels, or standardised columns."""
        if self.columns is None:
            return {"rows": tf.reshape(rows, (-1, int(np.prod(rows.shape[1:]))))}
        return {"rows": self.columns.standardised(rows)}

    def _codes(self, rows: tf.Tensor) -> dict[str, tf.Tensor]:
        return {"code": self.system.measure(self._images(rows))["code"]}

    def _heat_map(self, images: tf.Tensor) -> dict[str, tf.Tensor]:
        assert self.map_patches is not None and self.pixels is not None
        near = self.pixels.measure(self._flat(images)["rows"])
        return {"map": self.map_patches.heat_map(images, near["nearest"], near["itself"])}

    def _hog(self, rows: tf.Tensor) -> dict[str, tf.Tensor]:
        return {"hog": hog(self._images(rows))}

    def _edges(self, rows: tf.Tensor) -> dict[str, tf.Tensor]:
        # Components that vary little among normal images only blur their distances.
        assert self.edge_components is not None
        return {"edges": self.edge_components.coordinates_and_rest(self._hog(rows)["hog"])}

    def _nearest_edges(self, rows: tf.Tensor) -> dict[str, tf.Tensor]:
        assert self.edges is not None
        distances, nearest = self.edges.search(self._edges(rows)["edges"])
        return {"distances": distances, "nearest": nearest}

    def _nearest_codes(self, rows: tf.Tensor) -> dict[str, tf.Tensor]:
        assert self.codes is not None
        distances, nearest = self.codes.search(self._codes(rows)["code"])
        return {"distances": distances, "nearest": nearest}

    def _nearest_rows(self, rows: tf.Tensor) -> dict[str, tf.Tensor]:
        assert self.pixels is not None
        distances, nearest = self.pixels.search(self._flat(rows)["rows"])
        return {"distances": distances, "nearest": nearest}


def _some(function: Callable, names: Sequence[str] | None, rows: tf.Tensor) -> dict[str, tf.Tensor]:
    found = function(rows)
    return found if names is None else {name: found[name] for name in names}
