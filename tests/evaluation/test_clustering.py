import itertools

import numpy as np
import pytest
from sklearn.cluster import KMeans

from tf_bigan.evaluation import (
    Inputs,
    clustering,
    clustering_accuracy,
    compute,
    matched_accuracy,
)


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


def test_the_scale_does_not_matter():
    centres = np.repeat([[0, 0], [6, 0], [0, 6]], 20, axis=0)
    rows = (centres + np.random.default_rng(0).normal(size=(60, 2))).astype(np.float32)
    labels = np.arange(60) // 20
    assert clustering(rows * np.float32(2.0**100), labels) == clustering(rows, labels)


@pytest.mark.slow
def test_digits():
    from sklearn.datasets import load_digits

    x, y = load_digits(return_X_y=True)
    x, y = x[:600], y[:600]
    accuracy = clustering_accuracy(x, y)
    # Of three seeds 82 to 86, and 15 to 16 of noise.
    assert 70 < accuracy < 95 and accuracy == clustering_accuracy(x, y)
    assert clustering_accuracy(np.random.default_rng(0).normal(size=x.shape), y) < 25


def by_hand(clusters, labels):
    """(NMI, ARI) from the table of counts."""
    table = np.array([[np.sum((clusters == c) & (labels == y)) for y in set(labels)]
                      for c in set(clusters)])  # fmt: skip
    p = table / table.sum()
    entropies = [-(q * np.log(q)).sum() for q in (p.sum(0), p.sum(1))]
    independent = p.sum(1)[:, None] * p.sum(0)
    mutual = (p[p > 0] * np.log(p[p > 0] / independent[p > 0])).sum()
    pairs = lambda counts: (counts * (counts - 1) / 2).sum()  # noqa: E731
    both, first, second = pairs(table), pairs(table.sum(1)), pairs(table.sum(0))
    chance = first * second / pairs(table.sum())
    return mutual / np.mean(entropies), (both - chance) / ((first + second) / 2 - chance)


def test_nmi_and_ari_by_hand():
    """Two far groups of rows, the clusters, with some rows of each class in both."""
    clusters = np.repeat([0, 1], [30, 20])
    labels = np.concatenate([np.repeat([5, 8], [24, 6]), np.repeat([5, 8], [2, 18])])
    x = 100.0 * clusters[:, None] + np.random.default_rng(0).normal(size=(50, 2))
    found = clustering(x, labels)
    assert found.accuracy == clustering_accuracy(x, labels) == 84.0
    assert found[1:] == pytest.approx(by_hand(clusters, labels), rel=1e-9)
    assert 0.3 < found.nmi < 0.9 and 0.3 < found.ari < 0.9


@pytest.mark.slow
def test_their_ends():
    x = 100.0 * np.repeat(np.eye(3), 40, axis=0) + np.random.default_rng(0).normal(size=(120, 3))
    assert clustering(x, np.repeat([2, 0, 1], 40)) == pytest.approx((100.0, 1.0, 1.0))
    chance = [clustering(x, np.random.default_rng(seed).integers(0, 3, 120)) for seed in range(40)]
    nmi, ari = (np.mean([getattr(one, name) for one in chance]) for name in ("nmi", "ari"))
    assert abs(ari) < 0.01 < nmi < 0.05  # of which only the ARI is adjusted for chance


def test_the_three_values_share_a_run(monkeypatch):
    from sklearn.datasets import load_digits

    x, y = load_digits(return_X_y=True)
    images = (x[:300].reshape(-1, 8, 8, 1) / 16).astype(np.float32)
    runs = []
    fit = KMeans.fit
    monkeypatch.setattr(KMeans, "fit", lambda *a, **k: runs.append(1) or fit(*a, **k))
    inputs = Inputs(images, y[:300], images, y[:300], features=(x[:300], x[:300]), seed=2)
    values, _ = compute(["clustering", "clustering_nmi", "clustering_ari"], inputs)
    assert len(runs) == 1
    assert tuple(values.values()) == clustering(x[:300], y[:300], seed=2)


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
