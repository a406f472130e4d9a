"""The stream of batches: each example once a pass, for any readers, from any step."""

import functools
import itertools

import numpy as np
import pytest
import tensorflow as tf

from tf_bigan.data import ImageData, StreamedImages
from tf_bigan.data.pipeline import ArrayBatches, stream_index
from tf_bigan.errors import UserError


def numbered(n, labels=True):
    """n images of 2x3x1; image i holds i // 256 and i % 256, its label is i."""
    images = np.zeros((n, 2, 3, 1), np.uint8)
    images[:, 0, 0, 0], images[:, 0, 1, 0] = np.divmod(np.arange(n), 256)
    return ImageData("numbered", images, np.arange(n) if labels else None)


def streamed(n, buffer_size=None):
    data = numbered(n)
    return StreamedImages(
        name="numbered",
        records=tf.data.Dataset.from_tensor_slices({"image": data.images, "label": data.labels}),
        num_examples=n,
        decode=lambda record: record,
        image_shape=data.image_shape,
        has_labels=True,
        class_names=None,
        buffer_size=buffer_size or n,
    )


def held(batch):
    """The numbers of the examples in a batch, read from the pixels."""
    pixels = np.rint(np.asarray(batch["image"]) * 255).astype(int)
    return pixels[:, 0, 0, 0] * 256 + pixels[:, 0, 1, 0]


def read(dataset, n):
    return [held(batch) for batch in dataset.take(n)]


@functools.cache
def whole(make):
    """The first 206 batches of 6 from 31 examples, read by one reader from the beginning."""
    return read(make(31).batches(6, seed=5).dataset(), 206)


SOURCES = pytest.mark.parametrize("make", [numbered, streamed])


@SOURCES
def test_elements_are_float_images_with_their_labels_and_static_shapes(make):
    dataset = make(7).batches(4, seed=1).dataset()
    assert dataset.element_spec == {
        "image": tf.TensorSpec([4, 2, 3, 1], tf.float32),
        "label": tf.TensorSpec([4], tf.int64),
    }
    assert dataset.cardinality() == tf.data.INFINITE_CARDINALITY
    for batch in dataset.take(5):
        np.testing.assert_array_equal(held(batch), batch["label"])
        assert batch["image"].numpy().max() <= 6 / 255


def test_pixels_are_divided_by_255_as_in_as_float():
    data = ImageData("grey", np.arange(256, dtype=np.uint8).reshape(256, 1, 1, 1))
    batch = next(iter(data.batches(256).dataset()))["image"].numpy()
    np.testing.assert_array_equal(np.sort(batch.ravel()), data.as_float().ravel())
    assert data.as_float([51]).ravel() == pytest.approx(0.2, abs=1e-7)


def test_without_labels_there_is_no_label():
    batches = numbered(5, labels=False).batches(2)
    assert not batches.has_labels
    assert set(batches.dataset().element_spec) == {"image"}


@SOURCES
@pytest.mark.parametrize("n, batch", [(10, 4), (12, 4), (7, 7), (1, 1), (301, 16)])
def test_each_pass_holds_each_example_once(make, n, batch):
    batches = make(n).batches(batch, seed=3)
    assert batches.steps_per_epoch == int(np.ceil(n / batch))
    steps = -(-3 * n // batch)
    stream = np.concatenate(read(batches.dataset(), steps))
    for e in range(3):
        np.testing.assert_array_equal(np.sort(stream[e * n : (e + 1) * n]), np.arange(n))


@SOURCES
def test_passes_and_seeds_differ(make):
    def passes(seed):
        stream = np.concatenate(read(make(50).batches(25, seed=seed).dataset(), 4))
        return stream[:50], stream[50:]

    first, second = passes(0)
    other, _ = passes(1)
    largest, _ = passes(2**31 - 1)
    next_to_it, _ = passes(2**31 - 2)
    for one, two in itertools.combinations(
        (first, second, other, largest, next_to_it, np.arange(50)), 2
    ):
        assert np.mean(one == two) < 0.3
    np.testing.assert_array_equal(passes(0)[0], first)


@SOURCES
@pytest.mark.parametrize("replicas, pipelines", [(1, 1), (3, 1), (2, 2), (6, 3), (6, 2)])
@pytest.mark.parametrize("start", [0, 3])
def test_replicas_and_pipelines_share_the_global_batch(make, replicas, pipelines, start):
    batches = make(31).batches(6, seed=5)
    per_step = replicas // pipelines
    parts = [
        read(
            batches.dataset(start, replicas=replicas, pipelines=pipelines, pipeline=p), 8 * per_step
        )
        for p in range(pipelines)
    ]
    for step, rows in enumerate(whole(make)[start : start + 8]):
        joined = [part[step * per_step + r] for part in parts for r in range(per_step)]
        np.testing.assert_array_equal(np.concatenate(joined), rows)


@SOURCES
@pytest.mark.parametrize("start", [1, 5, 6, 11, 200])
def test_resuming_gives_the_tail(make, start):
    tail = whole(make)[start : start + 6]
    np.testing.assert_array_equal(read(make(31).batches(6, seed=5).dataset(start), 6), tail)


def test_a_streams_order_does_not_depend_on_the_global_seed_and_needs_no_whole_buffer():
    orders = []
    for seed in (1, 2):
        tf.random.set_seed(seed)
        orders.append(read(streamed(40, buffer_size=10).batches(8, seed=4).dataset(), 10))
    np.testing.assert_array_equal(*orders)
    np.testing.assert_array_equal(np.sort(np.concatenate(orders[0][:5])), np.arange(40))


@pytest.mark.parametrize("n", [1797, 50_000, 60_000])
def test_the_permutations_look_random(n):
    """Neighbours in a pass, and one place in two passes, must be independent: chi-squared over
    10 x 10 cells has mean 99 and deviation 14, and 4 rounds of the cipher give thousands."""

    def order(number):
        return stream_index(tf.range(n, dtype=tf.int64) + number * n, n, 42).numpy() / n

    def chi2(u, v):
        cells = np.histogram2d(u, v, 10, [[0, 1], [0, 1]])[0]
        return ((cells - len(u) / 100) ** 2).sum() / (len(u) / 100)

    first, second = order(0), order(1)
    assert 40 < chi2(first[:-1], first[1:]) < 180
    assert 40 < chi2(first, second) < 180
    assert 40 < chi2(first, np.arange(n) / n) < 180


@SOURCES
def test_refused_batches(make):
    data = make(10)
    for size, message in ((0, "batch_size=0"), (-3, "batch_size=-3"), (11, "larger than the data")):
        with pytest.raises(UserError, match=message):
            data.batches(size)
    for seed in (-1, 2**31, 2**32, 0.5):  # none is taken for another
        with pytest.raises(UserError, match=f"seed={seed}"):
            data.batches(4, seed=seed)
    with pytest.raises(UserError, match="3 replicas"):
        data.batches(10).dataset(replicas=3)
    with pytest.raises(UserError, match="pipeline"):
        data.batches(10).dataset(replicas=2, pipelines=2, pipeline=2)
    with pytest.raises(UserError, match="pipeline"):
        data.batches(10).dataset(replicas=2, pipelines=4)


@SOURCES
def test_one_pass_holds_each_example_once(make):
    batches = make(31).batches(6, seed=5)
    parts = read(batches.one_pass(), 99)
    assert [len(part) for part in parts] == [6] * 5 + [1]
    np.testing.assert_array_equal(np.concatenate(parts), np.concatenate(whole(make))[:31])
    np.testing.assert_array_equal(
        np.concatenate(read(batches.one_pass(), 99)), np.concatenate(parts)
    )
    (labels,) = {batch["label"].shape[0] for batch in batches.one_pass().take(5)}
    assert labels == 6
    assert [len(part) for part in read(make(12).batches(6).one_pass(), 99)] == [6, 6]


@SOURCES
@pytest.mark.parametrize("pipelines", [1, 2])
def test_one_pass_over_replicas(make, pipelines):
    """Of 35 examples in batches of 6, the last 5 make 2 rows for each of 2 replicas."""
    batches, per_step = make(35).batches(6, seed=5), 2 // pipelines
    parts = [
        read(batches.one_pass(replicas=2, pipelines=pipelines, pipeline=p), 99)
        for p in range(pipelines)
    ]
    steps = [
        [part[step * per_step + r] for part in parts for r in range(per_step)] for step in range(6)
    ]
    assert [[len(rows) for rows in step] for step in steps] == [[3, 3]] * 5 + [[2, 2]]
    expected = np.concatenate(read(batches.one_pass(), 99))[:34]
    np.testing.assert_array_equal(
        np.concatenate([rows for step in steps for rows in step]), expected
    )


def test_float_images_and_images_of_any_name():
    pixels = np.linspace(0, 1, 10, dtype=np.float32).reshape(10, 1, 1, 1) * np.float32(1 + 1e-7)
    grey = np.full((10, 1, 1, 1), 51, np.uint8)
    arrays = {"image": pixels, "target_image": grey, "weight": np.arange(10.0)}
    (batch,) = ArrayBatches(arrays, 10).one_pass()
    np.testing.assert_array_equal(
        np.sort(batch["image"].numpy().ravel()), pixels.ravel().clip(0, 1)
    )
    assert batch["target_image"].numpy() == pytest.approx(np.full((10, 1, 1, 1), 0.2), abs=1e-7)
    assert batch["weight"].dtype == tf.float64
    with pytest.raises(UserError, match="image has values from 0 to 2"):
        ArrayBatches({"image": pixels * 2}, 10)
