"""All metrics of generated images at once, each beside its floor and its ceilings."""

from collections.abc import Callable, Sequence
from functools import partial
from typing import NamedTuple

import numpy as np

from tf_bigan.evaluation.checks import as_class_labels, as_images, check_same_image_shape
from tf_bigan.evaluation.class_histogram import class_histogram, classes_covered
from tf_bigan.evaluation.classifier_score import classifier_score
from tf_bigan.evaluation.feature_classifier import FeatureClassifier, train_feature_classifier
from tf_bigan.evaluation.frechet import frechet_distance
from tf_bigan.evaluation.kernel_distance import kernel_distance
from tf_bigan.evaluation.memorisation import memorisation
from tf_bigan.evaluation.prdc import prdc
from tf_bigan.evaluation.sliced_wasserstein import sliced_wasserstein

GENERATION_METRICS = (
    "fd_classifier",
    "kernel_distance",
    "kernel_distance_error",
    "precision",
    "recall",
    "density",
    "coverage",
    "classifier_score",
    "classes_covered",
    "sliced_wasserstein",
    "memorisation_ratio",
    "memorisation_nearer_train",
)
GENERATION_COLUMNS = ("value", "floor", "ceiling_noise", "ceiling_collapsed")

_LEAST_IMAGES = 20  # the kernel distance takes two of each in ten subsets

Progress = Callable[[str, int, int], None]


class GenerationMetrics(NamedTuple):
    """What `generation_metrics` returns.

    Attributes:
        table: metric -> {"value", "floor", "ceiling_noise", "ceiling_collapsed"}, the chosen of
            both, in the order of `GENERATION_METRICS`.
        histograms: the same columns, and "held_out" -> share of the images that the classifier
            sees in each class [K].
        classifier: the classifier in whose features the images were judged; print its seed,
            accuracy and digest beside the table.
    """

    table: dict[str, dict[str, float]]
    histograms: dict[str, np.ndarray]
    classifier: FeatureClassifier


def generation_metrics(
    train_images,
    train_labels,
    held_out_images,
    samples,
    *,
    classifier: FeatureClassifier | None = None,
    metrics: Sequence[str] = GENERATION_METRICS,
    columns: Sequence[str] = GENERATION_COLUMNS,
    seed: int = 0,
    progress: Progress | None = None,
) -> GenerationMetrics:
    """Measures samples against held-out images, and three known sets in the samples' place.

    - floor: training images, as many as there are samples: what a perfect model would reach. (The
      classifier has seen them, so that they fit a little worse than fresh images would.)
    - ceiling_noise: as many images of independent uniform pixels.
    - ceiling_collapsed: training images of a single class, a model without diversity; at most as
      many, and only those that the data set has.

    Memorisation compares all sets with the training images, but for the collapsed ones, and with
    one half of the held-out images. There, the floor is the other half: read the samples' values
    beside it, not beside 1 and 50. Copies of training images give about 0 and 100.

    Fréchet and kernel distance, precision, recall, density and coverage are taken in the features
    of the classifier, sliced Wasserstein and memorisation in pixels. The values depend on the
    numbers of images: compare equal ones.

    Args:
        train_images: [N, H, W, C] in [0, 1].
        train_labels: their classes [N], integers of at least two classes.
        held_out_images: [M, H, W, C] in [0, 1], M >= 40.
        samples: G(z) [S, H, W, C] in [0, 1], S >= 20.
        classifier: as `train_feature_classifier` gives it; by default one is trained on the
            training images with this seed.
        metrics: names out of `GENERATION_METRICS`; what these do not need is not computed.
        columns: names out of `GENERATION_COLUMNS`; all but "value" are the same for any samples of
            the same number.
        seed: of all random choices.
        progress: called as progress(stage, done, total); the stages are "train classifier" and
            the columns.

    Raises:
        ValueError: for an unknown metric or column, arrays of a wrong shape, range or length, too
            few images, a single class, NaN, or samples that are all the same.
    """
    _check_names("metrics", metrics, GENERATION_METRICS)
    _check_names("columns", columns, GENERATION_COLUMNS)
    train_images = as_images(train_images, "train_images")
    train_labels = as_class_labels(train_labels, "train_labels", len(train_images))
    held_out_images = as_images(held_out_images, "held_out_images")
    samples = as_images(samples, "samples")
    check_same_image_shape(train_images, "train_images", held_out_images, "held_out_images")
    check_same_image_shape(train_images, "train_images", samples, "samples")
    for name, images, least in (
        ("held_out_images", held_out_images, 2 * _LEAST_IMAGES),
        ("samples", samples, _LEAST_IMAGES),
    ):
        if len(images) < least:
            raise ValueError(f"{name}: expected at least {least} images, got {len(images)}")
    if (samples == samples[0]).all():
        raise ValueError("samples: expected images that differ, all are the same")

    rng = np.random.default_rng(seed)
    held_out_halves = np.array_split(rng.permutation(len(held_out_images)), 2)
    order = rng.permutation(len(train_images))
    # Out of one half of them, so that enough of their class are left to be compared with.
    collapsed = _most_frequent_class(order[len(order) // 2 :], train_labels)[: len(samples)]
    compared = np.setdiff1d(order, collapsed)
    if len(collapsed) < _LEAST_IMAGES:
        raise ValueError(
            f"train_images: expected at least {2 * _LEAST_IMAGES} of one class, "
            f"half of them are left and make {len(collapsed)}"
        )
    if classifier is None:
        classifier = train_feature_classifier(
            train_images, train_labels, seed=seed, progress=progress
        )

    galleries = train_images[compared], held_out_images[held_out_halves[0]]
    real_features, real_probabilities = classifier(held_out_images)
    makers = {  # called when their turn comes: the images, and those to ask for memorisation
        "value": lambda: (samples, samples),
        "floor": lambda: (
            train_images[order[: len(samples)]],
            held_out_images[held_out_halves[1]],
        ),
        "ceiling_noise": lambda: 2 * (rng.random(samples.shape, np.float32),),
        "ceiling_collapsed": lambda: 2 * (train_images[collapsed],),
    }
    measured = {name: {} for name in GENERATION_METRICS if name in metrics}
    histograms = {"held_out": class_histogram(real_probabilities)}
    for column in columns:
        images, questioned = makers[column]()
        features, probabilities = classifier(images)
        histograms[column] = class_histogram(probabilities)
        features_both = real_features, features
        functions = {
            ("fd_classifier",): partial(frechet_distance, *features_both),
            ("kernel_distance", "kernel_distance_error"): partial(kernel_distance, *features_both),
            ("precision", "recall", "density", "coverage"): partial(prdc, *features_both),
            ("classifier_score",): partial(classifier_score, probabilities),
            ("classes_covered",): partial(classes_covered, histograms[column]),
            ("sliced_wasserstein",): partial(sliced_wasserstein, held_out_images, images),
            ("memorisation_ratio", "memorisation_nearer_train"): partial(
                memorisation, questioned, *galleries
            ),
        }
        done = 0
        for names, function in functions.items():
            if not measured.keys() & set(names):
                continue
            for name, value in zip(names, np.atleast_1d(function()), strict=True):
                if name in measured:
                    measured[name][column] = float(value)
                    done += 1
                    if progress is not None:
                        progress(column, done, len(measured))
    return GenerationMetrics(measured, histograms, classifier)


def _check_names(argument: str, names: Sequence[str], known: Sequence[str]) -> None:
    for name in names:
        if name not in known:
            raise ValueError(f"{argument}: unknown {name!r}, expected some of {', '.join(known)}")


def _most_frequent_class(rows: np.ndarray, labels: np.ndarray) -> np.ndarray:
    classes, counts = np.unique(labels[rows], return_counts=True)
    return rows[labels[rows] == classes[counts.argmax()]]
