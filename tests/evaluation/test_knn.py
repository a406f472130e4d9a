import numpy as np
import pytest

from tf_bigan.evaluation import knn_accuracy, one_nn_accuracy


def test_by_hand():
    train, labels = [[0.0], [1.0], [2.0], [10.0], [11.0]], [4, -1, -1, 4, 4]
    test = [[0.2], [10.4]]
    assert knn_accuracy(train, labels, test, [4, 4], k=1) == 100.0
    assert knn_accuracy(train, labels, test, [4, 4], k=3) == 50.0  # 0.2 is outvoted
    assert knn_accuracy(train, labels, test, [4, 4], k=5) == 100.0
    assert knn_accuracy(train, labels, test[:1], [-1], k=2) == 100.0  # a tie: the lower label


@pytest.mark.parametrize("k", [1, 4, 9])
def test_agrees_with_a_loop_on_digits(k):
    from sklearn.datasets import load_digits

    x, y = load_digits(return_X_y=True)
    x = x + 1e-3 * np.random.default_rng(0).random(x.shape)  # no two distances are the same
    train, labels, test, expected = x[:600], y[:600], x[600:800], y[600:800]
    right = 0
    for row, label in zip(test, expected, strict=True):
        voters = labels[np.argsort(np.square(train - row).sum(axis=1))[:k]]
        right += np.bincount(voters).argmax() == label
    assert knn_accuracy(train, labels, test, expected, k=k) == pytest.approx(right / 2)
    if k == 1:
        assert one_nn_accuracy(train, labels, test, expected) == pytest.approx(right / 2)


X, Y = np.arange(8.0).reshape(4, 2), np.array([0, 1, 0, 1])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"k": 5}, r"^train_features: expected at least k=5 rows, got 4"),
        ({"train_labels": Y * 0}, r"^train_labels: expected at least 2 classes, found \[0\]"),
        ({"train_labels": Y[:3]}, r"^train_labels: expected 4 labels"),
        ({"train_labels": Y / 2}, r"^train_labels: expected integers"),
        ({"test_labels": Y[:3]}, r"^test_labels: expected 4 labels"),
        ({"train_features": X * 0}, r"^train_features: expected rows that differ"),
        ({"train_features": X * np.nan}, r"^train_features: .* NaN"),
        ({"test_features": X[:, :1]}, r"^test_features: expected 2 values per row"),
    ],
)
def test_bad_input(change, message):
    good = {"train_features": X, "train_labels": Y, "test_features": X, "test_labels": Y, "k": 3}
    with pytest.raises(ValueError, match=message):
        knn_accuracy(**{**good, **change})
