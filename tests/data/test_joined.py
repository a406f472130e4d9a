"""Several sources side by side: each as if it were alone, at every step, for all readers."""

import functools

import numpy as np
import pytest
import tensorflow as tf

from tf_bigan.data import ImageData, JoinedBatches, StreamedImages, semi_supervised, two_domains
from tf_bigan.errors import UserError


def numbered(n, first=0, channels=1, classes=4):
    """n images of 1x2; the pixels of image i hold first + i, its label is i % classes."""
    images = np.arange(first, first + n, dtype=np.uint8).reshape(-1, 1, 1, 1)
    images = images.repeat(2, axis=2).repeat(channels, axis=3)
    return ImageData(f"from {first}", images, np.arange(n) % classes)


def streamed(n, first=0):
    data = numbered(n, first)
    return StreamedImages(
        name=data.name,
        records=tf.data.Dataset.from_tensor_slices({"image": data.images, "label": data.labels}),
        num_examples=n,
        decode=lambda record: record,
        image_shape=data.image_shape,
        has_labels=True,
        class_names=None,
        buffer_size=n,
    )


def read(dataset, n):
    """n elements, with the numbers of the examples in place of the images."""
    return [
        {key: numbers(value) if key.endswith("image") else value for key, value in element.items()}
        for element in dataset.take(n).as_numpy_iterator()
    ]


def numbers(images):
    return np.rint(images[:, 0, 0, 0] * 255).astype(int)


def assert_same(one, two):
    assert len(one) == len(two)
    for a, b in zip(one, two, strict=True):
        assert a.keys() == b.keys()
        for key in a:
            np.testing.assert_array_equal(a[key], b[key])


def joined(main=numbered):
    """Batches of 6, 4 and 2 from 23, 9 and 5 examples."""
    return JoinedBatches(
        main(23).batches(6, seed=1),
        labelled=numbered(9, first=100).batches(4, seed=2),
        target=streamed(5, first=200).batches(2, seed=3),
    )


@functools.cache
def whole(main):
    """The first 35 steps, read by one reader from the beginning."""
    return read(joined(main).dataset(), 35)


MAINS = pytest.mark.parametrize("main", [numbered, streamed])


@MAINS
def test_keys_shapes_and_what_is_of_the_main_source(main):
    batches = joined(main)
    spec = batches.dataset(replicas=2).element_spec
    assert {key: tuple(value.shape) for key, value in spec.items()} == {
        "image": (3, 1, 2, 1),
        "label": (3,),
        "labelled_image": (2, 1, 2, 1),
        "labelled_label": (2,),
        "target_image": (1, 1, 2, 1),
        "target_label": (1,),
    }
    assert batches.dataset().cardinality() == tf.data.INFINITE_CARDINALITY
    assert (batches.num_examples, batches.batch_size, batches.steps_per_epoch) == (23, 6, 4)
    assert (batches.image_shape, batches.has_labels, batches.seed) == ((1, 2, 1), True, 1)


@MAINS
def test_each_source_gives_what_it_gives_alone(main):
    alone = {
        "": main(23).batches(6, seed=1),
        "labelled_": numbered(9, first=100).batches(4, seed=2),
        "target_": streamed(5, first=200).batches(2, seed=3),
    }
    for start in (0, 7):
        steps = read(joined(main).dataset(start), 11)
        for prefix, batches in alone.items():
            expected = read(batches.dataset(start), 11)
            got = [{key: step[prefix + key] for key in ("image", "label")} for step in steps]
            assert_same(got, expected)


@MAINS
@pytest.mark.parametrize("start", [1, 4, 30])
def test_resuming_gives_the_tail(main, start):
    assert_same(read(joined(main).dataset(start), 5), whole(main)[start : start + 5])


@MAINS
@pytest.mark.parametrize("pipelines", [1, 2])
@pytest.mark.parametrize("start", [0, 3])
def test_replicas_and_pipelines_share_the_global_batches(main, pipelines, start):
    batches, per_step = joined(main), 2 // pipelines
    parts = [
        read(batches.dataset(start, replicas=2, pipelines=pipelines, pipeline=p), 6 * per_step)
        for p in range(pipelines)
    ]
    rows = [
        [part[step * per_step + r] for part in parts for r in range(per_step)] for step in range(6)
    ]
    union = [{key: np.concatenate([row[key] for row in step]) for key in step[0]} for step in rows]
    assert_same(union, whole(main)[start : start + 6])


@pytest.mark.smoke
def test_a_strategy_gets_each_replica_its_rows():
    strategy = tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"])

    def pipeline(context):
        return joined().dataset(
            replicas=context.num_replicas_in_sync, pipelines=context.num_input_pipelines
        )

    element = next(iter(strategy.distribute_datasets_from_function(pipeline)))
    for key in ("image", "labelled_image", "target_image"):
        replicas = strategy.experimental_local_results(element[key])
        got = np.concatenate([numbers(replica.numpy()) for replica in replicas])
        np.testing.assert_array_equal(got, whole(numbered)[0][key])


@MAINS
def test_one_pass_is_the_main_sources(main):
    steps = read(joined(main).one_pass(), 99)
    assert [len(step["image"]) for step in steps] == [6, 6, 6, 5]
    assert [len(step["labelled_image"]) for step in steps] == [4] * 4
    every = np.concatenate([step["image"] for step in steps])
    np.testing.assert_array_equal(np.sort(every), np.arange(23))


def test_refused_joins():
    main = numbered(8).batches(4)
    with pytest.raises(UserError, match="the target images are 1x2x3, the main ones 1x2x1"):
        JoinedBatches(main, target=numbered(8, channels=3).batches(4))
    batches = JoinedBatches(main, labelled=numbered(8).batches(3))
    with pytest.raises(UserError, match="batches of 3 labelled images cannot be divided among 2"):
        batches.dataset(replicas=2)
    with pytest.raises(UserError, match="batch_size=4 cannot be divided among 3"):
        batches.dataset(replicas=3)


@pytest.mark.parametrize("make", [numbered, streamed])
def test_few_labels_among_many_images(make):
    batches = semi_supervised(make(40), labels=8, batch_size=10, seed=3)
    steps = read(batches.dataset(), 12)
    assert set(steps[0]) == {"image", "labelled_image", "labelled_label"}
    every = np.concatenate([step["image"] for step in steps])
    np.testing.assert_array_equal(np.sort(every[:40]), np.arange(40))

    few = np.concatenate([step["labelled_image"] for step in steps])
    labels = np.concatenate([step["labelled_label"] for step in steps])
    assert len(set(few.tolist())) == 8 and len(few) == 96  # all 8 at each step
    np.testing.assert_array_equal(labels, few % 4)
    assert np.bincount(np.unique(few) % 4).tolist() == [2, 2, 2, 2]
    assert len({tuple(step["labelled_image"]) for step in steps}) > 6  # in another order


def test_labelled_batch_sizes():
    def size(**options):
        batches = semi_supervised(numbered(40), labels=12, **options)
        return read(batches.dataset(), 1)[0]["labelled_label"].shape[0]

    assert size(batch_size=5) == 5
    assert size(batch_size=20) == 12
    with pytest.raises(UserError, match="3 labelled examples .* at least 4"):
        semi_supervised(numbered(40), labels=3, batch_size=5)


def test_two_domains_are_not_paired():
    batches = two_domains(numbered(100), numbered(100, first=100), batch_size=25, seed=6)
    steps = read(batches.dataset(), 4)
    source, target = (np.concatenate([s[key] for s in steps]) for key in ("image", "target_image"))
    np.testing.assert_array_equal(np.sort(source), np.arange(100))
    np.testing.assert_array_equal(np.sort(target), np.arange(100, 200))
    assert np.mean(source == target - 100) < 0.1
    for step in steps:
        np.testing.assert_array_equal(step["target_label"], step["target_image"] % 4)


@pytest.mark.parametrize("colours", [(1, 3), (3, 1), (3, 3), (1, 1)])
def test_the_grey_domain_is_given_three_channels(colours):
    source, target = (numbered(8, channels=c) for c in colours)
    batches = two_domains(source, target, batch_size=4)
    assert batches.image_shape == (1, 2, max(colours))
    for step in batches.dataset().take(2).as_numpy_iterator():
        for key in ("image", "target_image"):
            assert step[key].shape == (4, 1, 2, max(colours))
            assert (step[key] == step[key][..., :1]).all()
            np.testing.assert_array_equal(
                step[key.replace("image", "label")], numbers(step[key]) % 4
            )


def test_domains_that_cannot_meet():
    wide = ImageData("wide", np.zeros((8, 1, 5, 1), np.uint8))
    with pytest.raises(
        UserError, match="the target images are 1x5x1, .* 1x2x1: set image_size=SIDE"
    ):
        two_domains(numbered(8), wide, batch_size=4)
    with pytest.raises(UserError, match="1 channels to 4"):
        two_domains(numbered(8), numbered(8, channels=4), batch_size=4)
    with pytest.raises(UserError, match="larger than the data"):
        two_domains(numbered(8), numbered(3), batch_size=4)
