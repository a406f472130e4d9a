"""Accuracy against the number of labels: what a representation is worth where labels are few."""

from collections.abc import Callable, Sequence

import numpy as np

from tf_bigan.evaluation.checks import as_class_labels, as_rows, check_count


def accuracy_by_label_count(
    accuracy: Callable[..., float],
    train_features,
    train_labels,
    test_features,
    test_labels,
    *,
    label_counts: Sequence[int | None] = (100, 1000, None),
    seed: int = 0,
) -> dict[str, float]:
    """Runs a classifier metric with only some of the training rows.

    Args:
        accuracy: a function of (train_features, train_labels, test_features, test_labels), such as
            `logistic_probe_accuracy`, `knn_accuracy` or `one_nn_accuracy`.
        train_features: [N, ...] numbers.
        train_labels: [N] integers, of at least two classes.
        test_features: [M, ...] numbers.
        test_labels: [M] integers.
        label_counts: numbers of training rows, from the number of classes to N; None takes all.
        seed: of the choice of rows.

    Returns:
        {"100": accuracy, ..., "all": accuracy} in the order of `label_counts`.

    Raises:
        ValueError: for a count that the training rows do not allow, and as `accuracy` does.
    """
    train_features = as_rows(train_features, "train_features")
    train_labels = as_class_labels(train_labels, "train_labels", len(train_features))
    values = {}
    for count in label_counts:
        rows = slice(None) if count is None else balanced_rows(train_labels, count, seed=seed)
        values["all" if count is None else str(count)] = accuracy(
            train_features[rows], train_labels[rows], test_features, test_labels
        )
    return values


def balanced_rows(labels, count: int, *, seed: int = 0) -> np.ndarray:
    """Random row numbers [count], ascending, in which the classes are equally frequent.

    Classes with too few rows give all they have. The rows for a smaller count are among those for
    a larger one.

    Args:
        labels: [N] integers, of at least two classes.
        count: from the number of classes to N.
        seed: of the choice.

    Raises:
        ValueError: for labels of another form, a single class, or another count.
    """
    labels = np.asarray(labels)
    labels = as_class_labels(labels, "labels", len(labels) if labels.ndim else 0)
    check_count(count, "label count", len(np.unique(labels)), len(labels))
    order = np.random.default_rng(seed).permutation(len(labels))
    turn = np.empty(len(labels), np.int64)  # a row's place among the rows of its class
    for label in np.unique(labels):
        rows = order[labels[order] == label]
        turn[rows] = np.arange(len(rows))
    # All first rows of the classes, then all second ones; in random order within a turn.
    return np.sort(order[np.argsort(turn[order], kind="stable")][:count])
