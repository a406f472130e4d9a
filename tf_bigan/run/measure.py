"""Computes metrics of models, with several random seeds, and their reference values."""

# pyright: reportArgumentType=false
# A part that is None is ruled out by `registry.Metric.needs` before it is used.

from __future__ import annotations

import contextlib
import functools
import hashlib
import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

import pandas as pd
from absl import logging
from tqdm import tqdm

from tf_bigan import data, evaluation
from tf_bigan.core.model import AdversarialModel
from tf_bigan.core.randomness import seeded
from tf_bigan.core.statistics import calibrate, statistics_kept
from tf_bigan.errors import UserError, did_you_mean
from tf_bigan.evaluation import Inputs, NotFinite, Unmeasurable
from tf_bigan.evaluation.registry import METRICS, in_groups, named
from tf_bigan.report import Figure
from tf_bigan.run import build, pictures, presets
from tf_bigan.run.config import Config
from tf_bigan.run.trained import Trained

TRAINED, UNTRAINED, HELD_OUT = "trained", "untrained", "held-out"
FIRST_DRAW = 12345  # the random seed of z for seed 0
QUICK_EXAMPLES = 1000  # held-out images for evaluation during training
_TRAINING_IMAGES = 10_000  # training images for evaluation during training
_COMPONENTS = 50  # principal components

Record = tuple[str, str, int, float]


@dataclass
class Measured:
    """The values of one model, in long form.

    Attributes:
        records: columns column, metric, seed and value, one row per value. `column` is "trained",
            or a reference: "untrained"; "floor", "noise" and "one class" (see
            `evaluation.Inputs.references`); "pixels" and "PCA". A metric without random numbers
            has a value only for the first seed.
        shares: the class histograms in the same form, with the class instead of the metric.
            `column` may also be "held-out".
        left_out: metric -> the reason why the trained model has no value.
        classifiers: seed, accuracy and digest of each classifier of the group "generation".
    """

    records: pd.DataFrame
    shares: pd.DataFrame
    left_out: dict[str, str] = field(default_factory=dict)
    classifiers: list[dict] = field(default_factory=list)

    def means(self) -> dict[str, float]:
        """The trained model's means by metric."""
        values = self.records[self.records.column == TRAINED]
        return values.groupby("metric", sort=False).value.mean().to_dict()


class ModelEvaluator:
    """Computes metrics of models on one data set; results independent of the model are shared.

    Args:
        train: the training images; None if no metric needs them.
        held_out: the images to evaluate on.
        metrics: names from `evaluation.METRICS`.
        split: name of the split of the held-out images.
        seeds: random seeds of z, the classifiers, the labelled examples, the order of a probe's
            rows and the initial centres of k-means; metrics that use one have a value per seed.
        samples: number of samples, at most 2**31 - 1.
        references: also compute the reference values.
        classifiers: a directory to store the classifiers in, or None.
        progress: show progress bars on a terminal.
    """

    def __init__(
        self,
        train: data.ImageData | None,
        held_out: data.ImageData,
        metrics: Sequence[str],
        *,
        split: str = "test",
        seeds: Sequence[int] = (0,),
        samples: int = 100_000,
        references: bool = True,
        classifiers=None,
        progress: bool = False,
    ):
        self.train, self.held_out, self.metrics, self.split = train, held_out, metrics, split
        self.seeds, self.samples, self.references = tuple(seeds), samples, references
        self.progress = progress
        self._path = classifiers
        self._classifiers: dict[int, evaluation.FeatureClassifier] = {}
        self._of_references: dict[int, tuple[list[Record], list[Record]]] = {}  # seed -> records

    def measure(self, model: AdversarialModel, batches: data.Batches | None = None) -> Measured:
        """Computes the metrics of a model, which is not changed.

        For recalibrated batch norm, call it in a `recalibrated` block.

        Args:
            model: any system.
            batches: for the batch statistics of the untrained model, if its losses need more than
                images.

        Raises:
            UserError: the model's output is not finite; a classifier's file cannot be used.
        """
        left_out: dict[str, str] = {}
        records, shares, used = [], [], []
        inputs = self._inputs(model)
        with statistics_kept(model):
            for seed in self.seeds:
                names = self._due(seed)
                classifier = self._classifier(seed, names, inputs, left_out)
                inputs = inputs.reseeded(seed, self._z(model, seed), classifier)
                try:
                    records += self._values(TRAINED, names, inputs, left_out)
                except NotFinite as error:
                    step = int(model.step.numpy())
                    raise UserError(
                        f"the model of step {step} cannot be measured: {error}"
                    ) from error
                if classifier is not None:
                    used.append(classifier)
                    if in_groups(names, "generation"):
                        shares += self._shares(HELD_OUT, inputs) + self._shares(TRAINED, inputs)
                if self.references and in_groups(names, "generation"):
                    of_references = self._reference_samples(seed, names, inputs)
                    records, shares = records + of_references[0], shares + of_references[1]
        records = [
            record for record in records if record[0] != TRAINED or record[1] not in left_out
        ]
        if self.references:
            records += self._untrained(model, batches)
            if any(record[1] in in_groups(self.metrics, "representation") for record in records):
                records += self._baselines
        return Measured(
            pd.DataFrame(records, columns=["column", "metric", "seed", "value"]),
            pd.DataFrame(shares, columns=["column", "metric", "seed", "value"]),
            left_out,
            [{"seed": c.seed, "accuracy": c.accuracy, "digest": c.digest} for c in used],
        )

    def missing(self, model: AdversarialModel) -> dict[str, str]:
        """Metric -> the missing requirement of the model or the data, such as "needs labels"."""
        parts = self._inputs(model).parts | {"classifier"}
        reasons = {name: METRICS[name].missing(parts) for name in self.metrics}
        return {name: reason for name, reason in reasons.items() if reason}

    @functools.cached_property
    def key(self) -> str:
        """A key that identifies the images and labels."""
        digest = hashlib.blake2b(digest_size=8)
        for part in (self.train, self.held_out):
            for array in (part.images, part.labels) if part else ():
                digest.update(b"none" if array is None else array.tobytes())
        return digest.hexdigest()

    def _due(self, seed: int) -> list[str]:
        return [n for n in self.metrics if seed == self.seeds[0] or METRICS[n].seeded]

    def _z(self, model: AdversarialModel, seed: int):
        if not hasattr(model, "generator"):
            return None
        return model.prior.sample(self.samples, seed=FIRST_DRAW + seed).numpy()

    def _inputs(self, model: AdversarialModel) -> Inputs:
        generates, encodes = hasattr(model, "generator"), hasattr(model, "encoder")
        # Those that metrics are of; the maps of all images would take much memory.
        layers = [name for name in ("e-", "e") if encodes and name in model.feature_shapes()]
        return self._images(
            generate=model.generate if generates else None,
            encode=functools.partial(model.features, layers=layers) if encodes else None,
            reconstruct=model.reconstruct if generates and encodes else None,
            infer=model.encode if encodes else None,
            classify=model.classify if build.classifies(model) else None,
            assign=model.assign if build.finds_classes(model) else None,
            z=self._z(model, self.seeds[0]),
        )

    def _images(self, **options) -> Inputs:
        held_out, train = self._floats
        labels = None if self.train is None else self.train.labels
        images = held_out, self.held_out.labels, train, labels
        return Inputs(*images, seed=self.seeds[0], progress=self.progress, **options)

    @functools.cached_property
    def _floats(self):
        return self.held_out.as_float(), None if self.train is None else self.train.as_float()

    def _classifier(self, seed: int, names, inputs: Inputs, left_out: dict[str, str]):
        """The classifier of a seed, or None if it is not needed or cannot be trained."""
        parts = inputs.parts | {"classifier"}
        chosen = [name for name in names if "classifier" in METRICS[name].needs]
        if all(METRICS[name].missing(parts) for name in chosen):
            return None
        if seed not in self._classifiers:
            try:
                self._classifiers[seed] = evaluation.train_feature_classifier(
                    *(inputs.train, inputs.train_labels),
                    seed=seed,
                    path=self._path,
                    progress=self.progress,
                )
            except Unmeasurable as error:
                left_out.update(dict.fromkeys(chosen, str(error)))
                return None
        return self._classifiers[seed]

    def _values(
        self, column: str, names: Sequence[str], inputs: Inputs, left_out: dict[str, str]
    ) -> list[Record]:
        records = []
        bar = tqdm(names, leave=False, disable=None if self.progress else True)
        for name in bar:
            bar.set_description(f"{column}: {name}")
            if name in left_out:
                continue
            try:
                records.append((column, name, inputs.seed, METRICS[name].measure(inputs)))
            except NotFinite as error:
                raise NotFinite(f"{name}: {error}") from error
            except Unmeasurable as error:
                left_out[name] = str(error)
        return records

    def _shares(self, column: str, inputs: Inputs) -> list[Record]:
        real = evaluation.class_histogram(inputs.real[1])
        histogram = real if column == HELD_OUT else inputs.histogram
        names, classes = self.train.class_names, inputs.classifier.classes.tolist()
        return [
            (column, names[label] if names else str(label), inputs.seed, float(share))
            for label, share in zip(classes, histogram, strict=True)
        ]

    def _reference_samples(self, seed: int, names, inputs: Inputs):
        """The values and class histograms of known images instead of samples."""
        if seed not in self._of_references:
            records, shares = [], []
            known = {"train", "generator"} <= inputs.parts
            for column, one in (inputs.references() if known else {}).items():
                records += self._values(column, in_groups(names, "generation"), one, {})
                if one.classifier is not None:
                    shares += self._shares(column, one)
            self._of_references[seed] = records, shares
        return self._of_references[seed]

    def _untrained(self, model: AdversarialModel, batches: data.Batches | None) -> list[Record]:
        names = [name for name in self.metrics if METRICS[name].group != "generation"]
        if not names:
            return []
        try:
            if self.train is not None:
                build.check_entries(model, batches or self.train.batches(1))
        except UserError as error:  # of the batch statistics alone
            logging.warning("no values of an untrained model: %s", error)
            return []
        fresh, records = untrained(model), []
        inputs = self._inputs(fresh)
        with recalibrated(fresh, self.train, batches):
            for seed in self.seeds:
                due = [name for name in self._due(seed) if name in names]
                classifier = self._classifiers.get(seed)
                inputs = inputs.reseeded(seed, self._z(fresh, seed), classifier)
                records += self._values(UNTRAINED, due, inputs, {})
        return records

    @functools.cached_property
    def _baselines(self) -> list[Record]:
        """The values of raw pixels and of their principal components."""
        images = self._images()
        pixels = [part.reshape(len(part), -1) for part in (images.train, images.held_out)]
        components = min(_COMPONENTS, *pixels[0].shape)
        both = {"pixels": pixels, "PCA": evaluation.pca_features(*pixels, components=components)}
        records = []
        for column, features in both.items():
            for seed in self.seeds:
                names = in_groups(self._due(seed), "representation")
                inputs = self._images(features=tuple(features)).reseeded(seed, None, None)
                records += self._values(column, names, inputs, {})
        return records


@contextlib.contextmanager
def recalibrated(
    model: AdversarialModel,
    train: data.ImageData | None,
    batches: data.Batches | None = None,
) -> Iterator[None]:
    """A block with recalibrated batch norm: plain averages over training batches.

    The official code evaluates in this way. Afterwards the model is restored.

    Args:
        model: any system.
        train: the training images; None does not recalibrate.
        batches: training batches, if the losses need more than these images.
    """
    with statistics_kept(model):
        if train is not None:
            batches = batches or train.batches(min(128, len(train)), seed=1)
            build.check_entries(model, batches)
            calibrate(model, batches.dataset(), steps=build.calibration_steps(batches))
        yield


def untrained(model: AdversarialModel) -> AdversarialModel:
    """The model before its first step: its networks with initial weights drawn by its seed."""
    with seeded(model.seed):
        fresh = type(model).from_config(model.get_config())
    fresh.compile_from_config(model.get_compile_config())
    return fresh


def values(
    model: AdversarialModel,
    train: data.ImageData | None,
    held_out: data.ImageData,
    metrics: Sequence[str] = in_groups(METRICS, "official", "latent", "accuracy"),
    *,
    recalibrate: bool = False,
    batches: data.Batches | None = None,
) -> dict[str, float]:
    """The metrics that a model allows, without reference values.

    Args:
        model: any system; it is not changed.
        train: the training images; None if no metric needs them.
        held_out: the images to evaluate on.
        metrics: names from `evaluation.METRICS`.
        recalibrate: recalibrate batch norm first, see `recalibrated`.
        batches: as in `recalibrated`.
    """
    with recalibrated(model, train if recalibrate else None, batches):
        return ModelEvaluator(train, held_out, metrics, references=False).measure(model).means()


@dataclass
class Result:
    """A trained model with its metrics.

    system: the class of the model. data: describes the images; `data_key` identifies them.
    """

    trained: Trained
    measured: Measured
    figures: Sequence[Figure]
    system: str
    step: int
    split: str
    data: str
    data_key: str


def load(
    trained: Trained, evaluators: dict[str, ModelEvaluator], *, split: str, **options
) -> tuple[AdversarialModel, ModelEvaluator]:
    """A model, and the evaluator for its data.

    Args:
        trained: the run or file.
        evaluators: the evaluators so far, by the key of their data; a new one is added.
        split: "validation" or "test".
        **options: arguments of `ModelEvaluator`.

    Raises:
        UserError: the model or its data cannot be loaded, or the image shapes differ.
    """
    model, config, run = trained.load(), trained.config, trained.workdir
    train = build.load_split(config, "train")
    # Not for data that the user has chosen.
    if run and run.read_config() == config and run.has_other_images(train.fingerprint):
        logging.warning(
            "%s: the images have changed since the training, which may have seen some of those "
            "that are %s images now",
            trained.name,
            split,
        )
    train = build.in_memory(train)
    held_out = build.in_memory(build.load_held_out(config, split))
    if config.target_dataset:  # either of the two may be grey
        channels = model.image_shape[-1]
        train, held_out = (part.converted(channels=channels) for part in (train, held_out))
    if run is not None and build.classifies(model):
        names = run.read_class_names()
        train, held_out = (data.renumbered(part, names) for part in (train, held_out))
    if model.image_shape != train.image_shape:
        raise UserError(
            f"the model is for images of shape {model.image_shape}, but {config.dataset} has "
            f"{train.image_shape}: set --dataset, --image_size and --channels as in its training"
        )
    evaluator = ModelEvaluator(train, held_out, split=split, **options)
    return model, evaluators.setdefault(evaluator.key + split, evaluator)


def measure(
    trained: Trained, model: AdversarialModel, evaluator: ModelEvaluator, *, recalibrate: bool
) -> Result:
    """Evaluates a model from `load`, optionally with recalibrated batch norm.

    Raises:
        UserError: it cannot be evaluated.
    """
    config, batches = trained.config, None
    if config.target_dataset:
        batches = build.training_batches(config, evaluator.train)
    dataset = config.target_dataset or config.dataset
    with recalibrated(model, evaluator.train if recalibrate else None, batches):
        measured = evaluator.measure(model, batches)
        figures = pictures.figures(model, evaluator.held_out)
    return Result(
        trained=trained,
        measured=measured,
        figures=figures,
        system=type(model).__name__,
        step=int(model.step.numpy()),
        split=evaluator.split,
        data=f"{len(evaluator.held_out):,} {evaluator.split} images of {dataset}",
        data_key=evaluator.key,
    )


def while_training(
    config: Config,
    model: AdversarialModel,
    train: data.ImageData | data.StreamedImages,
    held_out: data.ImageData,
) -> tuple[ModelEvaluator | None, str | None]:
    """(the evaluator for `--eval_every`, the metric that selects the best checkpoint), or Nones.

    Raises:
        UserError: `--eval_metrics` or `--monitor` names a metric that is not available.
    """
    if not config.eval_every:
        if config.monitor is not None:
            raise UserError(f"--monitor={config.monitor}: nothing is measured with --eval_every=0")
        return None, None
    few = None
    if any("train" in METRICS[name].needs for name in config.measured):
        few = build.picks(train, _TRAINING_IMAGES)
        few = few.converted(channels=held_out.image_shape[-1])
    evaluator = ModelEvaluator(few, held_out, config.measured, references=False)
    missing = evaluator.missing(model)
    evaluator.metrics = tuple(name for name in config.measured if name not in missing)
    for name in sorted(named(config.eval_metrics or "")):
        if name in missing:
            raise UserError(f"--eval_metrics={config.eval_metrics}: {name} {missing[name]}")
    if config.monitored in missing:
        raise UserError(
            f"--monitor={config.monitor}: {config.monitored} {missing[config.monitored]}"
            f"{did_you_mean(config.monitored, evaluator.metrics)}"
        )
    monitors = (config.monitored or presets.system(config.model).monitor, presets.System().monitor)
    return evaluator, next((name for name in monitors if name in evaluator.metrics), None)


def values_of(
    evaluator: ModelEvaluator, monitor: str | None
) -> Callable[[AdversarialModel], dict[str, float]]:
    """The function of `callbacks.Evaluation`: model -> {metric: value}.

    Metrics that the data or the samples do not allow are left out, with a warning the first time;
    a monitored one is NaN then, which is never the best. If it is missing before the first step,
    UserError is raised instead.
    """
    told = set()

    def measured(model: AdversarialModel) -> dict[str, float]:
        found = evaluator.measure(model)
        reasons = found.left_out
        if monitor in reasons and int(model.step.numpy()) == 0:
            raise UserError(f"--monitor={monitor}: {reasons[monitor]}")
        for name in reasons.keys() - told:
            logging.warning("%s left out: %s", name, reasons[name])
        told.update(reasons)
        return found.means() | ({monitor: math.nan} if monitor in reasons else {})

    return measured
