import numpy as np
import pytest
import scipy.stats

from tf_bigan.evaluation import classifier_score


def test_by_hand():
    # p(y) = (.6, .4): KL = .8 ln(.8/.6) + .2 ln(.2/.4) and .4 ln(.4/.6) + .6 ln(.6/.4).
    first = 0.8 * np.log(0.8 / 0.6) + 0.2 * np.log(0.2 / 0.4)
    second = 0.4 * np.log(0.4 / 0.6) + 0.6 * np.log(0.6 / 0.4)
    score = classifier_score([[0.8, 0.2], [0.4, 0.6]])
    assert score == pytest.approx(np.exp((first + second) / 2), rel=1e-12)


def test_its_range():
    assert classifier_score(np.eye(7)) == pytest.approx(7)  # certain and balanced, with zeros
    assert classifier_score(np.eye(7)[[2] * 5]) == pytest.approx(1)  # collapsed
    assert classifier_score(np.full((5, 7), 1 / 7)) == pytest.approx(1)  # unrecognisable
    assert classifier_score(np.eye(4)[[0, 0, 1, 1]]) == pytest.approx(2)  # two of four classes


def test_order_and_repetition_do_not_matter():
    rows = np.random.default_rng(0).dirichlet(np.ones(5), size=40).astype(np.float32)
    expected = classifier_score(rows)
    assert 1 < expected < 5
    assert classifier_score(np.tile(rows[::-1], (3, 1))) == pytest.approx(expected, rel=1e-9)


def test_few_samples_bias_it_downwards():
    """By what its docstring says; a mean over ten splits has the bias of a tenth of the samples."""
    rng = np.random.default_rng(0)
    population = rng.dirichlet(np.full(10, 0.2), size=20_000)
    true = np.log(classifier_score(population))
    mean = population.mean(0)
    slope = ((population - mean) ** 2 / mean).sum(1).mean() / 2
    assert 0 < slope < (10 - 1) / 2
    averages = {}
    for n in (1, 10, 100, 1000):
        scores = [classifier_score(rng.choice(population, n)) for _ in range(40_000 // (n + 100))]
        averages[n] = np.log(scores).mean()
        assert np.mean(scores) < np.exp(true)
    assert averages[1] == pytest.approx(0)
    assert list(averages.values()) == sorted(averages.values())
    for n in (100, 1000):
        assert true - averages[n] == pytest.approx(slope / n, rel=0.15)
    rows = rng.choice(population, 1000)
    splits = np.mean([classifier_score(part) for part in np.split(rows, 10)])
    assert splits < classifier_score(rows)


@pytest.mark.parametrize("share", [0.5, 0.1])
def test_certain_classes_have_the_largest_bias(share):
    """(K - 1) / (2n) for K = 2 classes; the mean is exact, over all counts of the first class."""
    n, shares = 200, np.array([share, 1 - share])
    true = -(shares * np.log(shares)).sum()
    counts = np.arange(n + 1)
    scores = [classifier_score(np.eye(2)[np.repeat([0, 1], [k, n - k])]) for k in counts]
    mean = (scipy.stats.binom.pmf(counts, n, share) * np.log(scores)).sum()
    assert true - mean == pytest.approx(1 / (2 * n), rel=0.05)


@pytest.mark.parametrize(
    ("probabilities", "message"),
    [
        (np.ones((3, 1)), r"^probabilities: .* K >= 2, got shape \(3, 1\)"),
        (np.ones(3) / 3, r"^probabilities: .* got shape \(3,\)"),
        (np.zeros((0, 3)), r"^probabilities: .* got shape \(0, 3\)"),
        ([[2.0, -1.0]], r"^probabilities: expected values in \[0, 1\], found \[-1, 2\]"),
        ([[0.5, 0.5], [0.5, 0.4]], r"^probabilities: expected rows that sum to 1, .* 0\.9"),
        ([[np.nan, 1.0]], r"^probabilities: .* NaN"),
    ],
)
def test_bad_input(probabilities, message):
    with pytest.raises(ValueError, match=message):
        classifier_score(probabilities)
