import numpy as np
import pytest

from tf_bigan.evaluation import class_histogram, classes_covered


def test_histogram_by_hand():
    probabilities = [[0.5, 0.3, 0.2], [0.1, 0.2, 0.7], [0.6, 0.4, 0], [0.9, 0, 0.1]]
    np.testing.assert_array_equal(class_histogram(probabilities), [0.75, 0, 0.25])


def test_covered_by_hand():
    histogram = [0.5, 0.48, 0.015, 0.005]  # in units of 1/4: 2, 1.92, .06, .02
    assert classes_covered(histogram) == 2
    assert classes_covered(histogram, least=0.05) == 3
    assert classes_covered(histogram, least=0.02) == 4
    assert classes_covered(histogram, least=2) == 1
    assert classes_covered(np.eye(10)[3]) == 1
    assert classes_covered(np.full(1000, 1e-3)) == 1000
    for classes in range(2, 100):  # the rarest: one row of ten for each class
        one = np.eye(classes)[[*range(classes)] + [0] * 9 * classes]
        assert classes_covered(class_histogram(one)) == classes


@pytest.mark.parametrize(
    ("histogram", "least", "message"),
    [
        ([[0.5, 0.5]], 0.1, r"^histogram: expected shares \[K\], got shape \(1, 2\)"),
        ([3, 4], 0.1, r"^histogram: expected values in \[0, 1\]"),
        ([0.5, 0.4], 0.1, r"^histogram: .* sum to 1"),
        ([0.5, 0.5], 0, r"^least=0: it must be a float in"),
        ([0.5, 0.5], np.nan, r"^least=nan: it must be a float in"),
    ],
)
def test_bad_input(histogram, least, message):
    with pytest.raises(ValueError, match=message):
        classes_covered(histogram, least=least)
    with pytest.raises(ValueError, match="^probabilities:"):
        class_histogram([[0.5, 0.6]])
