"""A trained encoder as a scikit-learn transformer."""

import copy
import functools
import math
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from sklearn.base import BaseEstimator, TransformerMixin

from tf_bigan.constraints import Count, check_arguments
from tf_bigan.core.model import AdversarialModel
from tf_bigan.data.home import expanded
from tf_bigan.data.pixels import to_unit_range
from tf_bigan.errors import UserError, did_you_mean
from tf_bigan.run.trained import load

MODELS_KEPT = 4


class BiGANFeatures(TransformerMixin, BaseEstimator):
    """Features of images from a trained encoder. `fit` only checks its arguments.

    Images are [N, H, W, C], [N, H, W] if C is 1, or flat rows [N, H·W·C], of the size that the
    encoder was trained on; uint8 in 0..255 or floats in [0, 1].

    The model is loaded on first use. Estimators in one process with the same file, such as the
    clones of a grid search, share it.

    Args:
        model: a .keras file, a run directory (its finished model, or the newest checkpoint), or an
            `AdversarialModel`, which clones share.
        layer: a name of the encoder's `features`: "e-" is the last hidden layer, "e" the output
            layer before its activation. Default: "e-", which is better for a linear classifier, or
            the encoder's first named layer if it has no "e-".
        batch_size: images per call of the encoder.

    Raises (fit, transform, get_feature_names_out):
        UserError: the model cannot be loaded or has no encoder, `layer` is unknown, or the images
            have a wrong shape, dtype or range.

    Example:
        make_pipeline(BiGANFeatures("model.keras"), StandardScaler(), LogisticRegression())
    """

    def __init__(
        self,
        model: str | os.PathLike | AdversarialModel,
        layer: str | None = None,
        batch_size: Count = 256,
    ):
        self.model = model
        self.layer = layer
        self.batch_size = batch_size

    def fit(self, X: npt.ArrayLike, y: Any = None) -> "BiGANFeatures":
        """Checks the arguments, and the images' shape and dtype."""
        check_arguments(BiGANFeatures, {"layer": self.layer, "batch_size": self.batch_size})
        self._chosen_layer(self._sizes())
        to_unit_range(self._shaped(X)[:1], "X")  # the others are checked in `transform`
        return self

    def transform(self, X: npt.ArrayLike) -> np.ndarray:
        """Features of images, float32 [N, F]. Feature maps are flattened."""
        check_arguments(BiGANFeatures, {"layer": self.layer, "batch_size": self.batch_size})
        images, layer, model = self._shaped(X), self._chosen_layer(self._sizes()), self._loaded()
        parts = []
        for start in range(0, len(images), self.batch_size):  # in batches
            batch = to_unit_range(images[start : start + self.batch_size], "X")
            features = model.features(batch, self.batch_size)[layer]
            parts.append(features.reshape(len(batch), -1))
        return np.concatenate(parts)

    def get_feature_names_out(self, input_features: Any = None) -> np.ndarray:
        """The names of the features: LAYER_0, LAYER_1, ..."""
        sizes = self._sizes()
        layer = self._chosen_layer(sizes)
        return np.asarray([f"{layer}_{i}" for i in range(sizes[layer])], dtype=object)

    @property
    def n_features_in_(self) -> int:
        """Number of values per image."""
        return math.prod(self._loaded().image_shape)

    def __sklearn_is_fitted__(self) -> bool:
        return True

    def __sklearn_clone__(self) -> "BiGANFeatures":
        # Clones share the model, which is read-only, and copy the rest.
        return copy.deepcopy(self, {id(self.model): self.model})

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

    def _sizes(self) -> dict[str, int]:
        """{layer: number of features}."""
        model = self._loaded()
        features = model.features(np.zeros((1, *model.image_shape), np.float32))
        return {name: values.size for name, values in features.items()}

    def _chosen_layer(self, layers: Mapping[str, int]) -> str:
        if self.layer is None:
            return "e-" if "e-" in layers else next(iter(layers))
        if self.layer not in layers:
            raise UserError(f"layer={self.layer} is unknown{did_you_mean(self.layer, layers)}")
        return self.layer

    def _shaped(self, X: npt.ArrayLike) -> np.ndarray:
        """X as [N, H, W, C], its values unchanged."""
        images, shape = np.asarray(X), self._loaded().image_shape
        accepted = [shape, (math.prod(shape),)] + ([shape[:2]] if shape[2] == 1 else [])
        if images.shape[1:] not in accepted or len(images) == 0:
            expected = " or ".join(f"[N, {', '.join(map(str, one))}]" for one in accepted)
            raise UserError(f"X: expected images {expected}, N > 0, got {list(images.shape)}")
        return images.reshape(-1, *shape)


@functools.lru_cache(maxsize=MODELS_KEPT)
def _load_once(path: str, stamp: tuple) -> AdversarialModel:
    return load(path)


def _stamp(path: Path) -> tuple:
    """A value that changes when another model is written to the path."""
    files = sorted(path.rglob("*.keras")) if path.is_dir() else [path]
    states = [file.stat() for file in files if file.exists()]
    return tuple((state.st_mtime_ns, state.st_size) for state in states)
