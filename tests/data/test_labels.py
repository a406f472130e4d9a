"""Labels of two data sets whose classes have other numbers."""

import dataclasses

import numpy as np
import pytest

from tf_bigan.data import ImageData, renumbered

LABELS = np.array([0, 1, 1, 2])


def images(*names):
    return ImageData("pictures", np.zeros((4, 8, 8, 1), np.uint8), LABELS, names or None)


def test_labels_follow_the_names_of_the_classes():
    got = renumbered(images("cat", "dog", "fox"), ("ape", "fox", "cat", "dog"))
    assert got.labels is not None and got.class_names == ("ape", "fox", "cat", "dog")
    np.testing.assert_array_equal(got.labels, [2, 3, 3, 1])


def test_an_unknown_class_comes_after_the_others_and_is_named(caplog):
    got = renumbered(images("cat", "dog", "fox"), ("dog", "cat"))
    assert got.labels is not None and got.class_names == ("dog", "cat", "fox")
    np.testing.assert_array_equal(got.labels, [1, 0, 0, 2])
    assert "pictures: fox is not among the classes of the training (dog, cat)" in caplog.text


def test_without_names_labels_stay():
    for given, names in ((images(), ("a", "b")), (images("a", "b", "c"), None)):
        assert renumbered(given, names) is given
    unlabelled = dataclasses.replace(images("a", "b", "c"), labels=None)
    assert renumbered(unlabelled, ("b", "a")) is unlabelled


@pytest.mark.parametrize(
    ("names", "classes"),
    [
        ((), [0, 1, 1, 2]),
        (("5", "7", "-1"), [5, 7, 7, -1]),
        (("5", "x", "007"), ["5", "x", "x", "007"]),
    ],
)
def test_classes_are_those_of_the_source(names, classes):
    got = images(*names).classes
    assert got is not None and got.tolist() == classes
