"""The inputs of the metrics of one model."""

# pyright: reportArgumentType=false, reportReturnType=false
# A part that is None is ruled out by `registry.Metric.needs` before it is used.

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator, Mapping
from functools import cached_property
from typing import Any

import numpy as np
from tqdm import tqdm

from tf_bigan.data.splits import balanced_rows
from tf_bigan.evaluation.checks import (
    Unmeasurable,
    as_class_labels,
    as_image_pairs,
    as_images,
    as_labels,
    check_same_image_shape,
)
from tf_bigan.evaluation.class_agreement import class_agreement
from tf_bigan.evaluation.class_histogram import class_histogram
from tf_bigan.evaluation.clustering import Clustering, clustering, matched_accuracy
from tf_bigan.evaluation.comparison import Comparison
from tf_bigan.evaluation.feature_classifier import FeatureClassifier
from tf_bigan.evaluation.inversion import InversionError, to_uint8_levels
from tf_bigan.evaluation.latent_error import latent_error
from tf_bigan.evaluation.logistic_probe import logistic_probe_accuracy
from tf_bigan.evaluation.memorisation import Memorisation, memorisation
from tf_bigan.evaluation.neighbours import nearest
from tf_bigan.evaluation.random_features import random_features

_NEIGHBOURS = 50_000  # training images of the official NNC and CLS
_LATENT_DRAWS = 10_000  # draws of z for the latent error
_BLOCK_VALUES = 8_000_000  # pixel values generated or encoded per block: 32 MB

Function = Callable[[np.ndarray], np.ndarray]


@dataclasses.dataclass(frozen=True, eq=False)
class Inputs:
    """Images, labels and the functions of a model, as used by the metrics of the registry.

    Shared intermediate results are computed on first use and cached. All arguments except
    `held_out` may be missing; `parts` says what is available.

    Args:
        held_out: images [N, H, W, C], uint8 or floats in [0, 1].
        held_out_labels: their classes [N], integers.
        train: training images [M, H, W, C].
        train_labels: their classes [M].
        generate: draws of z [B, ...] -> G(z) [B, H, W, C] in [0, 1].
        encode: x [B, H, W, C] -> {"e": E's output before the squashing [B, latent_dim], "e-": the
            last hidden layer [B, ...]}. Either key may be missing.
        reconstruct: x -> G(E(x)), both [B, H, W, C] in [0, 1].
        infer: x -> E(x) [B, latent_dim], after the squashing.
        classify: x -> class probabilities [B, K] of the model itself.
        assign: x -> integers [B], the classes that the model has found without labels.
        z: draws of z [S, ...], officially 100,000. NND and EGg use all of them, the group
            "generation" at most the number of held-out images.
        samples: images that replace G(z) in the group "generation".
        questioned: images that replace G(z) only for memorisation.
        features: (of `train` [M, ...], of `held_out` [N, ...]), which replace E's output.
        classifier: for metrics in its features; see `train_feature_classifier`.
        seed: random seed of all random choices.
        progress: show progress bars on a terminal.
    """

    held_out: np.ndarray
    held_out_labels: np.ndarray | None = None
    train: np.ndarray | None = None
    train_labels: np.ndarray | None = None
    _: dataclasses.KW_ONLY
    generate: Function | None = None
    encode: Callable[[np.ndarray], Mapping[str, np.ndarray]] | None = None
    reconstruct: Function | None = None
    infer: Function | None = None
    classify: Function | None = None
    assign: Function | None = None
    z: np.ndarray | None = None
    samples: np.ndarray | None = None
    questioned: np.ndarray | None = None
    features: tuple[np.ndarray, np.ndarray] | None = None
    classifier: FeatureClassifier | None = None
    seed: int = 0
    progress: bool = False

    def __post_init__(self) -> None:
        for name in ("held_out", "train", "samples", "questioned"):
            images = getattr(self, name)
            if images is not None:
                object.__setattr__(self, name, as_images(images, name))
                check_same_image_shape(self.held_out, "held_out", getattr(self, name), name)
        for images, labels in ((self.held_out, "held_out_labels"), (self.train, "train_labels")):
            if getattr(self, labels) is not None:
                count = 0 if images is None else len(images)
                object.__setattr__(self, labels, as_labels(getattr(self, labels), labels, count))

    @cached_property
    def parts(self) -> frozenset[str]:
        """The available parts, in the terms of `registry.Metric.needs`."""
        there = {
            "generator": self.samples is not None or self.generate and self.z is not None,
            "encoder": self.encode is not None or self.features is not None,
            "labels": self.held_out_labels is not None
            and (self.train is None or self.train_labels is not None),
            "train": self.train is not None,
            "classes": self.classify is not None,
            "found": self.assign is not None,
            "classifier": self.classifier is not None,
        }
        return frozenset(part for part, is_there in there.items() if is_there)

    def reseeded(
        self, seed: int, z: np.ndarray | None, classifier: FeatureClassifier | None
    ) -> Inputs:
        """The same model and images with another seed. What is cached of the images is reused."""
        return self._copied("_encoded", "_random_real", seed=seed, z=z, classifier=classifier)

    def _given(self, name: str) -> Any:
        """An argument that a metric needs besides its `parts`. Raises Unmeasurable without it."""
        value = getattr(self, name)
        if value is None:
            raise Unmeasurable(f"needs the argument {name} of Inputs")
        return value

    def _copied(self, *kept: str, **changes) -> Inputs:
        """A copy with these changes. What is cached of the kept results is reused."""
        copied = dataclasses.replace(self, **changes)
        copied.__dict__.update({name: vars(self)[name] for name in kept if name in vars(self)})
        return copied

    # The official metrics

    @cached_property
    def _nearest_samples(self) -> dict[int, np.ndarray]:
        return {0: np.full(len(self.held_out), np.inf)}

    def nnd(self, divisor: int) -> float:
        """Mean distance of a held-out image to the nearest of the first 1 / `divisor` samples."""
        draws = len(self._given("z"))
        end = draws // divisor
        if end == 0:
            raise Unmeasurable(f"z: expected at least {divisor} draws, got {draws}")
        known = self._nearest_samples
        start = max(count for count in known if count <= end)
        distances = known[start]
        for samples in self._generated(start, end):
            distances = np.minimum(distances, nearest(self.held_out, samples)[0])
        known[end] = distances
        return float(distances.mean())

    @cached_property
    def inversion(self) -> tuple[float, float]:
        """EGr and its baseline."""
        error, reconstruct = InversionError(), self._given("reconstruct")
        for rows in self._blocks(len(self.held_out), "reconstruct"):
            error.update(self.held_out[rows], reconstruct(self.held_out[rows]))
        return error.result()

    @cached_property
    def sample_inversion(self) -> tuple[float, float]:
        """EGg and its baseline."""
        error, reconstruct = InversionError(), self._given("reconstruct")
        for samples in self._generated(0, len(self._given("z"))):
            rounded = to_uint8_levels(samples)
            error.update(rounded, reconstruct(rounded))
        return error.result()

    def official_classification(self, layer: str) -> tuple[np.ndarray, ...]:
        """As `classification`, with at most 50,000 training images.

        These are the first images. If a class has less than half of its share among them, as in a
        file sorted by class, a fixed random subset of all images is used.
        """
        train, labels, held_out, held_out_labels = self.classification(layer)
        rows = np.arange(min(_NEIGHBOURS, len(labels)))
        classes, counts = np.unique(labels, return_counts=True)
        first = np.array([np.mean(labels[rows] == name) for name in classes])
        if (first < counts / len(labels) / 2).any():
            rows = np.sort(np.random.default_rng(0).permutation(len(labels))[:_NEIGHBOURS])
        return train[rows], labels[rows], held_out, held_out_labels

    @cached_property
    def latent(self) -> tuple[float, float]:
        """The latent error and its baseline."""
        z, infer = self._given("z")[:_LATENT_DRAWS], self._given("infer")
        blocks = [infer(samples) for samples in self._generated(0, len(z))]
        return latent_error(z, np.concatenate(blocks))

    @cached_property
    def accuracy(self) -> float:
        """Accuracy in % of the model's own classifier on the held-out images."""
        found = np.argmax(self.classify(self.held_out), axis=-1)
        found = as_labels(found, "classify(x)", len(self.held_out))
        return 100 * float(np.mean(found == self.held_out_labels))

    @cached_property
    def code_accuracy(self) -> float:
        """Accuracy in % of the classes that the model has found, matched with those of the data."""
        return matched_accuracy(self.assign(self.held_out), self.held_out_labels)

    @cached_property
    def class_agreement(self) -> float:
        """% of held-out images whose reconstruction has the same class for the classifier."""
        probabilities, reconstruct = [], self._given("reconstruct")
        for rows in self._blocks(len(self.held_out), "reconstruct"):
            x = self.held_out[rows]
            _, x_rec = as_image_pairs(x, reconstruct(x))
            probabilities.append(self.classifier(x_rec)[1])
        return class_agreement(self.real[1], np.concatenate(probabilities))

    # Representation

    def classification(self, layer: str | None = None) -> tuple[np.ndarray, ...]:
        """Training features and labels, held-out features and labels, from a layer of E.

        By default that is its last hidden layer, "e-", which suits a linear classifier better than
        its output, "e"; or that, if E names no hidden layer.
        """
        if layer is None:
            hidden = self.features is None and "e-" in self.encode(self.held_out[:1])
            layer = "e-" if hidden else "e"
        train, held_out = self._features(layer)
        return train, self.train_labels, held_out, self.held_out_labels

    def probe(self, count: int) -> float:
        """Accuracy in % of a logistic regression on `count` labelled examples, class-balanced."""
        train, labels, *held_out = self.classification()
        as_class_labels(labels, "train_labels", len(labels))
        classes = len(np.unique(labels))
        if classes > count:
            raise Unmeasurable(f"train_labels: {count} labels are too few for {classes} classes")
        if count > len(labels):
            raise Unmeasurable(f"train_labels: expected at least {count} labels, got {len(labels)}")
        rows = balanced_rows(labels, count, self.seed)
        return logistic_probe_accuracy(train[rows], labels[rows], *held_out)

    @cached_property
    def clustering(self) -> Clustering:
        """How well k-means clusters of the held-out features match their classes."""
        return clustering(*self.classification()[2:], seed=self.seed)

    @cached_property
    def _encoded(self) -> dict[str, tuple[np.ndarray, np.ndarray]]:
        return {}

    def _features(self, layer: str) -> tuple[np.ndarray, np.ndarray]:
        if self.features is not None:
            return self.features
        if layer not in self._encoded:
            both = (self.train, self.held_out)
            train, held_out = (self._encode_images(images, layer) for images in both)
            self._encoded[layer] = train, held_out
        return self._encoded[layer]

    def _encode_images(self, images: np.ndarray, layer: str) -> np.ndarray:
        blocks = []
        for rows in self._blocks(len(images), "encode"):
            features = self.encode(images[rows])
            if layer not in features:
                raise Unmeasurable(f"the encoder has no layer {layer!r}")
            blocks.append(np.asarray(features[layer]))
        return np.concatenate(blocks)

    # Generation

    @cached_property
    def sample_images(self) -> np.ndarray:
        """The samples to measure, [S, H, W, C]."""
        if self.samples is not None:
            return self.samples
        count = min(len(self.z), len(self.held_out))
        return np.concatenate(list(self._generated(0, count)))

    @cached_property
    def real(self) -> tuple[np.ndarray, np.ndarray]:
        """The classifier's features [N, D] and probabilities [N, K] of the held-out images."""
        return self.classifier(self.held_out)

    @cached_property
    def fake(self) -> tuple[np.ndarray, np.ndarray]:
        """The classifier's features and probabilities of the samples."""
        return self.classifier(self.sample_images)

    @cached_property
    def histogram(self) -> np.ndarray:
        """Fraction of samples that the classifier assigns to each class, [K]."""
        return class_histogram(self.fake[1])

    @cached_property
    def in_classifier(self) -> Comparison:
        """Held-out images and samples in the classifier's features."""
        return Comparison(self.real[0], self.fake[0], self.seed)

    @cached_property
    def in_random(self) -> Comparison:
        """Held-out images and samples in the features of an untrained network."""
        return Comparison(self._random_real, random_features(self.sample_images), self.seed)

    @cached_property
    def _random_real(self) -> np.ndarray:
        return random_features(self.held_out)

    @cached_property
    def memorisation(self) -> Memorisation:
        """Memorisation of the samples, in pixels; see `references`."""
        halves, compared, _ = self._split
        asked = self.sample_images if self.questioned is None else self.questioned
        return memorisation(asked, self.train[compared], self.held_out[halves[0]])

    @cached_property
    def _split(self) -> tuple[list[np.ndarray], np.ndarray, np.ndarray]:
        """(halves of the held-out rows, training rows to compare with, training rows of one class).

        The rows of one class are taken from one half of the training images, so that enough images
        of their class remain for the comparison.
        """
        rng = np.random.default_rng(self.seed)
        halves = np.array_split(rng.permutation(len(self.held_out)), 2)
        order = rng.permutation(len(self.train))
        one_class = np.zeros(0, np.int64)
        if self.train_labels is not None:
            half = order[len(order) // 2 :]
            classes, counts = np.unique(self.train_labels[half], return_counts=True)
            one_class = half[self.train_labels[half] == classes[counts.argmax()]]
            one_class = one_class[: len(self.sample_images)]
        return halves, np.setdiff1d(order, one_class), one_class

    def references(self) -> dict[str, Inputs]:
        """Reference values: known images instead of samples, in equal number (floor and ceilings).

        - "floor": training images, like a perfect model. (The classifier was trained on them, so
          that the values are slightly worse than for new images.)
        - "noise": images of independent uniform pixels.
        - "one class": training images of a single class, like a model without diversity; there may
          be fewer images in the data set. Needs labels.

        Memorisation compares all sets with the training images, except those of "one class", and
        with one half of the held-out images; its floor is the other half. Compare the samples'
        values with this floor, not with 1 and 50.
        """
        halves, _, one_class = self._split
        rng = np.random.default_rng([self.seed, 1])
        order = rng.permutation(len(self.train))
        count = len(self.sample_images)

        def with_samples(samples: np.ndarray, questioned: np.ndarray | None = None) -> Inputs:
            return self._copied("real", "_random_real", samples=samples, questioned=questioned)

        found = {
            "floor": with_samples(self.train[order[:count]], self.held_out[halves[1]]),
            "noise": with_samples(rng.random(self.sample_images.shape, np.float32)),
        }
        if len(one_class):
            found["one class"] = with_samples(self.train[one_class])
        return found

    # Blocks

    def _blocks(self, count: int, what: str, start: int = 0) -> Iterator[slice]:
        step = max(1, _BLOCK_VALUES // self.held_out[0].size)
        disable = None if self.progress else True
        for begin in tqdm(range(start, count, step), what, leave=False, disable=disable):
            yield slice(begin, min(begin + step, count))

    def _generated(self, start: int, end: int) -> Iterator[np.ndarray]:
        generate, z = self._given("generate"), self._given("z")
        for rows in self._blocks(end, "generate", start):
            samples = as_images(generate(z[rows]), "generate(z)")
            expected = (rows.stop - rows.start, *self.held_out.shape[1:])
            if samples.shape != expected:
                raise Unmeasurable(f"generate(z): expected images {expected}, got {samples.shape}")
            yield samples
