import numpy as np
import pytest

from tf_bigan.evaluation import memorisation


def pixels(*values):
    return np.array(values, np.float32).reshape(-1, 1, 1, 1)


def test_by_hand():
    samples = pixels(0.25, 0.5, 0.875)
    ratio, nearer = memorisation(samples, pixels(0, 0.5, 1), pixels(0.125, 0.625, 0))
    # Nearest training images: .25, 0, .125 away; nearest held-out ones: .125, .125, .25.
    assert ratio == pytest.approx(0.375 / 0.5, rel=1e-12)
    assert nearer == pytest.approx(100 * 2 / 3, rel=1e-12)


def test_copies_and_fresh_images():
    rng = np.random.default_rng(0)
    train, held_out, fresh = rng.random((3, 300, 3, 3, 1))
    assert memorisation(train[::-1], train, held_out) == (0, 100)
    ratio, nearer = memorisation(fresh, train, held_out)
    assert ratio == pytest.approx(1, abs=0.03)
    assert nearer == pytest.approx(50, abs=9)  # a standard error of 2.9
    ratio, nearer = memorisation(np.concatenate([fresh, train]), train, held_out)
    assert ratio == pytest.approx(0.5, abs=0.03) and nearer == pytest.approx(75, abs=5)


def test_a_tie_counts_half():
    train, held_out = pixels(0, 1), pixels(1, 0)
    assert memorisation(pixels(0.25, 0.5, 0.9), train, held_out) == (1, 50)


def test_every_training_image_is_searched():
    rng = np.random.default_rng(1)
    train, held_out, fresh = rng.random((4000, 2, 2, 1)), *rng.random((2, 400, 2, 2, 1))
    assert memorisation(train[-300:], train, held_out) == (0, 100)
    # In four dimensions the nearest of ten times as many is at 10^(-1/4) of the distance.
    assert memorisation(fresh, train, held_out).ratio == pytest.approx(0.56, abs=0.06)


IMAGES = np.random.default_rng(2).random((4, 2, 2, 1))


@pytest.mark.parametrize(
    ("samples", "train", "held_out", "message"),
    [
        (IMAGES[0], IMAGES, IMAGES, r"^samples: expected non-empty images"),
        (IMAGES, IMAGES * 255, IMAGES, r"^train_images has values from"),
        (IMAGES, IMAGES, IMAGES[:, :1], r"^held_out_images: expected images \(2, 2, 1\) as in sam"),
        (IMAGES * np.nan, IMAGES, IMAGES, r"^samples: .* NaN"),
        (IMAGES, IMAGES, IMAGES[::-1], r"^samples: .* each is one of held_out_images"),
    ],
)
def test_bad_input(samples, train, held_out, message):
    with pytest.raises(ValueError, match=message):
        memorisation(samples, train, held_out)
