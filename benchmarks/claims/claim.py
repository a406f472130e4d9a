"""What a claim is, and the trainings and images that the claims share."""

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


@dataclass(frozen=True)
class Check:
    """A number that is to hold.

    what: as the table says it.  number: its name in what the claim measures.
    published: the paper's number, "" where it has none.
    least, most: the target, either or both; none for a number that is only reported.
    digits: behind the point.
    """

    what: str
    number: str
    published: str = ""
    least: float | None = None
    most: float | None = None
    digits: int = 2

    @property
    def target(self) -> str:
        """The target as the table says it."""
        bounds = {"≥": self.least, "≤": self.most}
        return ", ".join(f"{sign} {b:g}" for sign, b in bounds.items() if b is not None)

    def margin(self, value: float) -> float | None:
        """By how much the target is held, below 0 if it is missed; None without a target."""
        margins = [] if self.least is None else [value - self.least]
        margins += [] if self.most is None else [self.most - value]
        if not margins:
            return None
        return min(margins) if math.isfinite(value) else -math.inf


@dataclass(frozen=True)
class Claim:
    """What a paper says of its system, and how that is measured here.

    title: a heading.  settings: what is trained, and how far it is scaled down.
    checks: what is to hold of the numbers.
    measure: (lab, seed) -> ({name: number}, {name: array to draw from}).
    draw: ({name: array}, path of a PNG), or None for a claim without a picture.
    caption: what the picture shows.
    """

    title: str
    settings: str
    checks: tuple[Check, ...]
    measure: Callable[["Lab", int], tuple[dict, dict]]
    draw: Callable[[dict, str], None] | None = None
    caption: str = ""


class Lab:
    """Trains systems on MNIST, and has what their results are judged by.

    out: a directory, where the classifier is kept.  data_dir: as in `data.load`.
    """

    def __init__(self, out: Path, data_dir: str | None = None):
        self.out, self.data_dir = out, data_dir
        self.seconds = 0.0  # of training, so far

    @cached_property
    def train(self) -> data.ImageData:
        return data.load("mnist", data_dir=self.data_dir)

    @cached_property
    def test(self) -> data.ImageData:
        return data.load("mnist", "test", data_dir=self.data_dir)

    @cached_property
    def classifier(self) -> evaluation.FeatureClassifier:
        """The one in whose features images are compared."""
        path = self.out / "classifier.keras"
        return evaluation.train_feature_classifier(
            self.train.as_float(), self.train.labels, path=path
        )

    def trained(self, seed: int, callbacks=(), **options) -> AdversarialModel:
        """A system with its own defaults and these options, without a preset's."""
        defaults = presets.system(options["model"]).options
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
        """`model.fit`, its seconds counted."""
        start = time.monotonic()
        model.fit(*data, verbose=0, **arguments)
        self.seconds += time.monotonic() - start

    def distance(self, images) -> float:
        """Fréchet distance of images to the test images, in the classifier's features."""
        return evaluation.fd_classifier(self.classifier, self.test.as_float(), images)


class Trace(keras.callbacks.Callback):
    """Keeps the means of all logs over each call of `steps_per_execution` steps."""

    def __init__(self):
        super().__init__()
        self.rows: list[dict[str, float]] = []

    def on_train_batch_end(self, batch, logs=None):
        self.rows.append(dict(self.model.last_logs))

    def of(self, name: str) -> list[float]:
        """The trace of one name."""
        return [row[name] for row in self.rows]
