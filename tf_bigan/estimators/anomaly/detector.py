"""`BiGANDetector`: a scikit-learn outlier detector that trains a system on normal rows."""

import hashlib
import math
import os
from collections.abc import Mapping
from typing import Annotated, Any, Literal

import numpy as np
import numpy.typing as npt
import tensorflow as tf
from sklearn.base import BaseEstimator, OutlierMixin
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_is_fitted, validate_data

from tf_bigan.atomic import atomically
from tf_bigan.constraints import Count, Fraction, Positive, check, check_arguments
from tf_bigan.core.model import AdversarialModel
from tf_bigan.core.randomness import seeded
from tf_bigan.data.home import expanded
from tf_bigan.data.pipeline import ArrayBatches
from tf_bigan.data.pixels import to_unit_range
from tf_bigan.errors import UserError
from tf_bigan.estimators.anomaly.columns import Columns
from tf_bigan.estimators.anomaly.scorer import Scorer
from tf_bigan.estimators.anomaly.scores import Criterion
from tf_bigan.estimators.anomaly.trained import TrainedSystem
from tf_bigan.run import build, presets
from tf_bigan.run.config import LARGEST_SEED, Config

PAPER = presets.preset("beats_official_mnist")  # the options of its networks are used here too
STEPS_IMAGES, STEPS_TABLE = 500, 2000  # training steps, if the number of epochs is not given
AVERAGED = 20  # the weights are averaged over the last 1/20 of the training,
LEAST_AVERAGED = 10  # if that is at least this many steps
LEAST_ROWS = 4
MOST_REFERENCES = 20_000  # rows among which neighbours are searched
LEAST_HELD_OUT, MOST_HELD_OUT = 100, 2000  # held-out rows; at most a quarter of all
_KEEPS_IMAGES = "criterion=combined, patch_distance, patch_mean, pixel_distance or pixel_density"


class BiGANDetector(OutlierMixin, BaseEstimator):
    """Detects outliers by how far they are from normal rows: in pixels, edges, or a system's codes.

    Takes images, [N, H, W, C], [N, H, W], or flattened to [N, H·W·C] with `image_shape`, uint8 or
    float in [0, 1]; and tables [N, F], whose columns it standardises.

    Args:
        model: the system to train, which must have an encoder and a generator: cycle_bigan, bigan,
            alad, autoencoder and others, or your own module, as my_package.my_model.
        criterion: the anomaly score; `score_samples` is its negative. See docs/anomaly.md.
        image_shape: (H, W, C) of flattened images; None for a table or unflattened images.
        networks: the family of networks. A table needs paper or mlp. D of "paper" has no penalty.
        latent_dim: latent dimension. Default: 50, for a table at most half its columns.
        width: units per layer. Default: the family's, for a table 128.
        epochs: passes over the rows. Default: the number that gives 500 steps, for a table 2,000.
        batch_size: rows per step, at most N.
        learning_rate: learning rate of Adam; constant in the first half of the training, then
            decaying to 1 %. Default: the system's; with the networks "paper" and cycle_bigan
            those of the preset beats_official_mnist.
        weight: weight of the reconstruction error in feature_matching and cross_entropy.
        n_neighbors: number of nearest rows in hog_density, latent_density and pixel_density; the
            distances are to at most 3.
        validation_fraction: fraction of the rows that are not trained on. They calibrate the
            combined scores, probabilities, and the threshold. At least 100 and at most 2,000 rows,
            and at most a quarter of all, but at least 2.
        options: further fields of `tf_bigan.run.config.Config`, as {"prior": "normal"} or
            {"augmentation": "translation+flip"}.
        contamination: sets the threshold: the fraction of the rows of `fit` that are outliers, or
            "auto", which uses `false_alarm_rate` instead.
        false_alarm_rate: with contamination="auto", about this fraction of new normal rows are
            called outliers, by the scores of the held-out rows; but at least 1 of n + 1 with n
            held-out rows, 1 of 26 if `fit` has 100.
        random_state: random seed of weights, order of rows, z, and held-out rows.
        verbose: 1: a progress bar, 2: a line per epoch.

    Attributes:
        offset_: `decision_function` is `score_samples` minus this; below 0 are outliers.
        decision_scores_: anomaly scores of the rows of `fit`, [N]; larger is more anomalous.
        labels_: 1 for the outliers among them, else 0, int [N].
        threshold_: `decision_scores_` above this are outliers: -`offset_`.
        held_out_scores_: anomaly scores of the held-out rows, ascending.
        reference_: the rows of `fit` in which neighbours are searched, int [M], M <= 20,000.
        reading_: how pictures became the rows of `fit`, by "resize" and "background" as in
            `tf_bigan.data.load`, so that `tf-bigan explore` reads pictures in the same way. `fit`
            leaves it empty, which is "crop" and "white"; `tf-bigan detect` fills it.
        n_features_in_: number of values per row.
        image_shape_: (H, W, C) of the images that the system sees; (1, 1, F) for a table.

    With a random seed, a fit is reproducible on the same kind of machine. Pickles contain the
    system as a .keras file. `fit` checks the parameters. `decision_scores_`, `labels_` and
    `threshold_` have the names and signs of PyOD.

    Example:
        detector = BiGANDetector(random_state=0).fit(normal_images)
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
        contamination: Annotated[float, "(0, 0.5]"] | Literal["auto"] = "auto",
        false_alarm_rate: Annotated[float, "(0, 0.5]"] = 0.05,
        random_state: int | np.random.RandomState | None = None,
        verbose: Literal[0, 1, 2] = 0,
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
        self.false_alarm_rate = false_alarm_rate
        self.random_state = random_state
        self.verbose = verbose

    def fit(self, X: npt.ArrayLike, y: Any = None) -> "BiGANDetector":
        """Trains the system on rows of which all or almost all are normal.

        Args:
            X: [N, F], [N, H·W·C], [N, H, W] or [N, H, W, C], N >= 4.
            y: ignored.

        Raises:
            ValueError: X or a parameter has a wrong form, or is out of range.
        """
        self.check_parameters()
        given = self._validated(X, reset=True)
        if (given == given[0]).all():
            raise UserError(
                f"X: expected rows that differ, all {len(given)} are the same (constant features)"
            )
        rows = self._prepared(given)
        randomness = check_random_state(self.random_state)
        seed = int(randomness.randint(LARGEST_SEED))
        order = randomness.permutation(len(rows))
        if not self._is_table:
            order = _without_copies(rows, order)
        count = round(self.validation_fraction * len(order))
        count = min(max(count, LEAST_HELD_OUT), MOST_HELD_OUT, max(2, len(order) // 4))
        trained = np.sort(order[count:])
        columns = Columns(given[trained]) if self._is_table else None
        scorer = self._train(rows[trained], columns, seed)
        # Neighbours are not trained: they may be held-out rows too, and a row is not its own.
        self.reference_ = np.roll(order, -count)[:MOST_REFERENCES]
        scorer.fit(rows[self.reference_], [self.criterion], self.n_neighbors, len(trained))
        if self.criterion == "combined":
            scorer.combine(scorer.scores(rows[order[:count]], scorer.combined))
        found = scorer.scores(rows, [self.criterion])[self.criterion]
        self._scorer, self._criterion = scorer, self.criterion
        self.reading_: dict[str, str] = {}
        self.decision_scores_ = found
        self.held_out_scores_ = np.sort(found[order[:count]])
        if isinstance(self.contamination, str):
            # Of n rows the k-th largest score is exceeded by k of n + 1 new ones, in the mean.
            above, of, method = self.false_alarm_rate, self.held_out_scores_, "weibull"
        else:
            above, of, method = self.contamination, found, "linear"
        self.offset_ = float(np.percentile(-of, 100.0 * above, method=method))
        self.threshold_ = -self.offset_
        self.labels_ = (found > self.threshold_).astype(int)
        return self

    def score_samples(self, X: npt.ArrayLike) -> np.ndarray:
        """How normal each row is, float64 [N]: larger is more normal.

        Args:
            X: rows as in `fit`.
        """
        check_is_fitted(self)
        rows = self._prepared(self._validated(X, reset=False))
        return -self._scorer.scores(rows, [self._criterion])[self._criterion]

    def anomaly_scores(self, X: npt.ArrayLike) -> dict[str, np.ndarray]:
        """{name: score}, float64 [N], for every fitted score: larger is more anomalous.

        Args:
            X: rows like those of `fit`.
        """
        check_is_fitted(self)
        return self._scorer.scores(self._prepared(self._validated(X, reset=False)))

    def score_parts(self, X: npt.ArrayLike) -> dict[str, np.ndarray]:
        """{name: part}, float64 [N] each; their mean is -`score_samples`.

        With criterion="combined" there is a part for each combined score, -log P(S >= s), where s
        is its value in `anomaly_scores` and S that of a normal row; else the only part is the score
        itself.

        Args:
            X: rows like those of `fit`.
        """
        return self.parts_of(self.anomaly_scores(X))

    def parts_of(self, scores: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        """`score_parts` of rows whose `anomaly_scores` are known."""
        check_is_fitted(self)
        if self._criterion != "combined":
            return {self._criterion: scores[self._criterion]}
        return {name: part.numpy() for name, part in self._scorer.parts(scores).items()}

    def decision_function(self, X: npt.ArrayLike) -> np.ndarray:
        """`score_samples` minus `offset_`, float64 [N]: below 0 are outliers."""
        return self.score_samples(X) - self.offset_

    def predict(self, X: npt.ArrayLike) -> np.ndarray:
        """1 for each inlier, -1 for each outlier, int [N]."""
        return np.where(self.decision_function(X) < 0, -1, 1)

    def predict_proba(self, X: npt.ArrayLike) -> np.ndarray:
        """[N, 2]: the fractions of held-out normal rows that are more, and less, anomalous.

        The second is the probability of an outlier in PyOD's sense, a rank: of new normal rows,
        5 % have 0.95 or more. It never is 0 or 1.
        """
        outlier = self.ranks(-self.score_samples(X))
        return np.stack([1.0 - outlier, outlier], axis=1)

    def ranks(self, scores: npt.ArrayLike) -> np.ndarray:
        """The fractions [N] of held-out normal rows that are less anomalous, as in `predict_proba`.

        Args:
            scores: -`score_samples`, [N].
        """
        check_is_fitted(self)
        below = np.searchsorted(self.held_out_scores_, scores)
        return (below + 0.5) / (len(self.held_out_scores_) + 1)

    def heat_map(self, X: npt.ArrayLike) -> np.ndarray:
        """Where images are unusual, float32 [N, H, W] >= 0: larger is more anomalous.

        The distances of patches to the nearest training patches at the same place, which for a
        training image are those of other images. The scale is the same for all images.

        Args:
            X: images like those of `fit`.

        Raises:
            UserError: a table, or a criterion that keeps no images.
        """
        if not self.keeps_images:
            raise UserError(f"heat maps need images, and {_KEEPS_IMAGES}")
        return self._scorer.heat_map(self._prepared(self._validated(X, reset=False)))

    def kneighbors(self, X: npt.ArrayLike) -> tuple[np.ndarray, np.ndarray]:
        """The nearest reference rows, at most `n_neighbors` + 1, nearest first.

        Distances are those between edges (`hog_distance`) or codes E(x) if the score is by them,
        else between pixels or standardised columns. A reference row is among its own neighbours, at
        distance 0, but does not count in its scores.

        Args:
            X: rows like those of `fit`.

        Returns:
            distances, float32 [N, k]; indices in `reference_` and `reference_images`, int32 [N, k].

        Raises:
            UserError: the criterion uses no neighbours.
        """
        check_is_fitted(self)
        if not self._scorer.compares:
            raise UserError(f"criterion={self._criterion} uses no neighbours; use combined")
        return self._scorer.nearest(self._prepared(self._validated(X, reset=False)))

    def reference_images(self) -> np.ndarray:
        """The images of `reference_`, float32 [M, H, W, C] in [0, 1].

        Raises:
            UserError: a table, or a criterion that keeps no images.
        """
        if not self.keeps_images or self._scorer.pixels is None:
            raise UserError(f"only detectors of images keep them, and only with {_KEEPS_IMAGES}")
        return self._scorer.pixels.rows.numpy().reshape(-1, *self.image_shape_)

    def save_model(self, path: str | os.PathLike) -> None:
        """Writes the whole detector as a TensorFlow SavedModel or ONNX file.

        Either runs without this library. Its input is `rows`: images float32 [N, H, W, C] in
        [0, 1], or a table float64 [N, F]. Its outputs are `score`, -`score_samples`, and
        `is_outlier`. The signature of a SavedModel is `serving_default`.

        Args:
            path: a file ending in .onnx, or a directory to write; must not exist.

        Raises:
            UserError: the path exists, or cannot be written; or, for ONNX, the packages of the
                extra `export` are missing, or the score is of a system that computes in bfloat16.
        """
        check_is_fitted(self)
        path = expanded(path)
        if os.path.lexists(path):
            raise UserError(f"{path} exists: choose another path")
        with atomically(path) as temporary:
            self._scorer.save(temporary, self._criterion, self.threshold_)

    @property
    def keeps_images(self) -> bool:
        """Whether there are `reference_images` and heat maps."""
        check_is_fitted(self)
        return self._scorer.patches is not None

    @property
    def model_(self) -> AdversarialModel:
        """The trained system."""
        check_is_fitted(self)
        return self._scorer.system.model

    def __sklearn_is_fitted__(self) -> bool:
        return hasattr(self, "offset_")

    def check_parameters(self) -> None:
        """Raises UserError if a parameter is out of its range; `fit` does so first."""
        check_arguments(BiGANDetector, self.get_params(deep=False))
        if not isinstance(self.contamination, str) or self.contamination != "auto":
            check("contamination", self.contamination, Annotated[float, "(0, 0.5]"])
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
        if getattr(X, "ndim", None) is None and isinstance(X, (list, tuple)):
            X = np.asarray(X)
        if getattr(X, "ndim", 2) in (3, 4):
            X = np.asarray(X)
            shape = (*X.shape[1:], 1)[:3]  # [N, H, W] has one channel
            wanted = self.image_shape if reset else self.image_shape_
            if not reset and self._is_table:
                raise UserError(f"X: expected a table [N, {self.n_features_in_}], got {X.shape}")
            if wanted is not None and shape != tuple(wanted):
                raise UserError(f"X: expected images {tuple(wanted)}, got {shape}")
            if wanted is None and shape[0] in (1, 3) and shape[1] == shape[2] > 4:
                raise UserError(
                    f"X: images are [N, H, W, C], and {X.shape} seems to have the channels first: "
                    f"give np.moveaxis(X, 1, -1), or image_shape={shape}"
                )
            X = X.reshape(len(X), math.prod(shape))
        else:
            shape = self.image_shape
        least = LEAST_ROWS if reset else 1
        rows: Any = validate_data(self, X=X, reset=reset, ensure_min_samples=least)  # type: ignore
        if reset:
            height, width, channels = (1, 1, rows.shape[1]) if shape is None else map(int, shape)
            self.image_shape_ = (height, width, channels)
            self._is_table = shape is None
            if math.prod(self.image_shape_) != rows.shape[1]:
                raise UserError(
                    f"X: expected rows of {math.prod(self.image_shape_)} values for "
                    f"image_shape={self.image_shape_}, got {rows.shape[1]}"
                )
        return rows

    def _prepared(self, rows: np.ndarray) -> np.ndarray:
        """Rows as the scorer takes them: float32 [N, H, W, C] in [0, 1], or a float64 table."""
        if self._is_table:
            return rows.astype(np.float64)
        return to_unit_range(rows.reshape(len(rows), *self.image_shape_), "X")

    # --- training ---------------------------------------------------------------------------

    def _config(self, rows: int, seed: int) -> Config:
        """The configuration of a training on this many rows."""
        batch = min(self.batch_size, rows)
        steps_per_epoch = -(-rows // max(batch, 1))
        table = self._is_table
        epochs = self.epochs or -(-(STEPS_TABLE if table else STEPS_IMAGES) // steps_per_epoch)
        steps = epochs * steps_per_epoch
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
        if self.networks == PAPER["networks"]:
            # With R1 or a fast D, E and G hardly invert each other after so few steps.
            defaults["penalty"] = "none"
            if self.model == PAPER["model"]:
                defaults["player_rates"] = PAPER["player_rates"]
        if self.learning_rate is not None:
            values["learning_rate"] = self.learning_rate
            defaults.pop("player_rates", None)  # they would override it
        return Config.from_dict(defaults | values | dict(self.options or {}))

    def _train(self, rows: np.ndarray, columns: Columns | None, seed: int) -> Scorer:
        """Builds and trains the system. Invalid parameters are detected before the training."""
        config = self._config(len(rows), seed)
        images = rows
        if columns is not None:
            images = columns.images(columns.standardised(tf.constant(rows))).numpy()
        batches = ArrayBatches({"image": images}, config.batch_size, seed)
        with seeded(seed):
            model, _ = build.build_model(config, self.image_shape_, batches.steps_per_epoch)
        scorer = Scorer(TrainedSystem(model), columns, self.weight)
        if self.criterion not in scorer.possible:
            kind = "a table" if self._is_table else "images"
            raise UserError(
                f"criterion={self.criterion} is not possible for model={self.model} on {kind}; "
                f"choose one of {', '.join(scorer.possible)}"
            )
        model.fit(batches, epochs=config.epochs, verbose=self.verbose)
        return scorer


def _without_copies(images: np.ndarray, order: np.ndarray) -> np.ndarray:
    """`order` with one of each image: a held-out image with a copy would look too normal.

    All of it if so few images are distinct that there would be no rows to train on.
    """
    content = [hashlib.sha256(image.tobytes()).digest() for image in images[order]]
    first = np.unique(content, return_index=True)[1]
    return order[np.sort(first)] if len(first) >= LEAST_ROWS else order
