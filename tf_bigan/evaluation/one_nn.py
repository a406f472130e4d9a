"""NNC: 1-nearest-neighbour classification in a feature space."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from tf_bigan.evaluation.checks import as_classification
from tf_bigan.evaluation.neighbours import nearest


def one_nn_accuracy(
    train_features: npt.ArrayLike,
    train_labels: npt.ArrayLike,
    test_features: npt.ArrayLike,
    test_labels: npt.ArrayLike,
) -> float:
    """Accuracy, in percent, of 1-nearest-neighbour classification.

    Euclidean distance on unscaled features. Officially NNC_e on the encoder's outputs before the
    squashing and NNC_e- on its last hidden layer, with 50,000 training images.

    Args:
        train_features: [N, ...] numbers.
        train_labels: [N] integers, of at least two classes.
        test_features: [M, ...] numbers.
        test_labels: [M] integers.

    Raises:
        Unmeasurable: empty, constant, non-finite or huge features, unequal widths, a wrong
            number of labels, or a single class.
    """
    train, train_labels, test, test_labels = as_classification(
        train_features, train_labels, test_features, test_labels
    )
    return 100 * float(np.mean(train_labels[nearest(test, train)[1]] == test_labels))
