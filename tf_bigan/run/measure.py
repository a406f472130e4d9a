"""All chosen metrics of a model, over several seeds, beside what their values are to be read by."""

from __future__ import annotations

import functools
import math
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from absl import logging

from tf_bigan import data, evaluation
from tf_bigan.core.model import AdversarialModel
from tf_bigan.errors import UserError, did_you_mean
from tf_bigan.evaluation.registry import METRICS, WITHOUT_SEED, in_groups, named
from tf_bigan.report.table import mean
from tf_bigan.run import build, presets
from tf_bigan.run.config import Config

TRAINED, UNTRAINED, PIXELS, PCA = "trained", "untrained", "pixels", "PCA"
HELD_OUT = "held_out"
_COMPONENTS = 50  # of PCA
_OF_THE_MODEL, _OF_SAMPLES, _OF_FEATURES = "model", "generation", "representation"
_REFERENCES = evaluation.GENERATION_COLUMNS[1:]  # floor and ceilings
_TRAINING_IMAGES = 10_000  # of the gallery and the probes while a model trains

_NEEDS = {
    "generator": "a generator",
    "encoder": "an encoder",
    "classes": "a system that names classes",
    "labels": "labels",
}

Progress = Callable[[str, int, int], None]


def _table() -> defaultdict:
    return defaultdict(lambda: defaultdict(list))


@dataclass
class Measured:
    """What `Measurer.measure` returns.

    Attributes:
        tables: "model", "generation" and "representation" -> column -> metric -> its values, one
            for each seed, or one alone where no random choice is in it. The columns are "trained"
            and, beside it, "untrained"; "floor", "ceiling_noise" and "ceiling_collapsed" (see
            `evaluation.generation_metrics`); "pixels" and "PCA".
        left_out: metric -> the reason why it could not be measured.
        classifiers: seed, accuracy and digest of each classifier that judged samples.
        histograms: class -> column -> the share of images that the classifier sees in it, for each
            seed. The columns are those of "generation", and "held_out".
    """

    tables: dict[str, dict[str, dict[str, list[float]]]] = field(
        default_factory=lambda: defaultdict(_table)
    )
    left_out: dict[str, str] = field(default_factory=dict)
    classifiers: list[dict] = field(default_factory=list)
    histograms: dict[str, dict[str, list[float]]] = field(default_factory=_table)

    def flat(self) -> dict[str, float]:
        """The trained model's means by metric."""
        columns = (table[TRAINED] for table in self.tables.values())
        return {name: mean(values) for column in columns for name, values in column.items()}


class Measurer:
    """Measures models on one data set. What does not depend on the model is computed once.

    Args:
        train: the training images; None where no metric needs them.
        held_out: the images to be measured on.
        metrics: names out of `metrics.METRICS`.
        seeds: of the draws of z, the classifiers, the labelled rows, the order of a probe's rows
            and the starts of k-means; every metric that depends on one is measured for each.
        samples: draws of z. Metrics of the generation take as many as there are held-out images,
            at most.
        references: measure the columns beside the trained model's as well.
        classifiers: a directory to keep the classifiers in, or None.
        progress: called as progress(stage, done, total).
    """

    def __init__(
        self,
        train: data.ImageData | None,
        held_out: data.ImageData,
        metrics: Sequence[str],
        *,
        seeds: Sequence[int] = (0,),
        samples: int = 100_000,
        references: bool = True,
        classifiers=None,
        progress: Progress | None = None,
    ):
        self.train, self.held_out, self.metrics = train, held_out, tuple(metrics)
        self.seeds, self.samples, self.references = tuple(seeds), samples, references
        self._path, self.progress = classifiers, progress
        self._classifiers: dict[int, evaluation.FeatureClassifier] = {}
        self._yardsticks: dict[int, evaluation.GenerationMetrics] = {}  # floor and ceilings by seed

    def measure(
        self,
        model: AdversarialModel,
        *,
        batches: data.Batches | None = None,
    ) -> Measured:
        """The tables of one model, which is left as it was.

        For other batch statistics than the model's own, call it in `build.measurable`.

        Args:
            model: any system.
            batches: for the statistics of the untrained model, where its losses need more than
                images.

        Raises:
            UserError: what the model gives is not finite.
        """
        found = Measured()
        self._measure(found, TRAINED, model, False, batches)
        if self.references:
            self._measure(found, UNTRAINED, build.untrained(model), True, batches)
            if found.tables[_OF_FEATURES]:
                for column, values in self._baselines.items():
                    found.tables[_OF_FEATURES][column] = values
        found.tables = {
            title: {c: dict(values) for c, values in found.tables[title].items()}
            for title in (_OF_THE_MODEL, _OF_SAMPLES, _OF_FEATURES)
            if any(found.tables[title].values())
        }
        return found

    def _measure(self, found: Measured, column: str, model, posthoc: bool, batches):
        tables = {title: found.tables[title] for title in (_OF_THE_MODEL, _OF_FEATURES)}
        left_out = found.left_out if column == TRAINED else {}
        with build.measurable(model, self.train if posthoc else None, batches):
            for seed in self.seeds:
                measured = build.measure(
                    model,
                    self.train,
                    self.held_out,
                    metrics=self._due(seed, "official", "latent", "accuracy"),
                    samples=self.samples,
                    seed=seed,
                    progress=self._stage(column),
                )
                _add(tables[_OF_THE_MODEL][column], measured.values)
                left_out.update(measured.left_out)
            self._possible(model, "accuracy", left_out)
            names = self._possible(model, "representation", left_out)
            if names:
                features = [self._features(model, images) for images in self._both]
                values = self._representation(column, features, names, left_out)
                _add(tables[_OF_FEATURES][column], values, several=True)
            names = self._possible(model, "generation", left_out)
            if names and column == TRAINED:
                self._measure_samples(found, model, names)

    def _measure_samples(self, found: Measured, model, names: Sequence[str]):
        by_seed = {}
        count = max(1, min(self.samples, len(self.held_out)))
        for seed in self.seeds:
            samples = model.sample(count, seed=build.FIRST_DRAW + seed)
            known = seed in self._yardsticks or not self.references
            columns = evaluation.GENERATION_COLUMNS[:1] if known else evaluation.GENERATION_COLUMNS
            try:
                measured = evaluation.generation_metrics(
                    self.train.as_float(),
                    self.train.labels,
                    self.held_out.as_float(),
                    samples,
                    classifier=self._classifier(seed),
                    metrics=names,
                    columns=columns,
                    seed=seed,
                    progress=self._stage("samples"),
                )
            except UserError:  # a classifier's file that cannot be read or written
                raise
            except ValueError as error:  # too few images, a single class, samples all the same
                found.left_out.update(dict.fromkeys(names, str(error)))
                return
            if len(columns) > 1:
                self._yardsticks[seed] = measured
            by_seed[seed] = measured
        table = found.tables[_OF_SAMPLES]
        for seed, measured in by_seed.items():
            self._add_shares(found, HELD_OUT, measured, HELD_OUT)
            sources = {"value": measured}
            if self.references:
                sources |= dict.fromkeys(_REFERENCES, self._yardsticks[seed])
            for name, source in sources.items():
                column = TRAINED if name == "value" else name
                _add(table[column], {metric: row[name] for metric, row in source.table.items()})
                self._add_shares(found, column, source, name)
            classifier = measured.classifier
            found.classifiers.append(
                {
                    "seed": classifier.seed,
                    "accuracy": classifier.accuracy,
                    "digest": classifier.digest,
                }
            )

    def _add_shares(self, found: Measured, column: str, measured, name: str):
        names = self.train.class_names
        classes = measured.classifier.classes.tolist()
        for label, share in zip(classes, measured.histograms[name].tolist(), strict=True):
            found.histograms[names[label] if names else str(label)][column].append(share)

    def _classifier(self, seed: int) -> evaluation.FeatureClassifier:
        if seed not in self._classifiers:
            self._classifiers[seed] = evaluation.train_feature_classifier(
                self.train.as_float(),
                self.train.labels,
                seed=seed,
                path=self._path,
                progress=self.progress,
            )
        return self._classifiers[seed]

    @functools.cached_property
    def _both(self):
        """Training and held-out images."""
        return self.train.as_float(), self.held_out.as_float()

    def _features(self, model, images):
        return model.features(images)["e"]

    @functools.cached_property
    def _baselines(self) -> dict[str, dict[str, list[float]]]:
        """The columns of raw pixels and of their principal components."""
        pixels = [images.reshape(len(images), -1) for images in self._both]
        components = min(_COMPONENTS, *pixels[0].shape)
        both = {PIXELS: pixels, PCA: evaluation.pca_features(*pixels, components=components)}
        names = in_groups(self.metrics, "representation")
        return {
            column: self._representation(column, features, names, {})
            for column, features in both.items()
        }

    def _representation(self, column, features, names, left_out) -> dict[str, list[float]]:
        train, held_out = features
        values = defaultdict(list)
        for seed in self.seeds:
            for name in names:
                if seed != self.seeds[0] and name in WITHOUT_SEED:
                    continue
                if name in left_out:
                    continue
                try:
                    measured = evaluation.representation_metrics(
                        *(train, self.train.labels, held_out, self.held_out.labels),
                        metrics=[name],
                        seed=seed,
                    )
                except ValueError as error:  # too few labels, a single class, features all the same
                    left_out[name] = str(error)
                    values.pop(name, None)  # of the seeds before
                    continue
                values[name].append(measured[name])
                if self.progress is not None:
                    self.progress(f"{column}: {name}", names.index(name) + 1, len(names))
        return values

    def _due(self, seed: int, *groups: str) -> list[str]:
        names = in_groups(self.metrics, *groups)
        return [n for n in names if seed == self.seeds[0] or n not in WITHOUT_SEED]

    def _possible(self, model, group: str, left_out: dict[str, str]) -> list[str]:
        names, missing = in_groups(self.metrics, group), self.missing(model)
        left_out.update({name: missing[name] for name in names if name in missing})
        return [name for name in names if name not in missing]

    def missing(self, model: AdversarialModel) -> dict[str, str]:
        """Metric -> what it needs and the model or the data do not have, as "needs labels"."""
        there = {
            "generator": hasattr(model, "generator"),
            "encoder": hasattr(model, "encoder"),
            "classes": build.classifies(model),
            "labels": self.held_out.labels is not None
            and (self.train is None or self.train.labels is not None),
        }
        needs = {
            name: [_NEEDS[part] for part in METRICS[name].needs if not there[part]]
            for name in self.metrics
        }
        return {name: f"needs {' and '.join(parts)}" for name, parts in needs.items() if parts}

    def _stage(self, column: str) -> Progress | None:
        if self.progress is None:
            return None
        return lambda stage, done, total: self.progress(f"{column}: {stage}", done, total)


def while_training(
    config: Config,
    model: AdversarialModel,
    train: data.ImageData | data.StreamedImages,
    held_out: data.ImageData,
) -> tuple[Measurer | None, str | None]:
    """What `--eval_every` measures, and the name of the measurement that picks the best.

    Raises:
        UserError: `--eval_metrics` or `--monitor` names what cannot be measured.
    """
    if not config.eval_every:
        if config.monitor is not None:
            raise UserError(f"--monitor={config.monitor}: nothing is measured with --eval_every=0")
        return None, None
    few = None
    if any("labels" in METRICS[name].needs and name != "accuracy" for name in config.measured):
        few = build.picks(train, _TRAINING_IMAGES)
        few = few.converted(channels=held_out.image_shape[-1])
    measurer = Measurer(few, held_out, config.measured, references=False)
    missing = measurer.missing(model)
    measurer.metrics = tuple(name for name in config.measured if name not in missing)
    for name in sorted(named(config.eval_metrics or "")):
        if name in missing:
            raise UserError(f"--eval_metrics={config.eval_metrics}: {name} {missing[name]}")
    if config.monitored in missing:
        raise UserError(
            f"--monitor={config.monitor}: {config.monitored} {missing[config.monitored]}"
            f"{did_you_mean(config.monitored, measurer.metrics)}"
        )
    monitors = (config.monitored or presets.system(config.model).monitor, presets.System().monitor)
    return measurer, next((name for name in monitors if name in measurer.metrics), None)


def values_of(measurer: Measurer, monitor: str | None) -> Callable[[AdversarialModel], dict]:
    """For `callbacks.Evaluation`: a function from a model to its values.

    What the data or the samples do not allow is left out, with a warning the first time; the
    monitored metric is NaN then, which is never the best. Before the first step, where it would
    stay so, it raises UserError instead.
    """
    told = set()

    def values(model: AdversarialModel) -> dict[str, float]:
        found = measurer.measure(model)
        reasons = found.left_out
        if monitor in reasons and int(model.step.numpy()) == 0:
            raise UserError(f"--monitor={monitor}: {reasons[monitor]}")
        for name in reasons.keys() - told:
            logging.warning("%s left out: %s", name, reasons[name])
        told.update(reasons)
        return found.flat() | ({monitor: math.nan} if monitor in reasons else {})

    return values


def _add(column: dict[str, list[float]], values: dict, several: bool = False):
    for name, value in values.items():
        column[name].extend(value if several else [value])
