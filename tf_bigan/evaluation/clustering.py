"""Do k-means clusters of features match the classes? Accuracy, NMI and ARI."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from scipy.optimize import linear_sum_assignment
from sklearn.cluster import KMeans
from sklearn.metrics import adjusted_rand_score, normalized_mutual_info_score
from sklearn.metrics.cluster import contingency_matrix

from tf_bigan.constraints import Seed, check
from tf_bigan.evaluation.checks import Unmeasurable, as_class_labels, as_features, as_labels


class Clustering(NamedTuple):
    """How well clusters match the classes; all are 1 (100 %) only if they are the same.

    accuracy: in percent, see `matched_accuracy`.
    nmi: normalised mutual information I(c; y) / (½(H(c) + H(y))) of cluster c and class y, in
        [0, 1] (Strehl & Ghosh 2002, here with the arithmetic mean). Not adjusted for chance: with
        few rows it is above 0 for random clusters.
    ari: adjusted Rand index, (R - E[R]) / (max R - E[R]) with R the pairs of rows that are together
        in both (Hubert & Arabie 1985). In [-½, 1]; 0 on average for random clusters.
    """

    accuracy: float
    nmi: float
    ari: float


def clustering(features: npt.ArrayLike, labels: npt.ArrayLike, *, seed: Seed = 0) -> Clustering:
    """Matches k-means clusters of features with the classes.

    As many clusters as classes, Euclidean distance on unscaled features, the best of ten runs of
    k-means++. The three values are of the same clusters.

    Args:
        features: [N, ...] numbers.
        labels: [N] integers, of at least two classes.
        seed: random seed of the initial centres.

    Raises:
        Unmeasurable: empty, constant or non-finite features, a wrong number of labels, or a
            single class.
        UserError: seed is out of range.
    """
    check("seed", seed, Seed)
    features = as_features(features, "features")
    labels = as_class_labels(labels, "labels", len(features))
    means = KMeans(len(np.unique(labels)), n_init=10, random_state=seed).fit(features)
    return Clustering(
        accuracy=matched_accuracy(means.labels_, labels),
        nmi=float(normalized_mutual_info_score(labels, means.labels_)),
        ari=float(adjusted_rand_score(labels, means.labels_)),
    )


def clustering_accuracy(features: npt.ArrayLike, labels: npt.ArrayLike, *, seed: Seed = 0) -> float:
    """The accuracy of `clustering`, in percent."""
    return clustering(features, labels, seed=seed).accuracy


def matched_accuracy(assignments: npt.ArrayLike, labels: npt.ArrayLike) -> float:
    """Percentage of rows in the class of their cluster, under the best one-to-one matching.

    A cluster is matched with at most one class and a class with at most one cluster (the Hungarian
    algorithm); rows of clusters without a class count as errors.

    Args:
        assignments: cluster of each row, [N] integers of any values, N >= 1.
        labels: class of each row, [N] integers of any values.

    Raises:
        Unmeasurable: arrays of a wrong form or unequal lengths.
    """
    assignments = np.asarray(assignments)
    assignments = as_labels(assignments, "assignments", assignments.size)
    labels = as_labels(labels, "labels", len(assignments))
    if len(labels) == 0:
        raise Unmeasurable("labels: expected at least one row")
    counts = contingency_matrix(labels, assignments)
    return 100 * float(counts[linear_sum_assignment(counts, maximize=True)].sum() / len(labels))
