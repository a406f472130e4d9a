import numpy as np
import pytest

from tf_bigan.evaluation import one_nn_accuracy


def test_by_hand():
    train, labels = [[0.0, 0.0], [1.0, 0.0], [0.0, 5.0]], [7, -2, 3]
    test = [[0.1, 0.0], [0.9, 0.0], [0.0, 4.0], [0.6, 0.0]]
    assert one_nn_accuracy(train, labels, test, [7, -2, 3, 7]) == 75.0
    assert one_nn_accuracy(train, labels, test, [7, -2, 3, -2]) == 100.0
    assert one_nn_accuracy(train, labels, test, [9, 9, 9, 9]) == 0.0


def test_agrees_with_scikit_learn_on_digits():
    from sklearn.datasets import load_digits
    from sklearn.neighbors import KNeighborsClassifier

    x, y = load_digits(return_X_y=True)
    expected = KNeighborsClassifier(1).fit(x[:1000], y[:1000]).score(x[1000:], y[1000:])
    assert one_nn_accuracy(x[:1000], y[:1000], x[1000:], y[1000:]) == pytest.approx(100 * expected)


@pytest.mark.parametrize(
    ("train_labels", "test_labels", "message"),
    [
        ([0, 1], [0, 0], r"^train_labels: expected 3 labels, one per row, got 2"),
        ([0, 1, 2], [0, 0, 0], r"^test_labels: expected 2 labels, one per row, got 3"),
        ([0.0, 1.0, 2.0], [0, 0], r"^train_labels: expected integers"),
        ([[0], [1], [2]], [0, 0], r"^train_labels: expected integers \[N\], got shape \(3, 1\)"),
    ],
)
def test_bad_labels(train_labels, test_labels, message):
    with pytest.raises(ValueError, match=message):
        one_nn_accuracy(np.eye(3, 2), train_labels, np.zeros((2, 2)), test_labels)
