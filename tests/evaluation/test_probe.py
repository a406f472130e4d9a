import numpy as np
import pytest
import tensorflow as tf

from tests.closeness import assert_close
from tf_bigan.evaluation import linear_probe_accuracy, probe


def reference(x, labels, order, learning_rate):
    """Adam (Kingma & Ba 2015, section 2) on softmax cross-entropy, from zero weights."""
    w = m = v = np.zeros((x.shape[1], labels.max() + 1))
    for t, rows in enumerate(order, start=1):
        logits = x[rows] @ w
        p = np.exp(logits - logits.max(axis=1, keepdims=True))
        p /= p.sum(axis=1, keepdims=True)
        p[np.arange(len(rows)), labels[rows]] -= 1
        gradient = x[rows].T @ p / len(rows)
        m = 0.5 * m + 0.5 * gradient
        v = 0.999 * v + 0.001 * gradient**2
        w = w - learning_rate * (m / (1 - 0.5**t)) / (np.sqrt(v / (1 - 0.999**t)) + 1e-8)
    return w


@pytest.mark.parametrize("steps", [1, 2, 40])
def test_matches_a_loop_in_numpy(steps):
    # Overlapping classes and few steps: the accuracy tells apart other step counts and rates.
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 5, 300)
    x = rng.normal(size=(300, 20)) + 0.8 * np.eye(5, 20)[labels]
    test_labels = rng.integers(0, 5, 4000)
    test_x = rng.normal(size=(4000, 20)) + 0.8 * np.eye(5, 20)[test_labels]
    order = probe._shuffled_rows(300, steps, 64, seed=3)
    w = reference(x, labels, order, learning_rate=1e-2)
    arguments = x.astype(np.float32), tf.one_hot(labels, 5), order, np.float32(1e-2)
    assert_close(probe._train_head(*map(tf.constant, arguments)), w, tol=1e-3)
    expected = 100 * np.mean((test_x @ w).argmax(axis=1) == test_labels)
    accuracy = linear_probe_accuracy(
        x, labels, test_x, test_labels, steps=steps, batch=64, learning_rate=1e-2, seed=3
    )
    assert accuracy == pytest.approx(expected, abs=0.06)  # 2 of 4,000 may sit on a boundary
    assert 25 < accuracy < 60


def test_separable_classes_reach_100():
    rng = np.random.default_rng(1)
    labels = rng.integers(0, 10, 2000)
    x = 3 * np.eye(10, 16)[labels] + 0.3 * rng.normal(size=(2000, 16))
    accuracy = linear_probe_accuracy(x[:1500], labels[:1500], x[1500:], labels[1500:])
    assert accuracy == 100.0


def test_random_labels_stay_at_chance():
    rng = np.random.default_rng(2)
    x, labels = rng.normal(size=(6000, 16)), rng.integers(0, 4, 6000)
    accuracy = linear_probe_accuracy(x[:2000], labels[:2000], x[2000:], labels[2000:])
    assert 22 < accuracy < 28  # chance is 25, its standard error 0.7


def test_there_is_no_bias():
    # One feature of constant sign and unequal classes: without a bias the sign alone decides.
    x = np.ones((100, 1))
    x[:50] = -1
    labels = np.r_[np.ones(50, int), np.zeros(50, int)]
    zeros = np.zeros((10, 1))  # all logits are 0: the first class wins
    assert linear_probe_accuracy(x[:80], labels[:80], zeros, np.ones(10, int)) == 0.0
    assert linear_probe_accuracy(x[:80], labels[:80], x, labels) == 100.0


def test_labels_may_be_any_integers():
    rng = np.random.default_rng(3)
    labels = rng.integers(0, 3, 500)
    x = 4 * np.eye(3)[labels] + 0.2 * rng.normal(size=(500, 3))
    names = np.array([100, -5, 17])[labels]
    assert linear_probe_accuracy(x[:400], names[:400], x[400:], names[400:]) == 100.0
    assert linear_probe_accuracy(x[:400], names[:400], x[400:], np.full(100, 3)) == 0.0


@pytest.fixture
def trained(monkeypatch):
    """(rows of each step, learning rate) of every probe, which is then left at zero."""
    calls = []

    def train(features, targets, order, learning_rate):
        calls.append((order.numpy(), float(learning_rate)))
        return tf.zeros([features.shape[1], targets.shape[1]])

    monkeypatch.setattr(probe, "_train_head", train)
    return calls


X, LABELS = np.random.default_rng(4).normal(size=(300, 8)), np.arange(300) % 3


def test_the_seed_decides_the_order(trained):
    for seed in (0, 0, 1):
        linear_probe_accuracy(X, LABELS, X, LABELS, steps=50, seed=seed)
    (one, _), (again, _), (other, _) = trained
    np.testing.assert_array_equal(again, one)
    assert np.mean(other == one) < 0.1
    passes = one.ravel()[: 300 * (one.size // 300)].reshape(-1, 300)
    np.testing.assert_array_equal(np.sort(passes), np.tile(np.arange(300), (len(passes), 1)))


def test_the_same_seed_gives_the_same_accuracy():
    def accuracy():
        return linear_probe_accuracy(X[:200], LABELS[:200], X[200:], LABELS[200:], steps=50, seed=1)

    assert accuracy() == accuracy()


def test_defaults_are_the_official_ones(trained):
    linear_probe_accuracy(X, LABELS, X, LABELS)
    linear_probe_accuracy(X, LABELS, X, LABELS, steps=3, batch=5, learning_rate=0.5)
    (official, official_rate), (other, other_rate) = trained
    assert (official.shape, official_rate) == ((1000, 128), pytest.approx(2e-4))
    assert (other.shape, other_rate) == ((3, 5), 0.5)


def test_bad_input():
    x, labels = np.eye(4, 3), np.arange(4)
    with pytest.raises(ValueError, match=r"^test_features: expected 3 values per row .* got 2"):
        linear_probe_accuracy(x, labels, x[:, :2], labels)
    with pytest.raises(ValueError, match=r"^train_features: .* NaN"):
        linear_probe_accuracy(x * np.nan, labels, x, labels)
    with pytest.raises(ValueError, match=r"^test_labels: expected 4 labels"):
        linear_probe_accuracy(x, labels, x, labels[:2])
