"""Batches from several sources: few labelled examples among many images, or two domains."""

from __future__ import annotations

import dataclasses

import tensorflow as tf

from tf_bigan.data import splits
from tf_bigan.data.images import ImageData
from tf_bigan.data.pipeline import Batches
from tf_bigan.errors import UserError


class JoinedBatches(Batches):
    """Batches that join the elements of several sources.

    main: its keys keep their names. It determines the length of an epoch, and batch_size,
      num_examples, image_shape, has_labels and seed.
    others: the keys of `name=batches` become "name_image", "name_label". They may have other
      batch sizes, and repeat as often as needed.

    At each global step, every source gives the same batch as it would alone.

    Raises UserError if the image shapes differ; `dataset`, if the replicas do not divide each of
    the batches.
    """

    def __init__(self, main: Batches, **others: Batches):
        super().__init__(
            main.num_examples, main.image_shape, main.has_labels, main.batch_size, main.seed
        )
        for name, batches in others.items():
            if batches.image_shape != self.image_shape:
                raise UserError(
                    f"the {name} images are {_text(batches.image_shape)}, the main ones "
                    f"{_text(self.image_shape)}: set image_size=SIDE and channels=N for all"
                )
        self._main, self._others = main, others

    def one_pass(self, *, replicas: int = 1, pipelines: int = 1, pipeline: int = 0):
        """One pass over the main source, as its own `one_pass`; other batches are complete."""
        parts = {"replicas": replicas, "pipelines": pipelines, "pipeline": pipeline}
        others = {name: batches.dataset(**parts) for name, batches in self._others.items()}
        return _zipped(self._main.one_pass(**parts), others)

    def _elements(self, start_step, rows, replicas):
        count = self.batch_size // rows  # replicas, over all pipelines
        for name, batches in self._others.items():
            if batches.batch_size % count:
                raise UserError(
                    f"the batches of {batches.batch_size} {name} images cannot be divided among "
                    f"{count} replicas: use a multiple of {count}"
                )

        def elements(batches):
            return batches._elements(start_step, batches.batch_size // count, replicas)

        others = {name: elements(batches) for name, batches in self._others.items()}
        return _zipped(elements(self._main), others)


def _zipped(main: tf.data.Dataset, others: dict[str, tf.data.Dataset]) -> tf.data.Dataset:
    def join(main, others):
        named = {
            f"{name}_{key}": value for name, batch in others.items() for key, value in batch.items()
        }
        return {**main, **named}

    return tf.data.Dataset.zip((main, others)).map(join)


def semi_supervised(
    images: splits.Images, labels: int, batch_size: int, seed: int = 0
) -> JoinedBatches:
    """All images without labels, joined with a labelled subset.

    Elements: {"image", "labelled_image", "labelled_label"}. The labelled examples are
    `splits.balanced(images, labels, seed)`, held in memory. Their batch size is the same, or the
    number of labelled examples if that is smaller.

    Args:
        images: labelled images.
        labels: number of labelled examples.
        batch_size, seed: as in `Batches`.

    Raises:
        UserError: as `splits.balanced` and `Batches` do.
    """
    labelled = splits.balanced(images, labels, seed).take(labels)
    return JoinedBatches(
        _unlabelled(images).batches(batch_size, seed),
        labelled=labelled.batches(min(batch_size, labels), _another(seed)),
    )


def two_domains(
    source: splits.Images, target: splits.Images, batch_size: int, seed: int = 0
) -> JoinedBatches:
    """The source's examples, joined with equally many of the target's, unpaired.

    Elements: {"image", "label", "target_image", "target_label"}, labels only if available. If one
    domain is grey and the other in colour, the grey one is converted to three channels.

    Raises UserError if the sizes or channels differ otherwise, and as `Batches` does.
    """
    channels = max(images.image_shape[-1] for images in (source, target))
    source, target = (images.converted(channels=channels) for images in (source, target))
    return JoinedBatches(
        source.batches(batch_size, seed), target=target.batches(batch_size, _another(seed))
    )


def _unlabelled(images: splits.Images) -> splits.Images:
    if isinstance(images, ImageData):
        return dataclasses.replace(images, labels=None)

    def decode(record):
        return {"image": images.decode(record)["image"]}

    return dataclasses.replace(images, decode=decode, has_labels=False)


def _another(seed: int) -> int:
    """The seed of the second source.

    With the same seed, two sources of equal length would have the same order, which would pair
    each digit of MNIST with itself in MNIST-M.
    """
    return (seed + 1) % 2**31


def _text(shape) -> str:
    return "x".join(map(str, shape))
