"""NNC: 1-nearest-neighbour classification in a feature space."""

import numpy as np

from tf_bigan.evaluation.checks import (
    as_class_labels,
    as_features,
    as_labels,
    as_rows,
    check_same_width,
    check_size,
)
from tf_bigan.evaluation.neighbours import LARGEST_VALUE, nearest


def one_nn_accuracy(train_features, train_labels, test_features, test_labels) -> float:
    """Accuracy, in percent, of giving each test row the label of its nearest training row.

    Euclidean distance on the features as they are. Officially NNC_e on the encoder's outputs
    before the squashing and NNC_e- on its last hidden layer, with a gallery of 50,000.

    Args:
        train_features: [N, ...] numbers.
        train_labels: [N] integers, of at least two classes.
        test_features: [M, ...] numbers.
        test_labels: [M] integers.

    Raises:
        ValueError: for empty, constant, non-finite or enormous features, unequal widths, a wrong
            number of labels, or a single class.
    """
    train_features = as_features(train_features, "train_features")
    test_features = as_rows(test_features, "test_features")
    check_same_width(train_features, "train_features", test_features, "test_features")
    check_size(train_features, "train_features", LARGEST_VALUE)
    check_size(test_features, "test_features", LARGEST_VALUE)
    train_labels = as_class_labels(train_labels, "train_labels", len(train_features))
    test_labels = as_labels(test_labels, "test_labels", len(test_features))
    _, indices = nearest(test_features, train_features)
    return 100 * float(np.mean(train_labels[indices] == test_labels))
