"""MNIST-M-like images from small hand-made digits."""

import struct

import numpy as np
import pytest

from tf_bigan.data import load, mnist_m
from tf_bigan.errors import UserError


def test_the_blend_by_hand():
    digits = np.array([[[0, 255, 100]], [[40, 255, 0]]], np.uint8)[..., None]  # two of 1x3
    photograph = np.array([[[10, 200, 100], [10, 200, 100], [250, 0, 101]]], np.uint8)[None]
    # only one patch fits: [10 200 100] [10 200 100] [250 0 101]
    assert mnist_m.blend(digits, photograph, seed=0).tolist() == [
        [[[10, 200, 100], [245, 55, 155], [150, 100, 1]]],
        [[[30, 160, 60], [245, 55, 155], [250, 0, 101]]],
    ]


def test_patches_come_evenly_from_every_place():
    # 2 photographs of 4x5, each pixel a value of its own; patches of 2x3: 2 * 3 * 3 places
    photographs = np.arange(2 * 4 * 5 * 3, dtype=np.uint8).reshape(2, 4, 5, 3)
    blank = np.zeros((1800, 2, 3, 1), np.uint8)
    found = mnist_m.blend(blank, photographs, seed=0)
    places = {
        photographs[p, top : top + 2, left : left + 3].tobytes(): 0
        for p in range(2)
        for top in range(3)
        for left in range(3)
    }
    for patch in found:
        places[patch.tobytes()] += 1  # KeyError: not a patch
    counts = np.array(list(places.values()))  # 100 +- 9.7 each
    assert len(counts) == 18 and counts.min() > 60 and counts.max() < 140


def test_it_is_deterministic_and_does_not_depend_on_the_number():
    photographs = np.random.RandomState(0).randint(0, 256, (3, 20, 30, 3)).astype(np.uint8)
    digits = np.random.RandomState(1).randint(0, 256, (2500, 8, 8, 1)).astype(np.uint8)
    whole = mnist_m.blend(digits, photographs, seed=4)  # three chunks
    np.testing.assert_array_equal(mnist_m.blend(digits[:1100], photographs, 4), whole[:1100])
    np.testing.assert_array_equal(mnist_m.blend(digits, photographs, 4), whole)
    assert (mnist_m.blend(digits, photographs, 5) != whole).mean() > 0.9
    # |patch - digit| undone where the sign is known: a digit of 255 gives 255 - patch
    white, black = (
        mnist_m.blend(np.full_like(digits, value), photographs, 4) for value in (255, 0)
    )
    np.testing.assert_array_equal(white, 255 - black)


def test_train_and_test_see_other_pixels_of_the_same_scenes():
    from sklearn.datasets import load_sample_images

    pictures = load_sample_images().images
    parts = mnist_m._photographs()
    assert {part: strips.shape for part, strips in parts.items()} == {
        "train": (10, 427, 64, 3),
        "test": (10, 427, 64, 3),
    }
    columns = {column.tobytes() for picture in pictures for column in picture.swapaxes(0, 1)}
    seen = {
        part: {column.tobytes() for strip in strips for column in strip.swapaxes(0, 1)}
        for part, strips in parts.items()
    }
    assert seen["train"] | seen["test"] == columns and not seen["train"] & seen["test"]
    assert abs(parts["train"].mean() - parts["test"].mean()) < 5  # of 103


@pytest.fixture
def mnist_files(tmp_path):
    """A directory with 30 and 20 hand-made digits of 28x28, all black but a white bar."""
    for prefix, n in (("train", 30), ("t10k", 20)):
        images = np.zeros((n, 28, 28), np.uint8)
        images[:, 4:24, 13:15] = 255
        labels = (np.arange(n) % 10).astype(np.uint8)
        for kind, array in (("images-idx3", images), ("labels-idx1", labels)):
            header = bytes([0, 0, 8, array.ndim]) + struct.pack(f">{array.ndim}I", *array.shape)
            (tmp_path / f"{prefix}-{kind}-ubyte").write_bytes(header + array.tobytes())
    return str(tmp_path)


def test_load(mnist_files, capfd):
    train = load("mnist_m", data_dir=mnist_files)
    test = load("mnist_m", "test", data_dir=mnist_files)
    assert "mnist_m (train): 30 images 28x28x3, in memory, from " in capfd.readouterr().err
    assert (train.images.shape, test.images.shape) == ((30, 28, 28, 3), (20, 28, 28, 3))
    assert train.images.dtype == np.uint8 and train.num_classes == 10 and train.name == "mnist_m"
    np.testing.assert_array_equal(train.labels, np.arange(30) % 10)
    np.testing.assert_array_equal(load("mnist_m", data_dir=mnist_files).images, train.images)

    # Beside the bar lies the photograph, on it the inverse: across its edge they add up to 255,
    # as far as neighbouring pixels of a photograph are alike.
    for data in (train, test):
        bar, beside = (data.images[:, 4:24, c].astype(int) for c in (13, 12))
        assert np.median(np.abs(bar + beside - 255)) < 16
        assert np.median(np.abs(bar - beside)) > 60
    # and the parts differ in their draws, not only in their strips
    assert (train.images[:20] != test.images).mean() > 0.8


def test_the_parts_draw_their_patches_apart(mnist_files, monkeypatch):
    """Where both had the same photographs, and have the same digits."""
    strips = mnist_m._photographs()["train"]
    monkeypatch.setattr(mnist_m, "_photographs", lambda: {"train": strips, "test": strips})
    train, test = (load("mnist_m", part, data_dir=mnist_files) for part in ("train", "test"))
    assert (train.images[:20] != test.images).mean() > 0.8


def test_load_converts_and_splits(mnist_files):
    data = load("mnist_m", "validation", data_dir=mnist_files, validation=7, image_size=14)
    assert data.images.shape == (7, 14, 14, 3)
    grey = load("mnist_m", data_dir=mnist_files, validation=7, channels=1)
    assert grey.images.shape == (23, 28, 28, 1)


def test_without_mnist_the_ways_to_get_it_are_named(mnist_files, tmp_path):
    (tmp_path / "t10k-labels-idx1-ubyte").unlink()
    with pytest.raises(UserError, match="only some of the MNIST files"):
        load("mnist_m", data_dir=mnist_files)
