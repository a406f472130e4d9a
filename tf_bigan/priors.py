"""The prior p(z): what a generator is fed. Draws are stateless: the same seed, the same z."""

import keras
import numpy as np
import tensorflow as tf


class Prior:
    """A distribution over latent vectors with `dim` entries; `sample` and `interpolate`."""

    def __init__(self, dim: int):
        if dim < 1:
            raise ValueError(f"latent size must be at least 1, not {dim}")
        self.dim = int(dim)

    def sample(self, n: int, seed) -> tf.Tensor:
        """float32 [n, dim]; `seed` is an int or a pair of integers."""
        raise NotImplementedError

    def interpolate(self, a: tf.Tensor, b: tf.Tensor, t: tf.Tensor) -> tf.Tensor:
        """The point at fraction t in [0, 1] on the way from a to b, both [..., dim]."""
        return a + t * (b - a)

    def get_config(self) -> dict:
        return {"dim": self.dim}

    @classmethod
    def from_config(cls, config: dict) -> "Prior":
        return cls(**config)


@keras.saving.register_keras_serializable("tf_bigan")
class Uniform(Prior):
    """z ~ U(-1, 1)^dim, the prior of Donahue et al. 2017."""

    def sample(self, n: int, seed) -> tf.Tensor:
        return tf.random.stateless_uniform(
            (n, self.dim), as_seed(seed), minval=-1.0, maxval=1.0, alg="philox"
        )


@keras.saving.register_keras_serializable("tf_bigan")
class Normal(Prior):
    """z ~ N(0, I), the prior of ALI (Dumoulin et al. 2017)."""

    def sample(self, n: int, seed) -> tf.Tensor:
        return tf.random.stateless_normal((n, self.dim), as_seed(seed), alg="philox")

    def interpolate(self, a: tf.Tensor, b: tf.Tensor, t: tf.Tensor) -> tf.Tensor:
        """Along the great circle, which keeps the norm that a Gaussian's draws have."""
        length = tf.norm(a, axis=-1, keepdims=True) * tf.norm(b, axis=-1, keepdims=True)
        cosine = tf.reduce_sum(a * b, -1, keepdims=True) / tf.maximum(length, 1e-12)
        angle = tf.acos(tf.clip_by_value(cosine, -1.0, 1.0))
        straight = super().interpolate(a, b, t)
        circle = (tf.sin((1 - t) * angle) * a + tf.sin(t * angle) * b) / tf.sin(angle)
        # Parallel vectors span no circle: sin(angle) is 0 there.
        return tf.where(tf.sin(angle) < 1e-4, straight, circle)


def as_seed(seed) -> tf.Tensor:
    """An int or a pair of integers as the int32 [2] that stateless operations take."""
    if isinstance(seed, (int, np.integer)):
        seed = (seed, 0)
    return tf.convert_to_tensor(seed, tf.int32)
