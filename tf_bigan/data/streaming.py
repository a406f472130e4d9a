"""Images that do not fit into memory: shuffled as encoded records, decoded when used."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Iterator

import numpy as np
import tensorflow as tf

from tf_bigan.data.decoding import Resize
from tf_bigan.data.images import ImageData, Shape, convert, converted_shape
from tf_bigan.data.pipeline import Batches
from tf_bigan.data.pixels import tensor_to_unit_range
from tf_bigan.errors import UserError


@dataclasses.dataclass(frozen=True, eq=False)
class StreamedImages:
    """Images and labels that are read from storage while they are used.

    records: finite dataset of undecoded examples, always in the same order.
    num_examples: its length.
    decode: record -> {"image": uint8 [H, W, C], "label": int64 [] if has_labels}.
    image_shape: (H, W, C) after `decode`; None for sizes that vary between images.
    buffer_size: size of the shuffle buffer, in undecoded records.
    shorter_side: its median in pixels, where sizes vary and it is known.
    fingerprint: a hash of the content and the order of the source, if it is known.
    """

    name: str
    records: tf.data.Dataset
    num_examples: int
    decode: Callable[..., dict[str, tf.Tensor]]
    image_shape: Shape
    has_labels: bool
    class_names: tuple[str, ...] | None
    buffer_size: int
    shorter_side: int | None = None
    fingerprint: str | None = None

    def __len__(self) -> int:
        return self.num_examples

    @property
    def num_classes(self) -> int | None:
        """Number of classes; None without labels."""
        return len(self.class_names) if self.class_names else None

    def subset(self, indices: np.ndarray) -> StreamedImages:
        """The examples with numbers in `indices`, in the order of the source."""
        keep = np.zeros(len(self), bool)
        keep[indices] = True
        keep = tf.constant(keep)
        records = (
            self.records.enumerate().filter(lambda *numbered: keep[numbered[0]]).map(lambda _, r: r)
        )
        return dataclasses.replace(self, records=records, num_examples=len(indices))

    def take(self, n: int) -> ImageData:
        """The first `n` examples (all of them if there are fewer), decoded into memory."""
        n = min(n, len(self))
        images = np.empty((n, *self.image_shape), np.uint8)
        labels = np.empty(n, np.int64) if self.has_labels else None
        first = dataclasses.replace(self, records=self.records.take(n), num_examples=n)
        start = 0
        for chunk in first.chunks(256):
            part = slice(start, start + len(chunk))
            images[part] = chunk.images
            if labels is not None and chunk.labels is not None:
                labels[part] = chunk.labels
            start = part.stop
        return ImageData(self.name, images, labels, self.class_names)

    def chunks(self, size: int) -> Iterator[ImageData]:
        """All examples in the order of the source, at most `size` at a time, decoded into memory.

        Raises UserError if the source is damaged, or holds another number of examples.
        """
        done = 0
        try:
            for batch in _decoded(self.records, self.decode).batch(size):
                labels = batch["label"].numpy() if self.has_labels else None
                done += len(batch["image"])
                yield ImageData(self.name, batch["image"].numpy(), labels, self.class_names)
        except tf.errors.OpError as error:
            reason = error.message.splitlines()[0]
            raise UserError(f"{self.name}: damaged after {done} examples: {reason}") from error
        if done != len(self):
            raise UserError(
                f"{self.name}: the source announced {len(self)} examples and holds {done}"
            )

    def converted(
        self,
        image_size: tuple[int, int] | None = None,
        channels: int | None = None,
        resize: Resize = "crop",
        background: str = "white",
    ) -> StreamedImages:
        """The images as `images.convert` makes them; None means no change."""
        shape = converted_shape(self.image_shape, image_size, channels)
        if shape == self.image_shape:
            return self

        def decode(record):
            example = self.decode(record)
            image = convert(example["image"], image_size, channels, resize, background)
            return {**example, "image": image}

        return dataclasses.replace(self, decode=decode, image_shape=shape)

    def sampled_side(self, n: int) -> int:
        """The median of the shorter sides of the first `n` images."""
        images = _decoded(self.records.take(n), self.decode).as_numpy_iterator()
        return int(np.median([min(example["image"].shape[:2]) for example in images]))

    def fixed(self, memory_limit: int) -> ImageData | StreamedImages:
        """Loads into memory if the decoded images fit into `memory_limit` bytes, else unchanged.

        Raises UserError if the images differ in size.
        """
        if None in self.image_shape:
            raise UserError(
                f"{self.name}: the images differ in size: set image_size=SIDE to resize them"
            )
        fits = len(self) * math.prod(self.image_shape) <= memory_limit
        return self.take(len(self)) if fits else self

    def batches(self, batch_size: int, seed: int = 0) -> Batches:
        """Shuffled global batches, a pure function of (seed, step); see `Batches`."""
        return StreamedBatches(self, batch_size, seed)


class StreamedBatches(Batches):
    """Batches of streamed images; permutation_e is the source shuffled with a buffer.

    To start at a later step, complete passes cost nothing; the rest is skipped without decoding.
    """

    def __init__(self, images: StreamedImages, batch_size: int, seed: int = 0):
        super().__init__(len(images), images.image_shape, images.has_labels, batch_size, seed)
        self._images = images

    def _pass(self, number):
        """The records in the order of one pass.

        Like `Dataset.shuffle`, but its seeds have only 31 bits and depend on the global seed.
        """
        records, spec = self._images.records, self._images.records.element_spec
        shuffled = tf.raw_ops.ShuffleDataset(
            input_dataset=tf.data.experimental.to_variant(records),
            buffer_size=self._images.buffer_size,
            seed=self.seed + 1,  # TensorFlow treats two zeros as no seed
            seed2=number,
            output_types=[part.dtype for part in tf.nest.flatten(spec)],
            output_shapes=[part.shape for part in tf.nest.flatten(spec)],
        )
        return tf.data.experimental.from_variant(shuffled, spec)

    def _elements(self, start_step, rows, replicas):
        number, skipped = divmod(start_step * self.batch_size, self.num_examples)
        records = tf.data.Dataset.counter(number).flat_map(self._pass).skip(skipped)
        if len(replicas) * rows < self.batch_size:
            records = self._rows(records, replicas.start * rows, replicas.stop * rows)

        def batch(examples):
            images = tf.ensure_shape(examples["image"], [rows, *self.image_shape])
            return {**examples, "image": tensor_to_unit_range(images)}

        examples = _decoded(records, self._images.decode)
        endless = tf.data.experimental.assert_cardinality(tf.data.INFINITE_CARDINALITY)
        return examples.batch(rows, drop_remainder=True).map(batch).apply(endless)

    def _rows(self, records, start, stop):
        """The rows start ... stop - 1 of each global batch."""

        def wanted(i, _):
            row = i % self.batch_size
            return (start <= row) & (row < stop)

        return records.enumerate().filter(wanted).map(lambda _, record: record)


def _decoded(records: tf.data.Dataset, decode) -> tf.data.Dataset:
    return records.map(decode, num_parallel_calls=tf.data.AUTOTUNE, deterministic=True)
