"""Batches as a pure function of (seed, step): resumable at any step, for any number of readers.

The examples form one endless stream, permutation_0 ++ permutation_1 ++ ..., where permutation_e
is drawn from (seed, e) alone. Global step s takes stream[s*B : (s+1)*B], so a batch may straddle
two passes and none is short. Replica r of R reads rows [s*B + r*b, s*B + (r+1)*b), b = B / R.
"""

from __future__ import annotations

import abc
import contextlib
from collections.abc import Iterator, Mapping

import numpy as np
import tensorflow as tf

from tf_bigan.data.pixels import tensor_to_unit_range
from tf_bigan.errors import UserError


class Batches(abc.ABC):
    """An endless, shuffled supply of batches.

    batch_size: examples in a step over all replicas (the global batch).
    steps_per_epoch: ceil(N / batch_size), the steps that cover the N examples at least once.
    image_shape: (H, W, C).  has_labels: whether elements carry a "label".

    Raises UserError if batch_size is below 1 or above N.
    """

    def __init__(self, num_examples, image_shape, has_labels, batch_size, seed):
        if batch_size < 1:
            raise UserError(f"batch size {batch_size}: it must be at least 1")
        if batch_size > num_examples:
            raise UserError(
                f"batch size {batch_size} is larger than the data ({num_examples} examples): "
                f"use a smaller --batch_size or more data"
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
        """The batches from global step `start_step` on, without end.

        Elements are {"image": float32 [b, H, W, C] in [0, 1], "label": int64 [b]} ("label" only
        if there are labels), b = batch_size / replicas. Pipeline p of P serves the replicas
        p*R/P ... (p+1)*R/P - 1, one element for each in turn.

        Raises UserError if the replicas do not divide the batch, or the pipelines the replicas.
        """
        if self.batch_size % replicas:
            raise UserError(
                f"batch size {self.batch_size} cannot be divided among {replicas} replicas: "
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
        options = tf.data.Options()  # the data is sharded here: no strategy must do it again
        options.experimental_distribute.auto_shard_policy = tf.data.experimental.AutoShardPolicy.OFF
        return elements.prefetch(tf.data.AUTOTUNE).with_options(options)

    @abc.abstractmethod
    def _elements(self, start_step: int, rows: int, replicas: range) -> tf.data.Dataset:
        """Elements of `rows` examples, for each step and each of `replicas` in order."""


class ArrayBatches(Batches):
    """Batches of arrays in memory, gathered whole by their shuffled indices.

    arrays: {"image": uint8 [N, H, W, C], ...}, all with N rows. Held once, on the CPU.
    """

    def __init__(self, arrays: Mapping[str, np.ndarray], batch_size: int, seed: int = 0):
        images = arrays["image"]
        super().__init__(len(images), images.shape[1:], "label" in arrays, batch_size, seed)
        with tf.device("CPU:0"):  # identity: a tensor made from an array holds its values twice
            self._arrays = {key: tf.identity(tf.constant(a)) for key, a in arrays.items()}

    def _elements(self, start_step, rows, replicas):
        def element(k):
            step, replica = k // len(replicas), replicas.start + k % len(replicas)
            first = step * self.batch_size + replica * rows
            indices = stream_index(
                first + tf.range(rows, dtype=tf.int64), self.num_examples, self.seed
            )
            batch = {key: tf.gather(array, indices) for key, array in self._arrays.items()}
            return {**batch, "image": tensor_to_unit_range(batch["image"])}

        return tf.data.Dataset.counter(start_step * len(replicas)).map(element)


@contextlib.contextmanager
def user_errors() -> Iterator[None]:
    """Raises UserError, in one line, for one that was raised while a dataset made its elements.

    TensorFlow wraps it into an InvalidArgumentError with a text of its own around the message.
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

    permutation_e(i) is computed point by point with a keyed cipher on [0, num_examples), so that
    nothing is stored and any step can be reached at once. `tf.random.experimental.index_shuffle`
    is the same op fixed at 4 rounds, with which successive passes are correlated at some sizes
    (60,000 among them); from 8 rounds on no test told it from a random permutation.
    """
    seed = seed % 2**64
    number, place = position // num_examples, position % num_examples
    key = tf.stack(
        [tf.fill(tf.shape(number), tf.constant(half, tf.uint32)) for half in divmod(seed, 2**32)]
        + [tf.cast(number, tf.uint32)],
        axis=1,
    )
    last = tf.constant(num_examples - 1, tf.int64)
    return tf.raw_ops.RandomIndexShuffle(index=place, seed=key, max_index=last, rounds=16)
