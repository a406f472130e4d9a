import itertools

import numpy as np
import pytest

from tf_bigan.evaluation import clustering_accuracy, matched_accuracy


def test_matching_by_hand():
    # Cluster 9 is mostly class 0, but matching 9 with 1 and 4 with 0 is better: 2 + 3 of 7.
    assignments, labels = [9, 9, 9, 9, 4, 4, 4], [0, 0, 1, 1, 0, 0, 0]
    assert matched_accuracy(assignments, labels) == pytest.approx(100 * 5 / 7)
    assert matched_accuracy([0, 1, 2], [5, 5, 5]) == pytest.approx(100 / 3)  # more clusters
    assert matched_accuracy([0, 0, 0], [5, 6, 7]) == pytest.approx(100 / 3)  # more classes


@pytest.mark.parametrize("seed", range(3))
def test_matching_agrees_with_all_permutations(seed):
    rng = np.random.default_rng(seed)
    assignments, labels = rng.integers(0, 5, (2, 60))
    best = max(
        np.mean(np.array(order)[assignments] == labels)
        for order in itertools.permutations(range(5))
    )
    assert matched_accuracy(assignments, labels) == pytest.approx(100 * best)


def test_clusters_that_are_there():
    rng = np.random.default_rng(0)
    labels = np.array([7, -1, 3, 20])[rng.integers(0, 4, 400)]
    x = 10 * np.eye(4)[np.unique(labels, return_inverse=True)[1]] + rng.normal(size=(400, 4))
    assert clustering_accuracy(x, labels) == 100.0


def test_digits():
    from sklearn.datasets import load_digits

    x, y = load_digits(return_X_y=True)
    x, y = x[:600], y[:600]
    accuracy = clustering_accuracy(x, y)
    # Of three seeds 82 to 86, and 15 to 16 of noise.
    assert 70 < accuracy < 95 and accuracy == clustering_accuracy(x, y)
    assert clustering_accuracy(np.random.default_rng(0).normal(size=x.shape), y) < 25


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"labels": [1, 1, 1]}, r"^labels: expected at least 2 classes, found \[1\]"),
        ({"labels": [0, 1]}, r"^labels: expected 3 labels"),
        ({"features": np.ones((3, 2))}, r"^features: expected rows that differ"),
        ({"features": np.full((3, 2), np.nan)}, r"^features: .* NaN"),
    ],
)
def test_bad_input(change, message):
    with pytest.raises(ValueError, match=message):
        clustering_accuracy(**{"features": np.eye(3), "labels": [0, 1, 1], **change})


def test_bad_assignments():
    with pytest.raises(ValueError, match=r"^labels: expected 3 labels, one per row, got 2"):
        matched_accuracy([0, 1, 2], [0, 1])
    with pytest.raises(ValueError, match=r"^assignments: expected integers"):
        matched_accuracy([[0, 1, 2]], [0, 1, 2])
    with pytest.raises(ValueError, match=r"^labels: expected at least one row"):
        matched_accuracy(np.zeros(0, int), np.zeros(0, int))
