import sys
import tracemalloc

import numpy as np
import pytest

from tf_bigan.evaluation import prdc

module = sys.modules["tf_bigan.evaluation.prdc"]  # its name is also the function's


def naive(real, fake, k):
    """The definitions of Naeem et al. 2020, with the difference of every pair."""

    def distances(a, b):
        return np.sqrt(np.square(a[:, None] - b[None]).sum(axis=2))

    real_radii, fake_radii = (np.sort(distances(x, x), axis=1)[:, k] for x in (real, fake))
    between = distances(real, fake)
    in_real = between < real_radii[:, None]
    in_fake = between < fake_radii[None]
    return (
        in_real.any(axis=0).mean(),
        in_fake.any(axis=1).mean(),
        in_real.sum() / k / len(fake),
        in_real.any(axis=1).mean(),
    )


def test_by_hand():
    # With k = 1, the real radii at 0, 1, 3, 7 are 1, 1, 2, 4; the fake ones at 0.5, 2, 20 are
    # 1.5, 1.5, 18.
    real, fake = np.array([[0.0], [1], [3], [7]]), np.array([[0.5], [2], [20]])
    result = prdc(real, fake, k=1)
    # 0.5 lies in the balls of 0 and 1, 2 in that of 3 (not of 1: it is on its surface); 20 in none.
    assert result.precision == pytest.approx(2 / 3)
    assert result.density == pytest.approx(3 / 3)
    assert result.coverage == pytest.approx(3 / 4)
    # 0 and 1 lie in the ball of 0.5, 3 in that of 2, and 3 and 7 in that of 20.
    assert result.recall == pytest.approx(1)
    assert prdc(real, fake[:2], k=1).recall == pytest.approx(3 / 4)  # 7 is left out


@pytest.mark.parametrize(
    ("n", "m", "width", "k"), [(90, 70, 2, 5), (60, 110, 30, 3), (20, 9, 5, 6)]
)
def test_agrees_with_a_naive_reference(monkeypatch, n, m, width, k):
    rng = np.random.default_rng(n)
    real = rng.normal(size=(n, width)) + 10
    fake = rng.normal(0.3, 0.8, size=(m, width)) + 10
    expected = naive(real, fake, k)
    assert 0 < expected[0] <= 1 and 0 < expected[3] < 1
    assert prdc(real, fake, k=k) == pytest.approx(expected, rel=1e-12)
    monkeypatch.setattr(module, "_BLOCK_VALUES", 7 * n)
    assert prdc(real, fake, k=k) == pytest.approx(expected, rel=1e-12)


def test_no_matrix_of_all_pairs_is_held(monkeypatch):
    monkeypatch.setattr(module, "_BLOCK_VALUES", 50_000)  # 0.4 MB
    real, fake = np.random.default_rng(5).normal(size=(2, 2000, 2))
    tracemalloc.start()
    prdc(real, fake)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 3e6  # the matrix would take 32e6


def test_float32_far_from_the_origin():
    rng = np.random.default_rng(0)
    real, fake = (1000 + rng.normal(size=(2, 80, 5))).astype(np.float32)
    expected = naive(real.astype(float), fake.astype(float), 5)
    assert prdc(real, fake) == pytest.approx(expected, rel=1e-12)


def test_the_same_set():
    # Each of n rows lies in its own ball and in those of others whose k - 1 nearest it is among.
    rows = np.random.default_rng(1).normal(size=(300, 40))
    assert prdc(rows, rows) == pytest.approx((1, 1, 1, 1), rel=1e-12)


@pytest.mark.parametrize("far", ["real", "fake"])
def test_a_far_row_leaves_the_balls_of_the_others_alone(far):
    rng = np.random.default_rng(6)
    sets = {"real": rng.normal(size=(300, 8)), "fake": rng.normal(size=(300, 8))}
    sets[far][7] *= 1e8
    expected = naive(*sets.values(), 5)
    assert min(expected) > 0.8
    assert prdc(**{f"{n}_features": rows for n, rows in sets.items()}) == pytest.approx(expected)


def test_equal_distributions_have_a_density_of_one_and_the_known_coverage():
    # Naeem et al. 2020, lemma 2: for N real and M fake rows, one minus the product over i = 1..k
    # of (N - i) / (M + N - i).
    rng = np.random.default_rng(2)
    results = [prdc(*rng.normal(size=(2, 400, 8)), k=5) for _ in range(10)]
    _, _, density, coverage = np.mean(results, axis=0)
    expected = 1 - np.prod([(400 - i) / (800 - i) for i in range(1, 6)])
    assert density == pytest.approx(1, abs=0.05)
    assert coverage == pytest.approx(expected, abs=0.01)


def test_what_collapse_and_invention_do():
    rng = np.random.default_rng(3)
    real = rng.normal(size=(500, 4))
    collapsed = prdc(real, 0.05 * rng.normal(size=(500, 4)))
    assert collapsed.precision > 0.95 and collapsed.recall < 0.05 and collapsed.coverage < 0.1
    wide = prdc(real, 5 * rng.normal(size=(500, 4)))
    assert wide.precision < 0.2 and wide.recall > 0.95 and wide.density < 0.1


@pytest.mark.extra
def test_agrees_with_the_authors_package():
    why = 'prdc is not installed: pip install -e ".[dev]"'
    package = pytest.importorskip("prdc", reason=why)
    rng = np.random.default_rng(4)
    real, fake = rng.normal(size=(200, 16)), rng.normal(0.2, 0.9, size=(200, 16))
    assert prdc(real, fake)._asdict() == pytest.approx(package.compute_prdc(real, fake, 5))


ROWS = np.arange(20.0).reshape(10, 2)


@pytest.mark.parametrize(
    ("real", "fake", "k", "message"),
    [
        (ROWS, ROWS[:5], 5, r"^fake_features: expected at least 6 rows, got 5"),
        (ROWS, ROWS, 10, r"^real_features: expected at least 11 rows, got 10"),
        (ROWS, ROWS, 0, r"^k=0: it must be an int in"),
        (ROWS, ROWS, True, r"^k=True: it must be an int in"),
        (ROWS, ROWS[:, :1], 5, r"^fake_features: expected 2 values per row as in real_features"),
        (ROWS, ROWS * np.nan, 5, r"^fake_features: .* NaN"),
    ],
)
def test_bad_input(real, fake, k, message):
    with pytest.raises(ValueError, match=message):
        prdc(real, fake, k=k)
