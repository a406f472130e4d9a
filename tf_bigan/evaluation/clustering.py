"""Clustering accuracy: do the classes show without any label?"""

import numpy as np

from tf_bigan.evaluation.checks import as_class_labels, as_features, as_labels, check_count


def clustering_accuracy(features, labels, *, clusters: int | None = None, seed: int = 0) -> float:
    """Accuracy, in percent, of k-means clusters under the best matching of clusters and classes.

    Euclidean distance on the features as they are; the best of ten runs of k-means++.

    Args:
        features: [N, ...] numbers.
        labels: [N] integers, of at least two classes.
        clusters: how many, from 2 to N; by default as many as there are classes.
        seed: of the starting points.

    Raises:
        ValueError: for empty, constant or non-finite features, a wrong number of labels, a single
            class, or another number of clusters.
    """
    from sklearn.cluster import KMeans

    features = as_features(features, "features")
    labels = as_class_labels(labels, "labels", len(features))
    if clusters is None:
        clusters = len(np.unique(labels))
    check_count(clusters, "clusters", 2, len(features))
    means = KMeans(clusters, n_init=10, random_state=seed).fit(features)
    return matched_accuracy(means.labels_, labels)


def matched_accuracy(assignments, labels) -> float:
    """Percentage of rows in the class of their cluster, under the best one-to-one matching.

    A cluster is matched with at most one class and a class with at most one cluster (Kuhn's
    Hungarian method); rows of clusters without a class count as errors.

    Args:
        assignments: cluster of each row, [N] integers of any values, N >= 1.
        labels: class of each row, [N] integers of any values.

    Raises:
        ValueError: for arrays of another form or unequal lengths.
    """
    from scipy.optimize import linear_sum_assignment
    from sklearn.metrics.cluster import contingency_matrix

    assignments = np.asarray(assignments)
    assignments = as_labels(assignments, "assignments", assignments.size)
    labels = as_labels(labels, "labels", len(assignments))
    if len(labels) == 0:
        raise ValueError("labels: expected at least one row")
    counts = contingency_matrix(labels, assignments)
    return 100 * float(counts[linear_sum_assignment(counts, maximize=True)].sum() / len(labels))
