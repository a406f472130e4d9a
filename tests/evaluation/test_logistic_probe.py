import numpy as np
import pytest

from tf_bigan.evaluation import logistic_probe_accuracy


def overlapping_classes():
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 3, 3000)
    return rng.normal(size=(3000, 6)) + 1.2 * np.eye(3, 6)[labels], labels


def test_it_converges_to_the_penalised_maximum():
    # Newton's method on the same objective, sum of losses + |w|^2 / 2 without the bias.
    rng = np.random.default_rng(1)
    labels = rng.integers(0, 2, 4200)
    x = rng.normal(5, 3, size=(4200, 3)) + 2 * labels[:, None]
    scaled = (x - x[:200].mean(axis=0)) / np.sqrt(x[:200].var(axis=0).mean())
    rows = np.hstack([scaled, np.ones((4200, 1))])
    w, penalty = np.zeros(4), np.diag([1.0, 1, 1, 0])
    for _ in range(30):
        p = 1 / (1 + np.exp(-rows[:200] @ w))
        gradient = rows[:200].T @ (p - labels[:200]) + penalty @ w
        w -= np.linalg.solve((rows[:200].T * (p * (1 - p))) @ rows[:200] + penalty, gradient)
    expected = 100 * np.mean((rows[200:] @ w > 0) == labels[200:])
    accuracy = logistic_probe_accuracy(x[:200], labels[:200], x[200:], labels[200:])
    # Both stop near the maximum: of three seeds 4 of the 4,000 rows at most lie between them.
    assert accuracy == pytest.approx(expected, abs=0.5) and 60 < accuracy < 95


def test_origin_scale_and_rotation_do_not_matter():
    x, labels = overlapping_classes()
    basis, _ = np.linalg.qr(np.random.default_rng(2).normal(size=(6, 6)))
    data = x[:100], labels[:100], x[100:], labels[100:]
    expected = logistic_probe_accuracy(*data)
    assert 50 < expected < 80
    for changed in (1e4 * x, 1e-4 * x, x + 50, x @ basis):
        accuracy = logistic_probe_accuracy(changed[:100], data[1], changed[100:], data[3])
        assert accuracy == pytest.approx(expected, abs=0.3)


@pytest.mark.parametrize("scale", [1e-30, 1e30])
def test_scales_whose_squares_float32_does_not_hold(scale):
    x, labels = overlapping_classes()
    expected = logistic_probe_accuracy(x[:100], labels[:100], x[100:], labels[100:])
    x = (scale * x).astype(np.float32)
    accuracy = logistic_probe_accuracy(x[:100], labels[:100], x[100:], labels[100:])
    assert accuracy == pytest.approx(expected, abs=0.3)


def test_the_test_rows_are_centred_as_the_training_rows_were():
    x, labels = overlapping_classes()
    one = np.flatnonzero(labels[100:] == 2) + 100
    apart = x + 20 * np.eye(3, 6)[labels]
    assert logistic_probe_accuracy(apart[:100], labels[:100], apart[one], labels[one]) == 100.0


def test_chance_certainty_and_unknown_classes():
    x, labels = overlapping_classes()
    noise = np.random.default_rng(3).integers(0, 3, 3000)
    assert 28 < logistic_probe_accuracy(x[:1500], noise[:1500], x[1500:], noise[1500:]) < 39
    apart = x + 20 * np.eye(3, 6)[labels]
    names = np.array([70, -3, 5])[labels]
    assert logistic_probe_accuracy(apart[:99], names[:99], apart[99:], names[99:]) == 100.0
    assert logistic_probe_accuracy(apart[:99], names[:99], apart[99:], names[99:] * 0) == 0.0


X, Y = np.arange(8.0).reshape(4, 2), np.array([0, 1, 0, 1])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"train_labels": Y * 0 + 3}, r"^train_labels: expected at least 2 classes, found \[3\]"),
        ({"test_labels": Y[:3]}, r"^test_labels: expected 4 labels"),
        ({"train_features": X * 0}, r"^train_features: expected rows that differ"),
        ({"test_features": X * np.nan}, r"^test_features: .* NaN"),
        ({"test_features": X[:, :1]}, r"^test_features: expected 2 values per row"),
    ],
)
def test_bad_input(change, message):
    good = {"train_features": X, "train_labels": Y, "test_features": X, "test_labels": Y}
    with pytest.raises(ValueError, match=message):
        logistic_probe_accuracy(**{**good, **change})
