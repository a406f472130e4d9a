import numpy as np
import pytest

from tf_bigan.evaluation import balanced_rows


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
