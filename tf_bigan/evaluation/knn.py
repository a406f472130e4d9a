"""k-NN: classification by the majority of the nearest training rows."""

from tf_bigan.evaluation.checks import (
    as_class_labels,
    as_features,
    as_labels,
    as_rows,
    check_count,
    check_same_width,
)


def knn_accuracy(train_features, train_labels, test_features, test_labels, *, k: int = 5) -> float:
    """Accuracy, in percent, of giving each test row the majority label of its k nearest rows.

    Euclidean distance on the features as they are, every neighbour with one vote; of classes with
    equal votes, the lowest label wins.

    Args:
        train_features: [N, ...] numbers, N >= k.
        train_labels: [N] integers, of at least two classes.
        test_features: [M, ...] numbers.
        test_labels: [M] integers.
        k: neighbours that vote.

    Raises:
        ValueError: for empty, constant or non-finite features, unequal widths, a wrong number of
            labels, a single class, or a k that is not in 1..N.
    """
    from sklearn.neighbors import KNeighborsClassifier

    train_features = as_features(train_features, "train_features")
    test_features = as_rows(test_features, "test_features")
    check_same_width(train_features, "train_features", test_features, "test_features")
    train_labels = as_class_labels(train_labels, "train_labels", len(train_features))
    test_labels = as_labels(test_labels, "test_labels", len(test_features))
    check_count(k, "k", 1, len(train_features))
    classifier = KNeighborsClassifier(k, algorithm="brute").fit(train_features, train_labels)
    return 100 * float(classifier.score(test_features, test_labels))
