"""The balanced, seeded choice of labelled examples."""

import dataclasses

import numpy as np
import pytest
import tensorflow as tf

from tf_bigan.data import ImageData, StreamedImages, load, splits
from tf_bigan.errors import UserError


def held(labels):
    """Image i is one pixel that holds i."""
    images = np.arange(len(labels), dtype=np.uint8).reshape(-1, 1, 1, 1)
    return ImageData("some", images, np.asarray(labels, np.int64))


def streamed(labels):
    """The same, as undecoded records; decoding is refused, since choosing must not need it."""

    def decode(record):
        raise AssertionError("decoded")

    data = held(labels)
    return StreamedImages(
        name="some",
        records=tf.data.Dataset.from_tensor_slices({"image": data.images, "label": data.labels}),
        num_examples=len(data),
        decode=decode,
        image_shape=(1, 1, 1),
        has_labels=True,
        class_names=None,
        buffer_size=len(data),
    )


def chosen(images, count, seed=0):
    """(numbers of the examples, their labels)."""
    some = splits.balanced(images, count, seed)
    assert len(some) == count
    if isinstance(some, ImageData):
        return some.images.ravel(), some.labels
    records = list(some.records.as_numpy_iterator())
    numbers = np.concatenate([r["image"].ravel() for r in records])
    return numbers, np.array([r["label"] for r in records])


LABELS = np.random.RandomState(3).permutation(np.repeat([0, 1, 2], [60, 10, 30]))
SOURCES = pytest.mark.parametrize("make", [held, streamed])


@SOURCES
@pytest.mark.parametrize("count", [3, 4, 5, 12, 29, 30])
def test_exact_and_equal_and_never_twice(make, count):
    numbers, labels = chosen(make(LABELS), count)
    np.testing.assert_array_equal(labels, LABELS[numbers])
    assert (np.diff(numbers.astype(int)) > 0).all()  # each once, in the order of the source
    sizes = np.bincount(labels, minlength=3)
    assert sizes.sum() == count and sizes.max() - sizes.min() == (count % 3 > 0)


def test_memory_and_stream_choose_the_same():
    one, two = chosen(held(LABELS), 20, seed=5), chosen(streamed(LABELS), 20, seed=5)
    np.testing.assert_array_equal(one, two)


def test_the_seed_alone_decides():
    draws = [set(chosen(held(LABELS), 9, seed)[0].tolist()) for seed in range(30)]
    assert draws[4] == set(chosen(held(LABELS), 9, seed=4)[0].tolist())
    assert len({frozenset(draw) for draw in draws}) == 30

    # Each of 10 examples of class 1 is among its 3 with probability .3: 9 +- 2.5 of 30 draws.
    often = np.sum([[i in draw for i in np.flatnonzero(LABELS == 1)] for draw in draws], axis=0)
    assert often.sum() == 90 and often.min() >= 2 and often.max() <= 17


def test_the_remainder_goes_to_any_class():
    extra = [np.bincount(chosen(held(LABELS), 4, seed)[1]).argmax() for seed in range(60)]
    counts = np.bincount(extra, minlength=3)  # 20 +- 3.7 each
    assert counts.min() >= 8 and counts.max() <= 34


def test_a_larger_choice_contains_a_smaller_one():
    draws = [set(chosen(held(LABELS), count, seed=2)[0].tolist()) for count in range(3, 31)]
    assert all(small < large for small, large in zip(draws, draws[1:], strict=False))


def test_classes_are_those_that_occur():
    _, labels = chosen(held(np.repeat([2, 7], 5)), 4)
    assert sorted(labels.tolist()) == [2, 2, 7, 7]


def test_the_digits():
    digits = splits.balanced(load("digits"), 100, seed=1)
    assert np.bincount(digits.labels).tolist() == [10] * 10
    originals = {image.tobytes() for image in load("digits").images}
    assert {image.tobytes() for image in digits.images} <= originals


def test_a_rare_class_gives_all_it_has_and_the_others_more():
    _, labels = chosen(held(LABELS), 50)
    assert np.bincount(labels).tolist() == [20, 10, 20]
    numbers, _ = chosen(held(LABELS), 100)
    assert numbers.tolist() == list(range(100))


@SOURCES
def test_refused_choices(make):
    for count in (2, 0, -5, 101):
        with pytest.raises(UserError, match=f"{count} labelled .* at least 3, .* at most all 100"):
            splits.balanced(make(LABELS), count, 0)
    for seed in (-1, 2**40):
        with pytest.raises(UserError, match=f"seed={seed}"):
            splits.balanced(make(LABELS), 9, seed)


def test_labels_are_needed():
    unlabelled = ImageData("bare", np.zeros((9, 1, 1, 1), np.uint8))
    with pytest.raises(UserError, match="bare has no labels"):
        splits.balanced(unlabelled, 3, 0)


def test_unlabelled_or_damaged_streams():
    images = streamed(LABELS)
    with pytest.raises(UserError, match="some has no labels"):
        splits.balanced(dataclasses.replace(images, has_labels=False), 3, 0)

    def broken(record):
        return {**record, "label": tf.io.decode_raw(tf.constant("abc"), tf.int64)[0]}

    with pytest.raises(UserError, match="some: its labels cannot be read"):
        splits.balanced(dataclasses.replace(images, records=images.records.map(broken)), 3, 0)
