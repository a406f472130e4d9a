"""Claims of papers, and the trainings and images that they share."""

import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import keras

from tf_bigan import data, evaluation
from tf_bigan.core.model import AdversarialModel
from tf_bigan.run import build, presets
from tf_bigan.run.config import Config

# Where a claim says nothing else: the official BiGAN's networks and training, without weight decay.
BASE = {name: v for name, v in presets.OFFICIAL.items() if name not in ("dataset", "l2")}


@dataclass(frozen=True)
class Check:
    """A number, optionally with a target.

    what: its description in the table.  number: its name in the results of `measure`.
    published: the paper's number, "" if there is none.
    least, most: the target, either or both; neither for a number that is only reported.
    digits: number of decimals.
    """

    what: str
    number: str
    published: str = ""
    least: float | None = None
    most: float | None = None
    digits: int = 2

    @property
    def target(self) -> str:
        """The target as text."""
        bounds = {"≥": self.least, "≤": self.most}
        return ", ".join(f"{sign} {b:g}" for sign, b in bounds.items() if b is not None)

    def margin(self, value: float) -> float | None:
        """The distance to the target, below 0 if it is missed; None without a target."""
        margins = [] if self.least is None else [value - self.least]
        margins += [] if self.most is None else [self.most - value]
        if not margins:
            return None
        return min(margins) if math.isfinite(value) else -math.inf


@dataclass(frozen=True)
class Claim:
    """A claim of a paper, and its measurement.

    title: a heading.  settings: the training, and how it is scaled down.
    checks: the numbers and their targets.
    measure: (lab, seed) -> ({name: number}, {name: array for the picture}).
    draw: ({name: array}, path of a PNG), or None for a claim without a picture.
    caption: the caption of the picture.
    """

    title: str
    settings: str
    checks: tuple[Check, ...]
    measure: Callable[["Lab", int], tuple[dict, dict]]
    draw: Callable[[dict, str], None] | None = None
    caption: str = ""


class Lab:
    """Trains systems on MNIST, and holds the data and classifier for their evaluation.

    out: a directory, where the classifier is stored.  data_dir: as in `data.load`.
    """

    def __init__(self, out: Path, data_dir: str | None = None):
        self.out, self.data_dir = out, data_dir
        self.seconds = 0.0  # of all trainings so far

    @cached_property
    def train(self) -> data.ImageData:
        return data.load("mnist", data_dir=self.data_dir)

    @cached_property
    def test(self) -> data.ImageData:
        return data.load("mnist", "test", data_dir=self.data_dir)

    @cached_property
    def classifier(self) -> evaluation.FeatureClassifier:
        """The classifier whose features are used to compare images."""
        path = self.out / "classifier.keras"
        return evaluation.train_feature_classifier(
            self.train.as_float(), self.train.labels, path=path
        )

    def trained(self, seed: int, callbacks=(), **options) -> AdversarialModel:
        """A trained system with its own defaults and these options, without a preset."""
        defaults = BASE | presets.system(options["model"]).options
        options = {"dataset": "mnist", "data_dir": self.data_dir, "seed": seed} | options
        config = Config.from_dict(defaults | options)
        train = build.load_split(config, "train")
        batches = build.training_batches(config, train)
        model, _ = build.build_model(
            config, batches.image_shape, batches.steps_per_epoch, train.num_classes
        )
        self.fit(model, batches, epochs=config.epochs, callbacks=list(callbacks))
        return model

    def fit(self, model: keras.Model, *data, **arguments):
        """`model.fit`, with its seconds added to `seconds`."""
        start = time.monotonic()
        model.fit(*data, verbose=0, **arguments)
        self.seconds += time.monotonic() - start

    def distance(self, images) -> float:
        """FD: FID-like Fréchet distance to the test images, in the classifier's features."""
        return evaluation.fd_classifier(self.classifier, self.test.as_float(), images)


class Trace(keras.callbacks.Callback):
    """Stores the means of all logs over each call of `steps_per_execution` steps."""

    def __init__(self):
        super().__init__()
        self.rows: list[dict[str, float]] = []

    def on_train_batch_end(self, batch, logs=None):
        self.rows.append(dict(self.model.last_logs))

    def of(self, name: str) -> list[float]:
        """The trace of one name."""
        return [row[name] for row in self.rows]
