"""`BiGANDetector`: a scikit-learn outlier detector whose idea of normal is a trained system."""

import contextlib
import math
import random
import threading
from collections.abc import Mapping
from numbers import Real
from typing import Any

import numpy as np
from sklearn.base import BaseEstimator, OutlierMixin
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_is_fitted, validate_data

from tf_bigan.core.model import AdversarialModel
from tf_bigan.data.pipeline import ArrayBatches
from tf_bigan.errors import UserError, did_you_mean
from tf_bigan.estimators.anomaly.columns import Columns
from tf_bigan.estimators.anomaly.neighbours import CodeNeighbours
from tf_bigan.estimators.anomaly.scores import CRITERIA, LATENT, Combination, scores
from tf_bigan.estimators.anomaly.trained import TrainedSystem
from tf_bigan.evaluation.checks import as_pixels, check_count, check_positive
from tf_bigan.run import build, presets
from tf_bigan.run.config import LARGEST_SEED, Config

STEPS = 2000  # of training, where the epochs are not given
AVERAGED = 20  # the weights are averaged over the last 1/20 of the training,
LEAST_AVERAGED = 10  # where that is at least so many steps
LEAST_ROWS = 4
_RANDOMNESS = threading.Lock()


class BiGANDetector(OutlierMixin, BaseEstimator):
    """Finds rows unlike those of its training, by how a system of this library treats them.

    Takes images, [N, H, W, C] or flattened to [N, H·W·C] with `image_shape`, uint8 or float in
    [0, 1], and tables [N, features], whose columns it standardises itself.

    Args:
        model: the system to train, which must encode and generate: cycle_bigan, bigan, alad,
            autoencoder and others, or a module of your own; as --model of train.py.
        criterion: the score that `score_samples` is the negative of; see `scores`. (Its name
            is not score, since scikit-learn takes that for a method.)
        image_shape: (H, W, C) of flattened images; None for a table or unflattened images.
        networks: the family of networks; a table needs mlp.
        latent: entries of z; None for 50, or half the columns of a table if that is less.
        width: units of a layer; None for the family's, and 128 for a table.
        epochs: passes over the rows; None for as many as make 2,000 steps.
        batch_size: rows of a step, fewer where there are fewer rows.
        learning_rate: of Adam, constant in the first half of the training, then falling to 1 %;
            None for the system's.
        weight: of the reconstruction in feature_matching and cross_entropy, in [0, 1].
        n_neighbors: whose codes are compared in latent_distance, latent_density, combined.
        validation_fraction: of the rows, held out of the training to learn what is usual; only
            for combined.
        options: further options of `tf_bigan.run.config.Config`, as {"prior": "normal"}.
        contamination: the share of outliers among the rows of `fit`, in (0, 0.5]; it sets
            `offset_`. Rows that a system learnt from look more normal to it than new ones.
        random_state: of weights, order of rows, z, and of the rows held out.

    Attributes:
        offset_: `decision_function` is `score_samples` minus this; below 0 are outliers.
        n_features_in_: values in a row.
        image_shape_: (H, W, C) of what the system sees; (1, 1, F) for a table.

    Seeded, a fit is reproducible on the same kind of machine. Pickles hold the system as its .keras
    file. The parameters are checked by `fit`.
    """

    def __init__(
        self,
        model: str = "cycle_bigan",
        *,
        criterion: str = "combined",
        image_shape: tuple[int, int, int] | None = None,
        networks: str = "mlp",
        latent: int | None = None,
        width: int | None = None,
        epochs: int | None = None,
        batch_size: int = 128,
        learning_rate: float | None = None,
        weight: float = 0.9,
        n_neighbors: int = 10,
        validation_fraction: float = 0.1,
        options: Mapping[str, Any] | None = None,
        contamination: float = 0.1,
        random_state=None,
    ):
        self.model = model
        self.criterion = criterion
        self.image_shape = image_shape
        self.networks = networks
        self.latent = latent
        self.width = width
        self.epochs = epochs
        self.batch_size = batch_size
        self.learning_rate = learning_rate
        self.weight = weight
        self.n_neighbors = n_neighbors
        self.validation_fraction = validation_fraction
        self.options = options
        self.contamination = contamination
        self.random_state = random_state

    def fit(self, X, y=None):
        """Trains the system on rows that are normal, all or nearly.

        Args:
            X: [N, features], [N, H·W·C] or [N, H, W, C], N >= 4.
            y: ignored.

        Raises:
            ValueError: X or a parameter is of another form or out of its range.
        """
        self._check_parameters()
        rows = self._validated(X, reset=True)
        if (rows == rows[0]).all():
            raise ValueError(
                f"X: expected rows that differ, all {len(rows)} are the same (constant features)"
            )
        if self._is_table:
            self._columns = Columns(rows)
        images = self._images(rows)
        randomness = check_random_state(self.random_state)
        seed = int(randomness.randint(LARGEST_SEED))
        held_out = np.zeros(len(images), bool)
        if self.criterion == "combined":
            count = max(2, round(self.validation_fraction * len(images)))
            held_out[randomness.permutation(len(images))[:count]] = True
        self._train(images[~held_out], seed)
        measured = self._measure(images)
        if self.criterion in LATENT:
            self._neighbours = CodeNeighbours(measured["code"][~held_out], self.n_neighbors)
        found = self._scores(measured)
        if self.criterion == "combined":
            self._combination = Combination({n: v[held_out] for n, v in found.items()})
            found["combined"] = self._combination.of(found)
        self._criterion = self.criterion
        self.offset_ = float(np.percentile(-found[self.criterion], 100.0 * self.contamination))
        return self

    def score_samples(self, X) -> np.ndarray:
        """How normal each row is, float64 [N]: larger is more so.

        Args:
            X: rows like those of `fit`.
        """
        return -self.anomaly_scores(X)[self._criterion]

    def anomaly_scores(self, X) -> dict[str, np.ndarray]:
        """Every score that the fitted parts allow, by name, float64 [N]: larger is stranger.

        Args:
            X: rows like those of `fit`.
        """
        check_is_fitted(self)
        found = self._scores(self._measure(self._images(self._validated(X, reset=False))))
        if self._combination is not None:
            found["combined"] = self._combination.of(found)
        return found

    def decision_function(self, X) -> np.ndarray:
        """`score_samples` minus `offset_`, float64 [N]: below 0 are outliers."""
        return self.score_samples(X) - self.offset_

    def predict(self, X) -> np.ndarray:
        """1 for each row that looks normal, -1 for each outlier, int [N]."""
        return np.where(self.decision_function(X) < 0, -1, 1)

    @property
    def model_(self) -> AdversarialModel:
        """The trained system."""
        return self._system.model

    def __sklearn_is_fitted__(self) -> bool:
        return hasattr(self, "offset_")

    def _measure(self, images: np.ndarray) -> dict[str, np.ndarray]:
        measured = self._system.measure(images)
        if self._is_table:
            del measured["size"]  # a row of a table is not small as an image is dark
        return measured

    def _scores(self, measured: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        """All scores but the combined one."""
        if self._neighbours is not None:
            measured = measured | self._neighbours.measure(measured["code"])
        return scores(measured, self._weight)

    def _check_parameters(self):
        for name in ("model", "criterion", "networks"):
            if not isinstance(getattr(self, name), str):
                raise ValueError(f"{name}: expected a name, got {getattr(self, name)!r}")
        if not isinstance(self.options, (Mapping, type(None))):
            raise ValueError(f"options: expected {{name: value}}, got {self.options!r}")
        if self.learning_rate is not None:
            check_positive(self.learning_rate, "learning_rate")
        if self.criterion not in CRITERIA:
            raise ValueError(
                f"criterion={self.criterion!r} is unknown{did_you_mean(self.criterion, CRITERIA)}"
            )
        for name in ("batch_size", "n_neighbors"):
            check_count(getattr(self, name), name, 1)
        for name in ("latent", "width", "epochs"):
            if getattr(self, name) is not None:
                check_count(getattr(self, name), name, 1)
        if self.image_shape is not None:
            if np.shape(self.image_shape) != (3,):
                raise ValueError(
                    f"image_shape: expected (height, width, channels), got {self.image_shape!r}"
                )
            for size in self.image_shape:
                check_count(size, "image_shape", 1)
        intervals = {  # name: (lowest, highest, whether the lowest is allowed)
            "weight": (0.0, 1.0, True),
            "contamination": (0.0, 0.5, False),
            "validation_fraction": (0.0, 0.5, False),
        }
        for name, (low, high, closed) in intervals.items():
            value = getattr(self, name)
            number = isinstance(value, Real) and not isinstance(value, bool)
            if not number or not (low <= value <= high) or (value == low and not closed):
                bracket = "[" if closed else "("
                raise ValueError(
                    f"{name}: expected a number in {bracket}{low}, {high}], got {value!r}"
                )

    # --- rows -------------------------------------------------------------------------------

    def _validated(self, X, reset: bool) -> np.ndarray:
        """X as rows [N, values], of numbers that are finite; `fit` says reset=True."""
        if getattr(X, "ndim", 2) == 4:
            X, shape = np.asarray(X), tuple(X.shape[1:])
            wanted = self.image_shape if reset else self.image_shape_
            if wanted is not None and shape != tuple(wanted):
                raise ValueError(f"X: expected images {tuple(wanted)}, got {shape}")
            X = X.reshape(len(X), math.prod(shape))
        else:
            shape = self.image_shape
        rows = validate_data(self, X, reset=reset, ensure_min_samples=LEAST_ROWS if reset else 1)
        if reset:
            self.image_shape_ = (1, 1, rows.shape[1]) if shape is None else tuple(shape)
            self._is_table = shape is None
            if math.prod(self.image_shape_) != rows.shape[1]:
                raise ValueError(
                    f"X: expected rows of {math.prod(self.image_shape_)} values for "
                    f"image_shape={self.image_shape_}, got {rows.shape[1]}"
                )
        return rows

    def _images(self, rows: np.ndarray) -> np.ndarray:
        """Rows as the system sees them: float32 [N, H, W, C] in [0, 1]."""
        if self._is_table:
            return self._columns.to_images(rows)
        return as_pixels(rows.reshape(len(rows), *self.image_shape_), "X")

    # --- training ---------------------------------------------------------------------------

    def _config(self, rows: int, seed: int) -> Config:
        """The configuration of a training on so many rows. Raises ValueError."""
        batch = min(self.batch_size, rows)
        steps_per_epoch = -(-rows // max(batch, 1))
        epochs = self.epochs or -(-STEPS // steps_per_epoch)
        steps = epochs * steps_per_epoch
        table = self._is_table
        values = {
            "model": self.model,
            "networks": self.networks,
            "latent": self.latent or (max(1, min(50, self.n_features_in_ // 2)) if table else 50),
            "width": self.width or (128 if table else None),
            "epochs": epochs,
            "decay_epochs": epochs if epochs > 1 else 0,
            "batch_size": batch,
            "ema": 1.0 - AVERAGED / steps if steps > AVERAGED * LEAST_AVERAGED else 0.0,
            "seed": seed,
        }
        defaults = dict(presets.system(self.model).options)
        if self.learning_rate is not None:
            values["learning_rate"] = self.learning_rate
            defaults.pop("player_rates", None)  # they would go before it
        return Config.from_dict(defaults | values | dict(self.options or {}))

    def _train(self, images: np.ndarray, seed: int):
        """Makes the system and trains it. Raises ValueError before the training."""
        try:
            config = self._config(len(images), seed)
            batches = ArrayBatches({"image": images}, config.batch_size, seed)
            with _global_randomness_kept():
                model, _ = build.build_model(config, self.image_shape_, batches.steps_per_epoch)
        except UserError as error:  # which speaks of flags
            raise ValueError(str(error).replace("--", "")) from error
        self._system = TrainedSystem(model)
        self._weight = self.weight
        self._neighbours = self._combination = None
        there = [*self._scores(self._measure(images[:1])), *LATENT]
        if self.criterion not in there:
            what = "a table" if self._is_table else "images"
            raise ValueError(
                f"criterion={self.criterion}: {self.model} on {what} has not what it measures; "
                f"it has {', '.join(there)}"
            )
        model.fit(batches, epochs=config.epochs, verbose=0)


@contextlib.contextmanager
def _global_randomness_kept():
    """Keras draws initial weights from seeds that it sets for all of Python and NumPy.

    So one thread at a time.
    """
    with _RANDOMNESS:
        python, numpy = random.getstate(), np.random.get_state()
        try:
            yield
        finally:
            random.setstate(python)
            np.random.set_state(numpy)
