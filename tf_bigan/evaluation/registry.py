"""The names of all metrics: which group computes each, what it needs, which way is better.

No TensorFlow here: a wrong name is answered at once. The functions are in `tf_bigan.evaluation`.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from tf_bigan.errors import UserError, did_you_mean


class Metric(NamedTuple):
    """What is known of a metric before it is measured.

    group: the function that computes it.
    needs: of "generator", "encoder", "labels" (of the images) and "classes" (named by the model).
    better: "lower", "higher", or "" where neither is better by itself.
    about: what it says, in a few words.
    """

    group: str
    needs: tuple[str, ...]
    better: str
    about: str


def _metrics(group: str, *needs: str, **rows: tuple[str, str]) -> dict[str, Metric]:
    return {name: Metric(group, needs, *row) for name, row in rows.items()}


_TO_SAMPLES = "mean distance of a held-out image to the nearest of "
_WRONG_PAIRS = "the same for wrong pairs, its baseline"

METRICS: dict[str, Metric] = {
    **_metrics(
        "official",
        "generator",
        **{
            "NND/100": ("lower", f"{_TO_SAMPLES}a hundredth of the samples"),
            "NND/10": ("lower", f"{_TO_SAMPLES}a tenth of the samples"),
            "NND": ("lower", f"{_TO_SAMPLES}all samples"),
        },
    ),
    **_metrics(
        "official",
        *("encoder", "labels"),
        **{
            "NNC_e": ("higher", "% right by the nearest neighbour in E's output before squashing"),
            "NNC_e-": ("higher", "% right by the nearest neighbour in E's last hidden layer"),
            "CLS_e-": ("higher", "% right by a linear head of 1,000 steps on that layer"),
        },
    ),
    **_metrics(
        "official",
        *("encoder", "generator"),
        EGr=("lower", "mean ‖x − G(E(x))‖ of held-out images"),
        EGr_b=("", _WRONG_PAIRS),
        EGg=("lower", "mean ‖x − G(E(x))‖ of samples"),
        EGg_b=("", _WRONG_PAIRS),
    ),
    **_metrics(
        "latent",
        *("encoder", "generator"),
        latent_error=("lower", "mean ‖z − E(G(z))‖"),
        latent_error_b=("", _WRONG_PAIRS),
    ),
    **_metrics(
        "accuracy",
        *("classes", "labels"),
        accuracy=("higher", "% right of the system's own answer"),
    ),
    **_metrics(
        "generation",
        *("generator", "labels"),
        fd_classifier=("lower", "Fréchet distance in the features of a classifier"),
        kernel_distance=("lower", "unbiased squared MMD there, with a cubic kernel"),
        kernel_distance_error=("", "its standard error"),
        precision=("higher", "share of samples among the real images"),
        recall=("higher", "share of real images among the samples"),
        density=("higher", "how full real neighbourhoods are of samples, about 1"),
        coverage=("higher", "share of real neighbourhoods that hold a sample"),
        classifier_score=("higher", "recognisable and of all classes, from 1 to their number"),
        classes_covered=("higher", "classes with a tenth of their share or more"),
        sliced_wasserstein=("lower", "transport in pixels along random directions"),
        memorisation_ratio=("", "distance to training over held-out images; see the floor"),
        memorisation_nearer_train=("", "% of samples nearer to training images; see the floor"),
    ),
    **_metrics(
        "representation",
        *("encoder", "labels"),
        one_nn=("higher", "% right by the nearest neighbour"),
        knn=("higher", "% right by the five nearest neighbours"),
        probe_100=("higher", "% right by a logistic regression on 100 labels"),
        probe_1000=("higher", "% right by a logistic regression on 1,000 labels"),
        probe_all=("higher", "% right by a logistic regression on all labels"),
        clustering=("higher", "% right by k-means clusters matched with the classes"),
    ),
}
GROUPS = tuple(dict.fromkeys(metric.group for metric in METRICS.values()))
DEFAULT = "official,accuracy"
# No random choice is in these: the same for every seed of a measurement.
WITHOUT_SEED = frozenset(
    ("EGr", "EGr_b", "NNC_e", "NNC_e-", "accuracy", "one_nn", "knn", "probe_all")
)


def in_groups(chosen: Iterable[str], *groups: str) -> tuple[str, ...]:
    """Those of the chosen metrics that the groups compute."""
    return tuple(name for name in chosen if METRICS[name].group in groups)


def choose(text: str, option: str) -> tuple[str, ...]:
    """The names in a text of names, groups and "all", with commas between.

    Raises UserError for anything else, naming the option.
    """
    names = []
    for part in (part.strip() for part in text.split(",")):
        if part in METRICS:
            names.append(part)
        elif part == "all" or part in GROUPS:
            names += [name for name, metric in METRICS.items() if part in ("all", metric.group)]
        else:
            known = {"all", *GROUPS, *METRICS}
            raise UserError(f"--{option}: {part!r} is unknown{did_you_mean(part, known)}")
    return tuple(dict.fromkeys(names))


def named(text: str) -> set[str]:
    """The metrics that a text names one by one: it is a mistake if they cannot be had."""
    return {part.strip() for part in text.split(",")} & METRICS.keys()
