"""A trained encoder as a scikit-learn transformer."""

import copy
import functools
import math
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import tensorflow as tf
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, StratifiedKFold
from sklearn.utils import check_consistent_length, column_or_1d
from sklearn.utils.validation import _check_feature_names, check_is_fitted

from tf_bigan.constraints import Count, check_arguments
from tf_bigan.core.model import AdversarialModel
from tf_bigan.data.home import expanded
from tf_bigan.data.pixels import to_unit_range
from tf_bigan.errors import UserError, did_you_mean
from tf_bigan.run.trained import load

MODELS_KEPT = 4
# For layer="auto": cross-validation folds, the most rows used, and the values of C that are tried.
FOLDS, MOST_ROWS, STRENGTHS = 5, 2000, (0.01, 0.1, 1.0)


class BiGANFeatures(TransformerMixin, BaseEstimator):
    """Features of images from a trained encoder, which `fit` does not train.

    Images are [N, H, W, C], [N, H, W] if C is 1, or flat rows [N, H·W·C], of the size that the
    encoder was trained on; uint8 in 0..255 or floats in [0, 1].

    The model is loaded on first use. Estimators in one process with the same file, such as the
    clones of a grid search, share it.

    Args:
        model: a .keras file, a run directory (its finished model, or the newest checkpoint), or an
            `AdversarialModel`, which clones share.
        layer: a name of the encoder's `features`: "e-" is the last hidden layer, "e" the output
            layer before its activation, "map1", "map2", ... the maps of its convolutions. Several
            are joined by "+", as "map2+e-". "auto" is the layer whose features classify best: `fit`
            chooses it by cross-validation of a logistic regression on its labels, of at most 2,000
            rows. Default: "e-", which is better for a linear classifier, or the encoder's first
            named layer if it has no "e-".
        pool: maps are averaged to at most pool×pool places of equal area; None leaves them as they
            are. Vectors stay as they are.
        batch_size: images per call of the encoder.

    Attributes:
        layer_: the layer that is used, after `fit`.

    Raises (fit, transform, get_feature_names_out):
        UserError: the model cannot be loaded or has no encoder, `layer` is unknown, the images
            have a wrong shape, dtype or range, or layer="auto" lacks labels to choose by.
        NotFittedError: layer="auto" before `fit`.

    Example:
        make_pipeline(BiGANFeatures("model.keras"), StandardScaler(), LogisticRegression())
        make_pipeline(BiGANFeatures("model.keras", layer="auto", pool=2), LogisticRegression())
    """

    def __init__(
        self,
        model: str | os.PathLike | AdversarialModel,
        layer: str | None = None,
        pool: Count | None = 4,
        batch_size: Count = 256,
    ):
        self.model = model
        self.layer = layer
        self.pool = pool
        self.batch_size = batch_size

    def fit(self, X: npt.ArrayLike, y: npt.ArrayLike | None = None) -> "BiGANFeatures":
        """Checks the arguments, and the images' shape and dtype; chooses the layer for "auto".

        Args:
            X: images.
            y: their labels [N], which only layer="auto" uses.
        """
        shapes, images = self._shapes(), self._shaped(X)
        _check_feature_names(self, X, reset=True)
        to_unit_range(images[:1], "X")  # the others are checked in `transform`
        self.layer_ = self._best_layer(images, y) if self.layer == "auto" else self._named(shapes)
        return self

    def transform(self, X: npt.ArrayLike) -> np.ndarray:
        """Features of images, float32 [N, F]: maps are pooled and flattened, layers are joined."""
        _check_feature_names(self, X, reset=False)
        return self._features(self._shaped(X), self._layers(self._shapes()))

    def get_feature_names_out(self, input_features: Any = None) -> np.ndarray:
        """The names of the features: LAYER_0, LAYER_1, ... of each layer."""
        shapes = self._shapes()
        sizes = {
            layer: math.prod(_pooled(shapes[layer], self.pool)) for layer in self._layers(shapes)
        }
        names = [f"{layer}_{i}" for layer, size in sizes.items() for i in range(size)]
        return np.asarray(names, dtype=object)

    @property
    def n_features_in_(self) -> int:
        """Number of values per image. Raises AttributeError if the model cannot be loaded."""
        try:
            return math.prod(self._loaded().image_shape)
        except UserError as error:  # as scikit-learn asks, also to show an estimator
            raise AttributeError(str(error)) from error

    def __sklearn_is_fitted__(self) -> bool:
        return self.layer != "auto" or hasattr(self, "layer_")

    def __sklearn_clone__(self) -> "BiGANFeatures":
        # Clones share the model, which is read-only, and copy the rest.
        other = copy.deepcopy(self, {id(self.model): self.model})
        for learnt in ("layer_", "feature_names_in_"):
            if hasattr(other, learnt):
                delattr(other, learnt)
        return other

    def _loaded(self) -> AdversarialModel:
        if isinstance(self.model, AdversarialModel):
            model = self.model
        elif isinstance(self.model, (str, os.PathLike)):
            path = expanded(self.model)
            model = _load_once(os.fspath(path), _stamp(path))
        else:
            raise UserError(
                "model: expected a .keras file, a run directory or an AdversarialModel, "
                f"got {type(self.model).__name__}"
            )
        if not hasattr(model, "encoder"):
            raise UserError(f"model: {type(model).__name__} has no encoder, so it has no features")
        return model

    def _shapes(self) -> dict[str, tuple[int, ...]]:
        """{layer: the shape of its features of one image}."""
        check_arguments(BiGANFeatures, self.get_params(deep=False))
        return self._loaded().feature_shapes()

    def _layers(self, shapes: Mapping[str, tuple[int, ...]]) -> list[str]:
        """The layers that are used."""
        if self.layer != "auto":
            return self._named(shapes).split("+")
        check_is_fitted(self)
        return [self.layer_]

    def _named(self, shapes: Mapping[str, tuple[int, ...]]) -> str:
        """The given or default layer, if there is one of that name."""
        if self.layer is None:
            return "e-" if "e-" in shapes else next(iter(shapes))
        names = self.layer.split("+")
        for name in names:
            if name not in shapes:
                known = [*shapes, "auto"] if len(names) == 1 else shapes  # "auto" is not joined
                raise UserError(
                    f"layer={self.layer}: {name!r} is unknown{did_you_mean(name, known)}"
                )
        if len(set(names)) < len(names):
            raise UserError(f"layer={self.layer}: name each layer once")
        return self.layer

    def _best_layer(self, images: np.ndarray, y: npt.ArrayLike | None) -> str:
        """The layer with the largest mean accuracy over the folds; the first of equal ones."""
        if y is None:
            raise UserError("layer=auto is chosen by labels: call fit(X, y), or name a layer")
        check_consistent_length(images, y)
        rows = np.random.RandomState(0).permutation(len(images))[:MOST_ROWS]
        labels = np.unique(column_or_1d(y), return_inverse=True)[1][rows]
        several = np.bincount(labels)[labels] > 1  # one image cannot be both learnt and held out
        rows, labels = rows[several], labels[several]
        counts = np.unique(labels, return_counts=True)[1]
        if len(counts) < 2:
            raise UserError(
                "layer=auto needs two classes with at least two images each: give more labels, or "
                "name a layer"
            )
        folds = min(FOLDS, *counts)
        accuracies = {
            layer: _accuracy(self._features(images[rows], [layer]), labels, folds)
            for layer in self._shapes()
        }
        return max(accuracies, key=lambda layer: accuracies[layer])

    def _features(self, images: np.ndarray, layers: Sequence[str]) -> np.ndarray:
        """[N, F] of images [N, H, W, C]."""
        model, parts = self._loaded(), []
        for start in range(0, len(images), self.batch_size):
            batch = to_unit_range(images[start : start + self.batch_size], "X")
            found = model.features(batch, self.batch_size, layers)
            parts.append(np.concatenate([_row(found[n], self.pool) for n in layers], axis=1))
        return np.concatenate(parts)

    def _shaped(self, X: npt.ArrayLike) -> np.ndarray:
        """X as [N, H, W, C], its values unchanged."""
        images, shape = np.asarray(X), self._loaded().image_shape
        accepted = [shape, (math.prod(shape),)] + ([shape[:2]] if shape[2] == 1 else [])
        if images.shape[1:] not in accepted or len(images) == 0:
            expected = " or ".join(f"[N, {', '.join(map(str, one))}]" for one in accepted)
            raise UserError(f"X: expected images {expected}, N > 0, got {list(images.shape)}")
        return images.reshape(-1, *shape)


def _pooled(shape: tuple[int, ...], pool: int | None) -> tuple[int, ...]:
    """The shape of the features of one image after pooling."""
    if len(shape) != 3 or pool is None:
        return shape
    return min(shape[0], pool), min(shape[1], pool), shape[2]


def _row(features: np.ndarray, pool: int | None) -> np.ndarray:
    """Features of a layer [N, ...] -> [N, F]."""
    shape = _pooled(features.shape[1:], pool)
    if shape != features.shape[1:]:
        features = tf.image.resize(features, shape[:2], "area").numpy()
    return features.reshape(len(features), -1)


def _accuracy(rows: np.ndarray, labels: np.ndarray, folds: int) -> float:
    """Mean accuracy of a logistic regression on the held-out rows of the folds, in [0, 1].

    It is that of the best regularisation, because a layer of many features needs more of it.
    """
    scale = np.sqrt(rows.var(axis=0, dtype=np.float64).mean())
    if scale == 0:  # as of "e" whose weights are zero
        return 0.0
    search = GridSearchCV(
        LogisticRegression(tol=1e-3, max_iter=1000),
        {"C": STRENGTHS},
        cv=StratifiedKFold(folds),
        refit=False,
        error_score="raise",
    )
    return search.fit((rows - rows.mean(axis=0)) / np.float32(scale), labels).best_score_


@functools.lru_cache(maxsize=MODELS_KEPT)
def _load_once(path: str, stamp: tuple) -> AdversarialModel:
    return load(path)


def _stamp(path: Path) -> tuple:
    """A value that changes when another model is written to the path."""
    files = sorted(path.rglob("*.keras")) if path.is_dir() else [path]
    states = [file.stat() for file in files if file.exists()]
    return tuple((state.st_mtime_ns, state.st_size) for state in states)
