"""`BiGANDetector`: a scikit-learn outlier detector that trains a system on normal rows."""

import math
from collections.abc import Mapping
from typing import Annotated, Any

import numpy as np
import numpy.typing as npt
from sklearn.base import BaseEstimator, OutlierMixin
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_is_fitted, validate_data

from tf_bigan.constraints import Count, Fraction, Positive, check, check_arguments
from tf_bigan.core.model import AdversarialModel
from tf_bigan.core.randomness import seeded
from tf_bigan.data.pipeline import ArrayBatches
from tf_bigan.data.pixels import to_unit_range
from tf_bigan.errors import UserError
from tf_bigan.estimators.anomaly.columns import Columns
from tf_bigan.estimators.anomaly.neighbours import CodeNeighbours
from tf_bigan.estimators.anomaly.scores import LATENT, Combination, Criterion, scores
from tf_bigan.estimators.anomaly.trained import TrainedSystem
from tf_bigan.run import build, presets
from tf_bigan.run.config import LARGEST_SEED, Config

STEPS = 2000  # training steps, if the number of epochs is not given
AVERAGED = 20  # the weights are averaged over the last 1/20 of the training,
LEAST_AVERAGED = 10  # if that is at least this many steps
LEAST_ROWS = 4


class BiGANDetector(OutlierMixin, BaseEstimator):
    """Detects outliers by how well a system trained on normal rows reconstructs and encodes them.

    Takes images, [N, H, W, C], [N, H, W], or flattened to [N, H·W·C] with `image_shape`, uint8 or
    float in [0, 1]; and tables [N, F], whose columns it standardises.

    Args:
        model: the system to train, which must have an encoder and a generator: cycle_bigan, bigan,
            alad, autoencoder and others, or your own module, as my_package.my_model.
        criterion: the anomaly score; `score_samples` is its negative. See `anomaly.scores.scores`.
        image_shape: (H, W, C) of flattened images; None for a table or unflattened images.
        networks: the family of networks. A table needs paper or mlp.
        latent_dim: latent dimension. Default: 50, for a table at most half its columns.
        width: units per layer. Default: the family's, for a table 128.
        epochs: passes over the rows. Default: the number that gives 2,000 steps.
        batch_size: rows per step, at most N.
        learning_rate: learning rate of Adam; constant in the first half of the training, then
            decaying to 1 %. Default: the system's.
        weight: weight of the reconstruction error in feature_matching and cross_entropy.
        n_neighbors: number of nearest codes in latent_distance, latent_density and combined.
        validation_fraction: fraction of the rows held out to standardise the combined scores; for
            combined only.
        options: further fields of `tf_bigan.run.config.Config`, as {"prior": "normal"}.
        contamination: fraction of the training rows that `predict` calls outliers; it sets
            `offset_`. Training rows look more normal to the system than new ones.
        random_state: random seed of weights, order of rows, z, and held-out rows.

    Attributes:
        offset_: `decision_function` is `score_samples` minus this; below 0 are outliers.
        n_features_in_: number of values per row.
        image_shape_: (H, W, C) of the images that the system sees; (1, 1, F) for a table.

    With a random seed, a fit is reproducible on the same kind of machine. Pickles contain the
    system as a .keras file. `fit` checks the parameters.

    Example:
        detector = BiGANDetector(epochs=6, random_state=0).fit(normal_images)
        is_outlier = detector.predict(images) == -1
    """

    n_features_in_: int
    image_shape_: tuple[int, int, int]

    def __init__(
        self,
        model: str = "cycle_bigan",
        *,
        criterion: Criterion = "combined",
        image_shape: tuple[int, int, int] | None = None,
        networks: str = "paper",
        latent_dim: Count | None = None,
        width: Count | None = None,
        epochs: Count | None = None,
        batch_size: Count = 128,
        learning_rate: Positive | None = None,
        weight: Fraction = 0.9,
        n_neighbors: Count = 10,
        validation_fraction: Annotated[float, "(0, 0.5]"] = 0.1,
        options: Mapping[str, Any] | None = None,
        contamination: Annotated[float, "(0, 0.5]"] = 0.1,
        random_state: int | np.random.RandomState | None = None,
    ):
        self.model = model
        self.criterion = criterion
        self.image_shape = image_shape
        self.networks = networks
        self.latent_dim = latent_dim
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

    def fit(self, X: npt.ArrayLike, y: Any = None) -> "BiGANDetector":
        """Trains the system on rows of which all or almost all are normal.

        Args:
            X: [N, F], [N, H·W·C], [N, H, W] or [N, H, W, C], N >= 4.
            y: ignored.

        Raises:
            ValueError: X or a parameter has a wrong form, or is out of range.
        """
        self._check_parameters()
        rows = self._validated(X, reset=True)
        if (rows == rows[0]).all():
            raise UserError(
                f"X: expected rows that differ, all {len(rows)} are the same (constant features)"
            )
        self._columns = Columns(rows) if self._is_table else None
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

    def score_samples(self, X: npt.ArrayLike) -> np.ndarray:
        """How normal each row is, float64 [N]: larger is more normal.

        Args:
            X: rows as in `fit`.
        """
        return -self.anomaly_scores(X)[self._criterion]

    def anomaly_scores(self, X: npt.ArrayLike) -> dict[str, np.ndarray]:
        """{name: score}, float64 [N], for every fitted score: larger is more anomalous.

        Args:
            X: rows like those of `fit`.
        """
        check_is_fitted(self)
        found = self._scores(self._measure(self._images(self._validated(X, reset=False))))
        if self._combination is not None:
            found["combined"] = self._combination.of(found)
        return found

    def decision_function(self, X: npt.ArrayLike) -> np.ndarray:
        """`score_samples` minus `offset_`, float64 [N]: below 0 are outliers."""
        return self.score_samples(X) - self.offset_

    def predict(self, X: npt.ArrayLike) -> np.ndarray:
        """1 for each inlier, -1 for each outlier, int [N]."""
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
            del measured["size"]  # only meaningful for images: the total brightness
        return measured

    def _scores(self, measured: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        """All scores except the combined one."""
        if self._neighbours is not None:
            measured = measured | self._neighbours.measure(measured["code"])
        return scores(measured, self._weight)

    def _check_parameters(self) -> None:
        check_arguments(BiGANDetector, self.get_params(deep=False))
        if not isinstance(self.options, (Mapping, type(None))):
            raise UserError(f"options={self.options!r}: it must be a mapping {{name: value}}")
        if self.image_shape is not None:
            if np.shape(self.image_shape) != (3,):
                raise UserError(f"image_shape={self.image_shape}: it must be (H, W, C)")
            for size in self.image_shape:
                check("image_shape", size, Count)

    # --- rows -------------------------------------------------------------------------------

    def _validated(self, X: npt.ArrayLike, reset: bool) -> np.ndarray:
        """X as rows [N, values] of finite numbers; `fit` passes reset=True."""
        if getattr(X, "ndim", 2) in (3, 4):
            X = np.asarray(X)
            shape = (*X.shape[1:], 1)[:3]  # [N, H, W] has one channel
            wanted = self.image_shape if reset else self.image_shape_
            if wanted is not None and shape != tuple(wanted):
                raise UserError(f"X: expected images {tuple(wanted)}, got {shape}")
            X = X.reshape(len(X), math.prod(shape))
        else:
            shape = self.image_shape
        least = LEAST_ROWS if reset else 1
        rows: Any = validate_data(self, X=X, reset=reset, ensure_min_samples=least)  # type: ignore
        if reset:
            height, width, channels = (1, 1, rows.shape[1]) if shape is None else shape
            self.image_shape_ = (height, width, channels)
            self._is_table = shape is None
            if math.prod(self.image_shape_) != rows.shape[1]:
                raise UserError(
                    f"X: expected rows of {math.prod(self.image_shape_)} values for "
                    f"image_shape={self.image_shape_}, got {rows.shape[1]}"
                )
        return rows

    def _images(self, rows: np.ndarray) -> np.ndarray:
        """Rows as the system sees them: float32 [N, H, W, C] in [0, 1]."""
        if self._columns is not None:
            return self._columns.to_images(rows)
        return to_unit_range(rows.reshape(len(rows), *self.image_shape_), "X")

    # --- training ---------------------------------------------------------------------------

    def _config(self, rows: int, seed: int) -> Config:
        """The configuration of a training on this many rows."""
        batch = min(self.batch_size, rows)
        steps_per_epoch = -(-rows // max(batch, 1))
        epochs = self.epochs or -(-STEPS // steps_per_epoch)
        steps = epochs * steps_per_epoch
        table = self._is_table
        most = max(1, min(50, self.n_features_in_ // 2)) if table else 50
        values = {
            "model": self.model,
            "networks": self.networks,
            "latent_dim": self.latent_dim or most,
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
            defaults.pop("player_rates", None)  # they would override it
        return Config.from_dict(defaults | values | dict(self.options or {}))

    def _train(self, images: np.ndarray, seed: int) -> None:
        """Builds and trains the system. Invalid parameters are detected before the training."""
        config = self._config(len(images), seed)
        batches = ArrayBatches({"image": images}, config.batch_size, seed)
        with seeded(seed):
            model, _ = build.build_model(config, self.image_shape_, batches.steps_per_epoch)
        self._system = TrainedSystem(model)
        self._weight = self.weight
        self._neighbours = self._combination = None
        possible = [*self._scores(self._measure(images[:1])), *LATENT]
        if self.criterion not in possible:
            kind = "a table" if self._is_table else "images"
            raise UserError(
                f"criterion={self.criterion} is not possible for model={self.model} on {kind}; "
                f"choose one of {', '.join(possible)}"
            )
        model.fit(batches, epochs=config.epochs, verbose=0)
