"""A trained encoder as a scikit-learn transformer."""

import copy
import functools
import math
import os
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from sklearn.base import BaseEstimator, TransformerMixin

from tf_bigan.core.model import AdversarialModel
from tf_bigan.data.home import expanded
from tf_bigan.errors import UserError, did_you_mean
from tf_bigan.evaluation.checks import as_pixels, check_count
from tf_bigan.run.trained import load_trained

MODELS_KEPT = 4


class BiGANFeatures(TransformerMixin, BaseEstimator):
    """The features that a trained encoder gives for images; `fit` learns nothing.

        make_pipeline(BiGANFeatures("model.keras"), StandardScaler(), LogisticRegression())

    Images are [N, H, W, C], [N, H, W] where C is 1, or flat rows [N, H·W·C], of the size that the
    encoder was trained on. Their dtype says their range: uint8 is 0..255, floats are [0, 1].

    The model is loaded when it is first needed, and once: estimators of one process that name the
    same file, as the clones of a grid search do, share it.

    Args:
        model: a .keras file, a run directory of train.py (its finished model, or the newest
            checkpoint), or an `AdversarialModel`, which clones share.
        layer: a name among the encoder's `features`: "e-" is the last hidden layer, "e" the logits
            of E(x). None takes "e-", the better one for a linear classifier, or where the encoder
            names no such layer its first one.
        batch_size: images that go through the encoder at once.

    Raises (fit, transform, get_feature_names_out):
        ValueError: the model cannot be loaded or has no encoder, `layer` is unknown, or the images
            have another shape, dtype or range.
    """

    def __init__(self, model, layer: str | None = None, batch_size: int = 256):
        self.model = model
        self.layer = layer
        self.batch_size = batch_size

    def fit(self, X, y=None):
        """Checks the arguments, and the images' shape and dtype. Returns self."""
        self._chosen_layer(self._sizes())
        check_count(self.batch_size, "batch_size", 1)
        self._shaped(X)
        return self

    def transform(self, X) -> np.ndarray:
        """The features of images, float32 [N, F]; of a layer of maps, F is flat."""
        images, layer = self._shaped(X), self._chosen_layer(self._sizes())
        check_count(self.batch_size, "batch_size", 1)
        model = self._loaded()
        parts = []
        for start in range(0, len(images), self.batch_size):  # of all layers, for one batch only
            batch = as_pixels(images[start : start + self.batch_size], "X")
            features = model.features(batch, self.batch_size)[layer]
            parts.append(features.reshape(len(batch), -1))
        return np.concatenate(parts)

    def get_feature_names_out(self, input_features=None) -> np.ndarray:
        """The names of the features: LAYER_0, LAYER_1, ..."""
        sizes = self._sizes()
        layer = self._chosen_layer(sizes)
        return np.asarray([f"{layer}_{i}" for i in range(sizes[layer])], dtype=object)

    @property
    def n_features_in_(self) -> int:
        """Values of an image."""
        return math.prod(self._loaded().image_shape)

    def __sklearn_is_fitted__(self) -> bool:
        return True

    def __sklearn_clone__(self) -> "BiGANFeatures":
        # The model is only read: clones share it, and copy the rest.
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
        """{layer: values of an image}."""
        model = self._loaded()
        features = model.features(np.zeros((1, *model.image_shape), np.float32))
        return {name: values.size for name, values in features.items()}

    def _chosen_layer(self, layers: Mapping) -> str:
        if self.layer is None:
            return "e-" if "e-" in layers else next(iter(layers))
        if self.layer not in layers:
            raise UserError(f"layer={self.layer!r} is unknown{did_you_mean(self.layer, layers)}")
        return self.layer

    def _shaped(self, X) -> np.ndarray:
        """X as [N, H, W, C], its values as they are."""
        images, shape = np.asarray(X), self._loaded().image_shape
        accepted = [shape, (math.prod(shape),)] + ([shape[:2]] if shape[2] == 1 else [])
        if images.shape[1:] not in accepted or len(images) == 0:
            expected = " or ".join(f"[N, {', '.join(map(str, one))}]" for one in accepted)
            raise UserError(f"X: expected images {expected}, N > 0, got {list(images.shape)}")
        if images.dtype != np.uint8 and images.dtype.kind not in "fV":
            raise UserError(f"X: expected uint8 (0..255) or floats in [0, 1], got {images.dtype}")
        return images.reshape(-1, *shape)


@functools.lru_cache(maxsize=MODELS_KEPT)
def _load_once(path: str, stamp: tuple) -> AdversarialModel:
    return load_trained(path)[0]


def _stamp(path: Path) -> tuple:
    """Changes when another model is written to the path."""
    files = sorted(path.rglob("*.keras")) if path.is_dir() else [path]
    states = [file.stat() for file in files if file.exists()]
    return tuple((state.st_mtime_ns, state.st_size) for state in states)
