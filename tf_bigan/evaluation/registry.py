"""All metrics, one per row: requirements, direction, and how to compute each."""

from __future__ import annotations

from collections.abc import Callable, Container, Iterable
from typing import Literal, NamedTuple

from tf_bigan.errors import UserError, did_you_mean
from tf_bigan.evaluation.checks import Unmeasurable
from tf_bigan.evaluation.class_histogram import classes_covered
from tf_bigan.evaluation.classifier_score import classifier_score
from tf_bigan.evaluation.comparison import Comparison
from tf_bigan.evaluation.inputs import Inputs
from tf_bigan.evaluation.knn import knn_accuracy
from tf_bigan.evaluation.logistic_probe import logistic_probe_accuracy
from tf_bigan.evaluation.one_nn import one_nn_accuracy
from tf_bigan.evaluation.probe import linear_probe_accuracy
from tf_bigan.evaluation.sliced_wasserstein import sliced_wasserstein

NEEDS = {
    "generator": "a generator",
    "encoder": "an encoder",
    "classes": "a system that classifies",
    "found": "a system with a categorical code",
    "labels": "labels",
    "train": "training images",
    "classifier": "a classifier of the images",
}


class Metric(NamedTuple):
    """A row of the registry.

    name: the name in commands and files.
    group: metrics of a group are selected and shown together.
    better: "lower", "higher", or "" if neither is better.
    needs: keys of `NEEDS`.
    function: Inputs -> value.
    about: a short description.
    seeded: whether it uses random numbers, so that there is one value per random seed.
    digits: decimals to show; more for small values.
    """

    name: str
    group: str
    better: Literal["lower", "higher", ""]
    needs: tuple[str, ...]
    function: Callable[[Inputs], float]
    about: str
    seeded: bool = True
    digits: int = 2

    def missing(self, parts: Container[str]) -> str | None:
        """ "needs an encoder and labels", or None if nothing is missing."""
        lacking = [text for part, text in NEEDS.items() if part in self.needs and part not in parts]
        return f"needs {' and '.join(lacking)}" if lacking else None

    def measure(self, inputs: Inputs) -> float:
        """The value. Raises Unmeasurable if the inputs do not allow it."""
        missing = self.missing(inputs.parts)
        if missing:
            raise Unmeasurable(missing)
        return float(self.function(inputs))


_G, _E, _EG = ("generator",), ("encoder", "labels", "train"), ("encoder", "generator")
_C = ("generator", "labels", "train", "classifier")  # in the features of a classifier
_M = ("generator", "train")
_NND = "mean distance of a held-out image to the nearest of "
_WRONG = "its baseline: the same for wrong pairs"


def _official(layer: str) -> Callable[[Inputs], float]:
    return lambda i: one_nn_accuracy(*i.official_classification(layer))


def _likeness(
    space: str, suffix: str, needs: tuple[str, ...], of: Callable[[Inputs], Comparison], where: str
) -> tuple[Metric, ...]:
    """How like the held-out images the samples are, in one feature space."""
    there = f"in the features of fd_{space}"

    def metric(
        name: str,
        better: Literal["lower", "higher", ""],
        value: Callable[[Comparison], float],
        about: str,
        digits: int = 2,
    ) -> Metric:
        return Metric(
            name, "generation", better, needs, lambda i: value(of(i)), about, digits=digits
        )

    # fmt: off
    return (
        metric(f"fd_{space}", "lower", lambda c: c.frechet_distance,
               f"FID-like: Fréchet distance {where}"),
        metric(f"kernel_distance{suffix}", "lower", lambda c: c.kernel_distance.value,
               f"KID-like: unbiased squared MMD with a cubic kernel, {there}"),
        metric(f"kernel_distance_error{suffix}", "", lambda c: c.kernel_distance.standard_error,
               "its standard error"),
        metric(f"precision{suffix}", "higher", lambda c: c.prdc.precision,
               f"fraction of samples in the neighbourhoods of real images, {there}", 3),
        metric(f"recall{suffix}", "higher", lambda c: c.prdc.recall,
               f"fraction of real images in the neighbourhoods of samples, {there}", 3),
        metric(f"density{suffix}", "higher", lambda c: c.prdc.density,
               "density of samples around real images; about 1 for equal distributions, "
               f"{there}", 3),
        metric(f"coverage{suffix}", "higher", lambda c: c.prdc.coverage,
               f"fraction of real images with a sample in their neighbourhood, {there}", 3),
    )
    # fmt: on


# fmt: off
_ROWS = (
    Metric("NND/100", "official", "lower", _G, lambda i: i.nnd(100), _NND + "1 % of the samples"),
    Metric("NND/10", "official", "lower", _G, lambda i: i.nnd(10), _NND + "10 % of the samples"),
    Metric("NND", "official", "lower", _G, lambda i: i.nnd(1), _NND + "all samples"),
    Metric("NNC_e", "official", "higher", _E, _official("e"),
           "1-NN accuracy in E's output before squashing, %", seeded=False),
    Metric("NNC_e-", "official", "higher", _E, _official("e-"),
           "1-NN accuracy in E's last hidden layer, %", seeded=False),
    Metric("CLS_e-", "official", "higher", _E,
           lambda i: linear_probe_accuracy(*i.official_classification("e-"), seed=i.seed),
           "accuracy of a linear probe of 1,000 steps on that layer, %"),
    Metric("EGr", "official", "lower", _EG, lambda i: i.inversion[0],
           "mean ‖x − G(E(x))‖ of held-out images", seeded=False),
    Metric("EGr_b", "official", "", _EG, lambda i: i.inversion[1], _WRONG, seeded=False),
    Metric("EGg", "official", "lower", _EG, lambda i: i.sample_inversion[0],
           "mean ‖x − G(E(x))‖ of samples"),
    Metric("EGg_b", "official", "", _EG, lambda i: i.sample_inversion[1], _WRONG),
    Metric("latent_error", "latent", "lower", _EG, lambda i: i.latent[0], "mean ‖z − E(G(z))‖"),
    Metric("latent_error_b", "latent", "", _EG, lambda i: i.latent[1], _WRONG),
    Metric("class_agreement", "reconstruction", "higher", (*_E, "generator", "classifier"),
           lambda i: i.class_agreement,
           "reconstructions that keep the class of their image, for a classifier of the data, %"),
    Metric("accuracy", "accuracy", "higher", ("classes", "labels"), lambda i: i.accuracy,
           "accuracy of the system's own classifier, %", seeded=False),
    Metric("code_accuracy", "accuracy", "higher", ("found", "labels"), lambda i: i.code_accuracy,
           "accuracy of its categorical code, whose classes are matched with the data's, %",
           seeded=False),
    *_likeness("classifier", "", _C, lambda i: i.in_classifier,
               "in the features of a classifier of the data's own classes"),
    Metric("classifier_score", "generation", "higher", _C,
           lambda i: classifier_score(i.fake[1]),
           "Inception-Score-like, with that classifier, of one split: from 1 to the number of "
           "classes; few samples lower it"),
    Metric("classes_covered", "generation", "higher", _C, lambda i: classes_covered(i.histogram),
           "classes with at least a tenth of an equal share", digits=0),
    *_likeness("random", "_random", _G, lambda i: i.in_random,
               "in the features of an untrained network, always the same one; needs no labels"),
    Metric("sliced_wasserstein", "generation", "lower", _G,
           lambda i: sliced_wasserstein(i.held_out, i.sample_images),
           "sliced Wasserstein distance in pixels, along random directions"),
    Metric("memorisation_ratio", "generation", "", _M, lambda i: i.memorisation.ratio,
           "distance to training images / to held-out images; compare with the floor"),
    Metric("memorisation_nearer_train", "generation", "", _M,
           lambda i: i.memorisation.nearer_train,
           "% of samples nearer to training images; compare with the floor"),
    Metric("one_nn", "representation", "higher", _E,
           lambda i: one_nn_accuracy(*i.classification()),
           "1-NN accuracy, %", seeded=False),
    Metric("knn", "representation", "higher", _E, lambda i: knn_accuracy(*i.classification()),
           "5-NN accuracy, %", seeded=False),
    Metric("probe_100", "representation", "higher", _E, lambda i: i.probe(100),
           "accuracy of a logistic regression with 100 labelled examples, %"),
    Metric("probe_1000", "representation", "higher", _E, lambda i: i.probe(1000),
           "accuracy of a logistic regression with 1,000 labelled examples, %"),
    Metric("probe_all", "representation", "higher", _E,
           lambda i: logistic_probe_accuracy(*i.classification()),
           "accuracy of a logistic regression with all labels, %", seeded=False),
    Metric("clustering", "representation", "higher", _E,
           lambda i: i.clustering.accuracy,
           "accuracy of k-means clusters matched with the classes, %"),
    Metric("clustering_nmi", "representation", "higher", _E, lambda i: i.clustering.nmi,
           "NMI: normalised mutual information of these clusters and the classes", digits=3),
    Metric("clustering_ari", "representation", "higher", _E, lambda i: i.clustering.ari,
           "ARI: adjusted Rand index of these clusters and the classes; 0 by chance", digits=3),
)
# fmt: on

METRICS: dict[str, Metric] = {metric.name: metric for metric in _ROWS}
GROUPS = tuple(dict.fromkeys(metric.group for metric in _ROWS))
DEFAULT = "official,accuracy"
# What many will type. The originals are in the features of a network that has to be downloaded.
LIKE = {
    "fid": "fd_classifier, or fd_random without labels",
    "kid": "kernel_distance, or kernel_distance_random without labels",
    "is": "classifier_score",
}


def in_groups(names: Iterable[str], *groups: str) -> tuple[str, ...]:
    """The metrics that belong to the groups."""
    return tuple(name for name in names if METRICS[name].group in groups)


def choose(text: str, option: str = "metrics") -> tuple[str, ...]:
    """Parses names, groups and "all", separated by commas, into names.

    Raises UserError for unknown names; the message names the option.
    """
    names = []
    for part in (part.strip() for part in text.split(",")):
        if part in METRICS:
            names.append(part)
        elif part == "all" or part in GROUPS:
            names += [name for name, metric in METRICS.items() if part in ("all", metric.group)]
        else:
            hint = did_you_mean(part, {"all", *GROUPS, *METRICS})
            if part.lower() in LIKE:
                hint = f"; what is like it is {LIKE[part.lower()]}"
            raise UserError(f"{option}={text}: {part!r} is unknown{hint}")
    return tuple(dict.fromkeys(names))


def named(text: str) -> set[str]:
    """The metrics in a text that are named individually, not by a group."""
    return {part.strip() for part in text.split(",")} & METRICS.keys()


def compute(metrics: Iterable[str], inputs: Inputs) -> tuple[dict[str, float], dict[str, str]]:
    """Computes metrics by their names.

        inputs = Inputs(x_test, generate=model.generate, z=z, reconstruct=model.reconstruct, ...)
        values, left_out = compute(["NND", "EGr"], inputs)

    Returns:
        {metric: value}, and {metric: reason} for metrics that the inputs do not allow.

    Raises:
        UserError: a name is unknown.
    """
    values, left_out = {}, {}
    for name in metrics:
        if name not in METRICS:
            raise UserError(f"metrics={name} is unknown{did_you_mean(name, METRICS)}")
        try:
            values[name] = METRICS[name].measure(inputs)
        except Unmeasurable as error:
            left_out[name] = str(error)
    return values, left_out
