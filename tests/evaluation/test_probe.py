import numpy as np
import pytest

from tf_bigan.evaluation import linear_probe_accuracy


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
    from tf_bigan.evaluation.probe import _shuffled_rows

    rng = np.random.default_rng(0)
    labels = rng.integers(0, 5, 300)
    x = rng.normal(size=(300, 20)) + 0.8 * np.eye(5, 20)[labels]
    test_labels = rng.integers(0, 5, 4000)
    test_x = rng.normal(size=(4000, 20)) + 0.8 * np.eye(5, 20)[test_labels]
    w = reference(x, labels, _shuffled_rows(300, steps, 64, seed=3), learning_rate=1e-2)
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


def test_the_seed_decides():
    rng = np.random.default_rng(4)
    x, labels = rng.normal(size=(3000, 8)), rng.integers(0, 3, 3000)
    x[:, 0] += 0.5 * labels

    def accuracy(seed):
        return linear_probe_accuracy(
            x[:1000], labels[:1000], x[1000:], labels[1000:], steps=50, seed=seed
        )

    assert accuracy(0) == accuracy(0)
    assert len({accuracy(seed) for seed in range(4)}) > 1


def test_defaults_are_the_official_ones():
    rng = np.random.default_rng(5)
    x, labels = rng.normal(size=(4000, 30)), rng.integers(0, 3, 4000)
    x[:, :3] += np.eye(3)[labels]
    data = x[:2000], labels[:2000], x[2000:], labels[2000:]
    official = {"steps": 1000, "batch": 128, "learning_rate": 2e-4}
    assert linear_probe_accuracy(*data) == linear_probe_accuracy(*data, **official)
    for change in ({"steps": 100}, {"batch": 32}, {"learning_rate": 2e-3}):
        assert linear_probe_accuracy(*data) != linear_probe_accuracy(*data, **official | change)


def test_bad_input():
    x, labels = np.eye(4, 3), np.arange(4)
    with pytest.raises(ValueError, match=r"^test_features: expected 3 values a row .* got 2"):
        linear_probe_accuracy(x, labels, x[:, :2], labels)
    with pytest.raises(ValueError, match=r"^train_features: .* NaN"):
        linear_probe_accuracy(x * np.nan, labels, x, labels)
    with pytest.raises(ValueError, match=r"^test_labels: expected 4 labels"):
        linear_probe_accuracy(x, labels, x, labels[:2])
