"""Batches as a pure function of (seed, step): resumable at any step, for any number of workers.

The examples form one endless stream, permutation_0 ++ permutation_1 ++ ..., where permutation_e
depends only on (seed, e). Global step s takes stream[s*B : (s+1)*B], so a batch may contain the
end of one pass and the start of the next, and all are complete. Replica r of R reads rows
[s*B + r*b, s*B + (r+1)*b), b = B / R.
"""

from __future__ import annotations

import abc
import contextlib
from collections.abc import Iterator, Mapping, Sequence

import numpy as np
import tensorflow as tf

from tf_bigan.constraints import Count, Seed, check
from tf_bigan.data.pixels import tensor_to_unit_range, to_unit_range
from tf_bigan.errors import UserError


class Batches(abc.ABC):
    """An endless stream of shuffled batches.

    batch_size: the global batch size, over all replicas.
    steps_per_epoch: ceil(N / batch_size). If batch_size does not divide N, an epoch is slightly
      more than one pass: for the 1,498 examples of `digits`, 24 steps of 64 are 1,536 examples,
      including the first 38 of the next pass.
    image_shape: (H, W, C).  has_labels: whether elements carry a "label".

    Raises UserError for a batch_size below 1 or above N, or a seed out of range.
    """

    def __init__(
        self,
        num_examples: int,
        image_shape: Sequence[int],
        has_labels: bool,
        batch_size: int,
        seed: int,
    ):
        check("batch_size", batch_size, Count)
        check("seed", seed, Seed)
        if batch_size > num_examples:
            raise UserError(
                f"batch_size={batch_size} is larger than the data ({num_examples:,} images): "
                f"use a smaller batch_size=N or more data"
            )
        self.num_examples = num_examples
        self.image_shape = tuple(image_shape)
        self.has_labels = has_labels
        self.batch_size = batch_size
        self.seed = seed
        self.steps_per_epoch = -(-num_examples // batch_size)

    def dataset(
        self, start_step: int = 0, *, replicas: int = 1, pipelines: int = 1, pipeline: int = 0
    ) -> tf.data.Dataset:
        """An endless dataset of the batches from global step `start_step` on.

        Elements are {"image": float32 [b, H, W, C] in [0, 1], "label": int64 [b]} ("label" only
        if there are labels), b = batch_size / replicas. Pipeline p of P serves the replicas
        p*R/P ... (p+1)*R/P - 1, with one element for each in turn.

        Raises UserError if the replicas do not divide the batch, or the pipelines the replicas.
        """
        if self.batch_size % replicas:
            raise UserError(
                f"batch_size={self.batch_size} cannot be divided among {replicas} replicas: "
                f"use a multiple of {replicas}"
            )
        if replicas % pipelines or not 0 <= pipeline < pipelines:
            raise UserError(
                f"{replicas} replicas cannot be served by pipeline {pipeline} of {pipelines}"
            )
        local = replicas // pipelines
        elements = self._elements(
            start_step, self.batch_size // replicas, range(pipeline * local, (pipeline + 1) * local)
        )
        options = tf.data.Options()  # already sharded here, so the strategy must not shard it again
        options.experimental_distribute.auto_shard_policy = tf.data.experimental.AutoShardPolicy.OFF
        return elements.prefetch(tf.data.AUTOTUNE).with_options(options)

    def one_pass(
        self, *, replicas: int = 1, pipelines: int = 1, pipeline: int = 0
    ) -> tf.data.Dataset:
        """Each example once, in the order of the first pass, for evaluation.

        Elements are as in `dataset`. The last batch may be smaller. With several replicas its size
        is a multiple of their number, and the remaining rows are left out.

        Raises UserError as `dataset` does.
        """
        full, rest = divmod(self.num_examples, self.batch_size)
        parts = {"replicas": replicas, "pipelines": pipelines, "pipeline": pipeline}
        local = replicas // pipelines  # elements of a batch in this pipeline
        dataset = self.dataset(**parts).take(full * local)
        rows = rest // replicas
        if not rows:
            return dataset
        first = pipeline * local

        def last(start: int, stop: int) -> tf.data.Dataset:
            """Rows start ... stop - 1 of the last, incomplete batch."""
            whole = self.dataset(full).take(1)
            return whole.map(lambda batch: {k: v[start:stop] for k, v in batch.items()})

        for replica in range(first, first + local):
            dataset = dataset.concatenate(last(replica * rows, (replica + 1) * rows))
        return dataset

    @abc.abstractmethod
    def _elements(self, start_step: int, rows: int, replicas: range) -> tf.data.Dataset:
        """Elements of `rows` examples, for each step and each of `replicas` in order."""


class ArrayBatches(Batches):
    """Batches of arrays in memory.

    arrays: {"image": [N, H, W, C], ...}, all with N rows, stored once, on the CPU. Arrays whose
      names end with "image" are uint8, or floats in [0, 1] (see `tf_bigan.data.pixels`).
    """

    def __init__(self, arrays: Mapping[str, np.ndarray], batch_size: int, seed: int = 0):
        images = arrays["image"]
        super().__init__(len(images), images.shape[1:], "label" in arrays, batch_size, seed)

        def held(name, array):
            if name.endswith("image") and array.dtype != np.uint8:
                array = to_unit_range(array, name)
            # identity: a tensor made from an array would store its values twice
            return tf.identity(tf.constant(array))

        with tf.device("CPU:0"):
            self._arrays = {name: held(name, array) for name, array in arrays.items()}

    def _elements(self, start_step, rows, replicas):
        def element(k):
            step, replica = k // len(replicas), replicas.start + k % len(replicas)
            first = step * self.batch_size + replica * rows
            indices = stream_index(
                first + tf.range(rows, dtype=tf.int64), self.num_examples, self.seed
            )
            batch = {name: tf.gather(array, indices) for name, array in self._arrays.items()}
            return {
                name: tensor_to_unit_range(value) if value.dtype == tf.uint8 else value
                for name, value in batch.items()
            }

        return tf.data.Dataset.counter(start_step * len(replicas)).map(element)


@contextlib.contextmanager
def user_errors() -> Iterator[None]:
    """Restores a one-line UserError that was raised inside a dataset.

    TensorFlow wraps it in an InvalidArgumentError and adds its own text.
    """
    try:
        yield
    except tf.errors.InvalidArgumentError as error:
        _, found, rest = error.message.partition("UserError: ")
        if not found:
            raise
        raise UserError(rest.splitlines()[0].removesuffix("]")) from None


def stream_index(position: tf.Tensor, num_examples: int, seed: int) -> tf.Tensor:
    """int64 [n] positions of the endless stream -> int64 [n] indices of examples.

    permutation_e(i) is computed for each i with a keyed cipher on [0, num_examples), so that
    nothing is stored and any step is reached directly. `tf.random.experimental.index_shuffle` is
    the same op with 4 rounds, where successive passes are correlated for some sizes (for example
    60,000). With 8 or more rounds no test could distinguish it from a random permutation.
    """
    number, place = (
        tf.math.floordiv(position, num_examples),
        tf.math.floormod(position, num_examples),
    )
    key = tf.stack(
        [tf.fill(tf.shape(number), tf.constant(half, tf.uint32)) for half in divmod(seed, 2**32)]
        + [tf.cast(number, tf.uint32)],
        axis=1,
    )
    last = tf.constant(num_examples - 1, tf.int64)
    return tf.raw_ops.RandomIndexShuffle(index=place, seed=key, max_index=last, rounds=16)
