import numpy as np
import pytest

from tf_bigan.evaluation import accuracy_by_label_count, balanced_rows, one_nn_accuracy


def test_balanced_rows():
    labels = np.random.default_rng(0).permutation(np.repeat([3, 5, -1], [50, 20, 4]))
    rows = balanced_rows(labels, 9)
    assert len(set(rows.tolist())) == 9 and (np.diff(rows) > 0).all()
    assert [(labels[rows] == c).sum() for c in (3, 5, -1)] == [3, 3, 3]
    rows = balanced_rows(labels, 30)  # the rare class gives all it has
    assert [(labels[rows] == c).sum() for c in (3, 5, -1)] == [13, 13, 4]
    assert balanced_rows(labels, 74).tolist() == list(range(74))
    # A count that the classes do not divide: the surplus goes to some of them.
    assert sorted((labels[balanced_rows(labels, 11)] == c).sum() for c in (3, 5, -1)) == [3, 4, 4]


def test_more_labels_include_fewer_and_the_seed_decides():
    labels = np.arange(1000) % 7
    chosen = [set(balanced_rows(labels, count, seed=2).tolist()) for count in (7, 50, 51, 300)]
    assert all(a < b for a, b in zip(chosen, chosen[1:], strict=False))
    assert set(balanced_rows(labels, 50).tolist()) != chosen[1]
    # The surplus of one row may go to any class.
    extra = {labels[balanced_rows(labels, 8, seed=s)].sum() for s in range(40)}
    assert extra == {21 + c for c in range(7)}


def test_each_count_gets_its_rows():
    x, labels = np.random.default_rng(1).normal(size=(60, 3)), np.arange(60) % 4
    seen = []

    def accuracy(train_features, train_labels, test_features, test_labels):
        seen.append((train_features, train_labels))
        assert (test_features, test_labels) == ("test", "labels")
        return float(len(train_features))

    values = accuracy_by_label_count(
        accuracy, x, labels, "test", "labels", label_counts=(None, 8, 20), seed=3
    )
    assert values == {"all": 60.0, "8": 8.0, "20": 20.0} and list(values) == ["all", "8", "20"]
    rows = balanced_rows(labels, 20, seed=3)
    np.testing.assert_array_equal(seen[2][0], x[rows])
    np.testing.assert_array_equal(seen[2][1], labels[rows])


def test_more_labels_help_on_digits():
    from sklearn.datasets import load_digits

    x, y = load_digits(return_X_y=True)
    values = accuracy_by_label_count(one_nn_accuracy, x[:1200], y[:1200], x[1200:], y[1200:])
    assert values["all"] == one_nn_accuracy(x[:1200], y[:1200], x[1200:], y[1200:])
    assert 70 < values["100"] < values["1000"] - 3 and values["1000"] <= values["all"] + 1


@pytest.mark.parametrize(
    ("labels", "count", "message"),
    [
        ([0, 1, 2], 2, r"^label count: expected an integer from 3 to 3, got 2"),
        ([0, 1, 1, 1], 5, r"^label count: expected an integer from 2 to 4, got 5"),
        ([1, 1, 1], 2, r"^labels: expected at least 2 classes, found \[1\]"),
        ([], 1, r"^labels: expected integers"),
        ([[0, 1]], 1, r"^labels: expected integers"),
        (3, 1, r"^labels: expected integers"),
    ],
)
def test_bad_input(labels, count, message):
    with pytest.raises(ValueError, match=message):
        balanced_rows(labels, count)
