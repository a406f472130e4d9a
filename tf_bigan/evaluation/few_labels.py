"""Which few rows have labels, where labels are few."""

import numpy as np

from tf_bigan.evaluation.checks import as_class_labels, check_count


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
