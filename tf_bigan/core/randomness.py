"""Stateless random numbers for losses, the same for any number of replicas."""

import contextlib
import math
import random
import threading
from collections.abc import Iterator
from typing import Any

import numpy as np
import tensorflow as tf
from keras.src.backend.common import global_state
from tensorflow.python.eager import context

_GLOBAL = threading.RLock()
_OF_KERAS = ("global_random_seed", "global_seed_generator")

# Differs from the replica numbers, which are folded into the same seed for the layers.
_FIRST_STREAM = 1 << 20


@contextlib.contextmanager
def seeded(seed: int) -> Iterator[None]:
    """A block in which initial weights depend only on the random seed.

    Keras draws them from global generators. In the block, those of Python, NumPy, TensorFlow and
    Keras are as after `keras.utils.set_random_seed(seed)`; afterwards they are restored. Not for
    several threads at a time.

        with seeded(0):
            model = BiGAN(...)

    Args:
        seed: from 0 to 2**32 - 1.
    """
    # tf.random.set_seed would also reset the user's own random operations.
    of_tensorflow: Any = context.context()
    with _GLOBAL:
        python, numpy = random.getstate(), np.random.get_state()
        tensorflow = of_tensorflow._seed, getattr(of_tensorflow, "_rng", None)
        of_keras = {name: global_state.get_global_attribute(name) for name in _OF_KERAS}
        random.seed(seed)
        np.random.seed(seed)
        of_tensorflow._seed, of_tensorflow._rng = seed, random.Random(seed)
        for name, value in zip(_OF_KERAS, (seed, None), strict=True):
            global_state.set_global_attribute(name, value)
        try:
            yield
        finally:
            random.setstate(python)
            np.random.set_state(numpy)
            of_tensorflow._seed, of_tensorflow._rng = tensorflow
            for name, value in of_keras.items():
                global_state.set_global_attribute(name, value)


class Randomness(threading.local):
    """Random numbers for `player_losses`, for example `self.random.normal((dim,))`.

    Each call in a step has its own stream. A draw covers the global batch and each replica takes
    its rows, so that the numbers do not depend on the number of replicas. Each thread has its own
    state, because replicas that synchronise batch statistics take turns within a step.
    """

    def begin(self, seed: tf.Tensor, rows: int, replica: tf.Tensor | int = 0, replicas: int = 1):
        """Starts a step: `seed` is int32 [2], `rows` the number of examples on this replica."""
        self._seed, self._rows, self._replica, self._replicas = seed, rows, replica, replicas
        self._streams = 0

    @contextlib.contextmanager
    def of_rows(self, rows: int) -> Iterator[None]:
        """In this block, draws have another number of rows on each replica."""
        before, self._rows = self._rows, rows
        try:
            yield
        finally:
            self._rows = before

    def repeated(self, times: int) -> Iterator[None]:
        """An iterator: what is drawn after each of its steps is drawn again after the next one."""
        start = self._streams
        for _ in range(times):
            self._streams = start
            yield

    def normal(self, shape: tuple[int, ...] = ()) -> tf.Tensor:
        """N(0, 1), float32 [B, *shape]."""
        return math.sqrt(2.0) * tf.math.erfinv(2.0 * self.uniform(shape) - 1.0)

    def uniform(self, shape: tuple[int, ...] = ()) -> tf.Tensor:
        """U(0, 1), both ends excluded, float32 [B, *shape]."""
        # Float draws, and draws from negative seeds, differ with and without XLA. So this draws
        # bits, from seeds that are not negative.
        seed = tf.random.experimental.stateless_fold_in(
            _not_negative(self._seed), _FIRST_STREAM + self._streams
        )
        self._streams += 1
        bits = tf.random.stateless_uniform(
            (self._rows * self._replicas, *shape),
            _not_negative(seed),
            minval=None,  # type: ignore
            maxval=None,
            dtype=tf.int32,
            alg="philox",
        )
        # Gathered: a slice whose begin is a tensor makes XLA compile again in each step.
        mine = _not_negative(tf.gather(bits, self._replica * self._rows + tf.range(self._rows)))
        # 23 bits plus one half, which a float32 below 1 holds exactly.
        return (tf.cast(tf.bitwise.right_shift(mine, 8), tf.float32) + 0.5) * 2.0**-23


def _not_negative(integers: tf.Tensor) -> tf.Tensor:
    return tf.bitwise.bitwise_and(integers, 2**31 - 1)
