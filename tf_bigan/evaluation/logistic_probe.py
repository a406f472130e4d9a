"""Linear probe: a logistic regression on fixed features, trained to convergence."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from sklearn.linear_model import LogisticRegression

from tf_bigan.evaluation.checks import as_classification

# Tolerance for the gradient of the mean loss. scikit-learn's 1e-4 is several times slower on MNIST.
_TOLERANCE, _MOST_ITERATIONS = 1e-3, 1000


def logistic_probe_accuracy(
    train_features: npt.ArrayLike,
    train_labels: npt.ArrayLike,
    test_features: npt.ArrayLike,
    test_labels: npt.ArrayLike,
) -> float:
    """Test accuracy, in percent, of scikit-learn's logistic regression on fixed features.

    A fixed protocol to compare representations: subtract the mean of the training rows, divide all
    values by one number so that the mean variance is 1, and use the default penalty (C = 1). The
    result does not depend on the features' origin, scale or rotation, nor on a random seed.
    (`linear_probe_accuracy` is the official probe with a fixed number of steps; it depends on the
    scale.)

    Args:
        train_features: [N, ...] numbers.
        train_labels: [N] integers, of at least two classes.
        test_features: [M, ...] numbers.
        test_labels: [M] integers; a class that is not in train_labels counts as an error.

    Raises:
        Unmeasurable: empty, constant or non-finite features, unequal widths, a wrong number of
            labels, or a single class.
    """
    train, train_labels, test, test_labels = as_classification(
        train_features, train_labels, test_features, test_labels
    )
    # In float32 the squares of large or small values would overflow, or be 0.
    mean = train.mean(axis=0, dtype=np.float64)
    scale = np.sqrt(train.var(axis=0, dtype=np.float64).mean())
    train, test = (
        (rows - mean.astype(rows.dtype)) / rows.dtype.type(scale) for rows in (train, test)
    )
    probe = LogisticRegression(tol=_TOLERANCE, max_iter=_MOST_ITERATIONS)
    return 100 * float(probe.fit(train, train_labels).score(test, test_labels))
