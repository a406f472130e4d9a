"""k-nearest-neighbour classification."""

from __future__ import annotations

import numpy.typing as npt
from sklearn.neighbors import KNeighborsClassifier

from tf_bigan.constraints import Count, check
from tf_bigan.evaluation.checks import Unmeasurable, as_classification


def knn_accuracy(
    train_features: npt.ArrayLike,
    train_labels: npt.ArrayLike,
    test_features: npt.ArrayLike,
    test_labels: npt.ArrayLike,
    *,
    k: Count = 5,
) -> float:
    """Accuracy, in percent, of k-nearest-neighbour classification.

    Euclidean distance on unscaled features; every neighbour has one vote; for equal votes the
    lowest label wins.

    Args:
        train_features: [N, ...] numbers, N >= k.
        train_labels: [N] integers, of at least two classes.
        test_features: [M, ...] numbers.
        test_labels: [M] integers.
        k: number of neighbours, 1..N.

    Raises:
        Unmeasurable: empty, constant or non-finite features, fewer than k rows, unequal widths, a
            wrong number of labels, or a single class.
        UserError: k is below 1.
    """
    check("k", k, Count)
    train, train_labels, test, test_labels = as_classification(
        train_features, train_labels, test_features, test_labels
    )
    if len(train) < k:
        raise Unmeasurable(f"train_features: expected at least k={k} rows, got {len(train)}")
    classifier = KNeighborsClassifier(k, algorithm="brute").fit(train, train_labels)
    return 100 * float(classifier.score(test, test_labels))
