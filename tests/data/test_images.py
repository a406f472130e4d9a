"""Conversion of sizes and channels, splits, and the two kinds of image sets."""

import re

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from tf_bigan.data import ImageData, decoding, load, splits
from tf_bigan.data.images import convert
from tf_bigan.errors import UserError


def converted(pixels, **options):
    if isinstance(options.get("image_size"), int):
        options["image_size"] = (options["image_size"],) * 2
    return ImageData("x", np.asarray(pixels, np.uint8)[None]).converted(**options).images[0]


def test_channels_by_luma_and_repetition():
    colour = [[[255, 0, 0], [0, 255, 0], [0, 0, 255], [10, 20, 30]]]
    # .299 * 255 = 76.2, .587 * 255 = 149.7, .114 * 255 = 29.1, 2.99 + 11.74 + 3.42 = 18.15
    assert converted(colour, channels=1).ravel().tolist() == [76, 150, 29, 18]
    grey = converted([[[7], [200]]], channels=3)
    assert grey.tolist() == [[[7, 7, 7], [200, 200, 200]]]


def test_sizes_by_hand():
    # Halving with the triangle filter of width 2: weights 1, 3, 3, 1 over 8, cut at the edges.
    row = np.array([[0, 80, 160, 240]], np.uint8)[..., None]
    left = (3 * 0 + 3 * 80 + 1 * 160) / 7
    right = (1 * 80 + 3 * 160 + 3 * 240) / 7
    got = converted(row, image_size=(1, 2), resize="stretch").ravel()
    assert got.tolist() == [round(left), round(right)]
    assert converted(np.full((5, 7, 3), 255), image_size=(3, 2)).min() == 255
    assert converted(np.full((5, 7, 1), 255), image_size=(11, 9)).min() == 255


@pytest.mark.parametrize("resize", decoding.RESIZES)
@pytest.mark.parametrize("size", [(20, 21), (64, 10), (9, 100)])
def test_arrays_are_resized_as_files_are(resize, size):
    pixels = np.random.RandomState(0).randint(0, 256, (64, 49, 3)).astype(np.uint8)
    form = {"resize": resize, "background": "#0a141e"}
    ours = convert(tf.constant(pixels), size, **form).numpy()
    theirs = np.asarray(decoding.fitted(Image.fromarray(pixels), size, **form))
    assert ours.shape == theirs.shape == (*size, 3)
    assert np.abs(ours.astype(int) - theirs).max() <= 2  # Pillow computes in fixed point
    sized = tf.TensorSpec([None, None, 3], tf.uint8)  # as the images of a stream that differ
    traced = tf.function(lambda x: convert(x, size, **form), input_signature=[sized])
    np.testing.assert_array_equal(traced(pixels), ours)


def test_other_aspect_ratios_by_hand():
    wide = np.array([[10, 20, 30, 40]] * 2, np.uint8)[..., None]  # 2 × 4
    assert converted(wide, image_size=2).tolist() == [[[20], [30]]] * 2  # the middle
    small = converted(wide, image_size=(4, 4), resize="pad", background="#646464")
    assert small[..., 0].tolist() == [[100] * 4, *[[10, 20, 30, 40]] * 2, [100] * 4]
    assert converted(wide, image_size=(2, 8), resize="stretch").shape == (2, 8, 1)
    line = np.full((1, 500, 4), 9, np.uint8)
    assert converted(line, image_size=8, resize="pad")[:, :, 3].any(1).sum() == 1  # transparent


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"resize": "squash"}, "resize=squash: choose one of crop, pad, stretch"),
        ({"background": "whyte"}, "background=whyte is no colour"),
    ],
)
def test_refused_options(options, message):
    with pytest.raises(UserError, match=message):
        load("digits", **options)


def test_chunks_cover_all_images():
    images = np.random.RandomState(0).randint(0, 256, (2500, 2, 2, 1)).astype(np.uint8)
    colour = ImageData("x", images).converted(channels=3)
    np.testing.assert_array_equal(colour.images, np.repeat(images, 3, -1))


def test_refused_conversions():
    with pytest.raises(UserError, match="4 channels to 1"):
        converted(np.zeros((2, 2, 4)), channels=1)
    for size in (0, (4, -1), (1, 2, 3), "32", 32.0, (8, 8.5)):
        with pytest.raises(UserError, match="image_size"):
            load("digits", image_size=size)
    with pytest.raises(UserError, match="channels=2"):
        load("digits", channels=2)


def test_image_data_checks_its_arrays():
    with pytest.raises(UserError, match="uint8"):
        ImageData("x", np.zeros((2, 2, 2, 1), np.float32))
    with pytest.raises(UserError, match="labels"):
        ImageData("x", np.zeros((2, 2, 2, 1), np.uint8), np.zeros(3, np.int64))


@pytest.mark.smoke
def test_digits():
    train, test = load("digits"), load("digits", "test")
    assert (len(train), len(test)) == (1498, 299)
    assert train.image_shape == (8, 8, 1) and train.num_classes == 10
    assert (train.images.min(), train.images.max()) == (0, 255)
    assert set(np.unique(train.images)) == set(np.rint(np.arange(17) * 255 / 16))
    resized = load("digits", image_size=16, channels=3).take(5)
    assert resized.images.shape == (5, 16, 16, 3)
    np.testing.assert_array_equal(resized.labels, train.labels[:5])


def numbered(n):
    return ImageData("n", np.zeros((n, 1, 1, 1), np.uint8), np.arange(n))


def chosen(parts, **options):
    options = {"validation": 0, "seed": 0, **options}
    return [set(splits.choose(parts, split, **options).labels.tolist()) for split in splits.SPLITS]


def test_splits_are_disjoint_complete_and_seeded():
    parts = {"train": numbered(60)}
    train, validation, test = chosen(parts, validation=20, seed=1)
    assert (len(train), len(validation), len(test)) == (30, 20, 10)
    assert train | validation | test == set(range(60))

    train_2, validation_2, test_2 = chosen(parts, validation=20, seed=2)
    assert test_2 == test and validation_2 != validation
    assert chosen(parts, validation=7, seed=2)[2] == test
    assert chosen(parts, validation=20, seed=1) == [train, validation, test]
    assert validation != set(range(20)) and test != set(range(50, 60))


def test_a_sources_own_parts_are_used():
    own = {"train": numbered(60), "test": numbered(5), "validation": numbered(3)}
    assert [len(s) for s in chosen(own)] == [60, 3, 5]
    assert [len(s) for s in chosen(own, validation=10)] == [50, 10, 5]
    assert chosen(own, validation=None) == chosen(own, validation=0)


def test_validation_by_default_is_a_sixth_and_the_same_for_every_seed():
    parts = {"train": numbered(72)}
    first, second = (chosen(parts, validation=None, seed=seed) for seed in (1, 2))
    assert first == second and [len(split) for split in first] == [50, 10, 12]
    with_test = {"train": numbered(60_000), "test": numbered(10_000)}
    assert [len(s) for s in chosen(with_test, validation=None)] == [50_000, 10_000, 10_000]
    assert [len(s) for s in chosen({"train": numbered(4)}, validation=None)] == [1, 2, 1]


def test_refused_splits():
    parts = {"train": numbered(12)}
    for split, validation, message in (
        ("validation", 0, "set validation=N"),
        ("train", 10, "cannot reserve 10 examples of 10: give at most 9"),
        ("train", -1, "validation=-1"),
        ("dev", 0, "train, validation, test"),
    ):
        with pytest.raises(UserError, match=message):
            splits.choose(parts, split, validation, 0)


@pytest.mark.parametrize(
    ("parts", "validation", "words"),
    [
        (
            {"train": 1},
            None,
            "1 example of 1: give at least 4 images, or 3 with",
        ),
        ({"train": 3}, None, "2 examples of 2: give at least 4 images, or 3 with valid"),
        ({"train": 1}, 0, "1 example of 1: give at least 4 images, or 3 with validation=0"),
        ({"train": 2, "test": 1}, None, ".*: give at least 3 images, or 2 with validation=0"),
        ({"train": 1, "validation": 2}, None, ".*: give at least 2 images"),
        ({"train": 2}, 5, "5 examples of .: give at least 4 images, or 3 with validation=0"),
    ],
)
def test_too_few_images(parts, validation, words):
    def choose(count):
        more = {"train": numbered(count)}
        return splits.choose(others | more, "train", validation, 0)

    others = {part: numbered(count) for part, count in parts.items()}
    with pytest.raises(UserError, match=f"n: cannot reserve {words}"):
        choose(parts["train"])
    if not validation:  # what it says is enough
        enough = int(re.findall(r"at least (\d)", words)[0])
        assert len(choose(enough)) > 0
