"""The random numbers inside a step's losses: stateless, and the same for any number of replicas."""

import tensorflow as tf

# Apart from the replicas' numbers, which are folded into the same seed for the layers.
_FIRST_STREAM = 1 << 20


class Randomness:
    """What `player_losses` draws from, as `self.random.normal((dim,))`.

    Each call in a step is a stream of its own. A draw is made for the global batch, and each
    replica takes its rows, so that no number depends on how many replicas share the batch.
    """

    def begin(self, seed: tf.Tensor, rows: int, replica: tf.Tensor | int = 0, replicas: int = 1):
        """Starts a step: `seed` is int32 [2], `rows` the examples of this replica."""
        self._seed, self._rows, self._replica, self._replicas = seed, rows, replica, replicas
        self._streams = 0

    def normal(self, shape: tuple[int, ...] = ()) -> tf.Tensor:
        """N(0, 1), float32 [B, *shape]."""
        return self._draw(tf.random.stateless_normal, shape)

    def uniform(self, shape: tuple[int, ...] = ()) -> tf.Tensor:
        """U(0, 1), float32 [B, *shape]."""
        return self._draw(tf.random.stateless_uniform, shape)

    def _draw(self, distribution, shape):
        seed = tf.random.experimental.stateless_fold_in(self._seed, _FIRST_STREAM + self._streams)
        self._streams += 1
        every = distribution((self._rows * self._replicas, *shape), seed, alg="philox")
        mine = every[self._replica * self._rows : (self._replica + 1) * self._rows]
        return tf.ensure_shape(mine, (self._rows, *shape))
