"""Linear probe: a logistic regression on fixed features, trained until it converges."""

import numpy as np

from tf_bigan.evaluation.checks import (
    as_class_labels,
    as_features,
    as_labels,
    as_rows,
    check_same_width,
)

# Of the mean loss's gradient. At scikit-learn's 1e-4, MNIST's pixels take several times as long.
_TOLERANCE = 1e-3


def logistic_probe_accuracy(
    train_features, train_labels, test_features, test_labels, *, max_iter: int = 1000
) -> float:
    """Test accuracy, in percent, of scikit-learn's logistic regression on fixed features.

    A fixed protocol to compare representations with: the training rows' mean is taken off, all
    values are divided by one number that makes the mean variance 1, and the regression has its
    default penalty (C = 1). The value hence does not depend on the features' origin, scale or
    rotation, nor on a seed. (`linear_probe_accuracy` is the official one, of a fixed number of
    steps, and does depend on the scale.)

    Args:
        train_features: [N, ...] numbers.
        train_labels: [N] integers, of at least two classes.
        test_features: [M, ...] numbers.
        test_labels: [M] integers; a class that is not in train_labels counts as an error.
        max_iter: iterations of L-BFGS, at most.

    Raises:
        ValueError: for empty, constant or non-finite features, unequal widths, a wrong number of
            labels, or a single class.
    """
    from sklearn.linear_model import LogisticRegression

    train_features = as_features(train_features, "train_features")
    test_features = as_rows(test_features, "test_features")
    check_same_width(train_features, "train_features", test_features, "test_features")
    train_labels = as_class_labels(train_labels, "train_labels", len(train_features))
    test_labels = as_labels(test_labels, "test_labels", len(test_features))
    # In float32 the squares of large or small values would overflow, or be 0.
    mean = train_features.mean(axis=0, dtype=np.float64)
    scale = np.sqrt(train_features.var(axis=0, dtype=np.float64).mean())
    train, test = (
        (rows - mean.astype(rows.dtype)) / rows.dtype.type(scale)
        for rows in (train_features, test_features)
    )
    probe = LogisticRegression(tol=_TOLERANCE, max_iter=max_iter)
    probe.fit(train, train_labels)
    return 100 * float(probe.score(test, test_labels))
