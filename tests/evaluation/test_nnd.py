import numpy as np
import pytest

from tf_bigan.evaluation import nnd


def test_by_hand():
    images = np.zeros((2, 2, 2, 1), np.float32)
    images[1] = 1
    samples = np.full((3, 2, 2, 1), 0.5, np.float32)
    samples[2] = 0.75
    # Black to .5: sqrt(4 * .25) = 1. White to .75: sqrt(4 * .0625) = .5.
    assert nnd(images, samples) == pytest.approx(0.75, abs=1e-7)


def test_it_asks_for_coverage_of_the_images_not_of_the_samples():
    black, white = np.zeros((1, 4, 4, 1)), np.ones((1, 4, 4, 1))
    both = np.concatenate([black, white])
    assert nnd(black, both) == 0  # the surplus white sample costs nothing
    assert nnd(both, black) == pytest.approx(2)  # the image without a sample does: (0 + 4) / 2


def test_more_samples_never_raise_it():
    rng = np.random.default_rng(0)
    images, samples = rng.random((30, 5, 3, 2)), rng.random((200, 5, 3, 2))
    assert nnd(images, samples) <= nnd(images, samples[:50])


@pytest.mark.parametrize(
    ("images", "samples", "message"),
    [
        (np.zeros((2, 4)), np.zeros((2, 2, 2, 1)), r"^images: expected non-empty images"),
        (np.zeros((2, 2, 2, 1)), np.zeros((2, 2, 2, 1), np.uint8), r"^samples: .* uint8"),
        (np.zeros((2, 2, 2, 1)), np.full((2, 2, 2, 1), -1.0), r"^samples: .* found \[-1, -1\]"),
        (np.full((2, 2, 2, 1), 1.01), np.zeros((2, 2, 2, 1)), r"^images: expected pixels in"),
        (np.full((2, 2, 2, 1), np.nan), np.zeros((2, 2, 2, 1)), r"^images: .* found NaN"),
        (np.zeros((2, 2, 2, 1)), np.zeros((2, 2, 2, 3)), r"^samples: expected images \(2, 2, 1\)"),
        (np.zeros((2, 4, 1, 1)), np.zeros((2, 2, 2, 1)), r"^samples: expected images \(4, 1, 1\)"),
    ],
)
def test_bad_input(images, samples, message):
    with pytest.raises(ValueError, match=message):
        nnd(images, samples)
