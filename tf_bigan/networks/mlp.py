"""The permutation-invariant MNIST networks of Donahue et al. 2017, for images of any size.

As in the official code: no biases, batch normalisation without scale and centre (epsilon 1e-8),
weights from N(0, 0.02²), z entering G and D again at layer 2 inside the batch normalisation,
and a logit that starts at zero. Numbers of weights by default on 28×28×1: G 1,953,792,
E 1,902,592, D 1,903,616.
"""

import math
from collections.abc import Sequence

import keras
import tensorflow as tf

from tf_bigan.constraints import Count, NonNegative
from tf_bigan.networks.network import Network, leaky_relu, named_features, weight_decay
from tf_bigan.networks.normalization import BatchNormalization, make_normalization
from tf_bigan.networks.spectral import layer_class


class _MLP(Network):
    """The layers of the three networks."""

    def _dense(
        self, units: int, l2: float, stddev: float = 0.02, norm: str | None = None
    ) -> keras.layers.Dense:
        return layer_class(keras.layers.Dense, norm)(
            units,
            use_bias=False,
            kernel_initializer=keras.initializers.RandomNormal(stddev=stddev)
            if stddev
            else "zeros",
            kernel_regularizer=weight_decay(l2),
            dtype=self.dtype_policy,
        )

    def _norm(self) -> BatchNormalization:
        return BatchNormalization(center=False, scale=False, epsilon=1e-8, dtype=self.dtype_policy)


@keras.saving.register_keras_serializable("tf_bigan")
class MLPGenerator(_MLP):
    """G: z [B, latent_dim] -> x [B, H, W, C] in (0, 1)."""

    keeps_groups_apart = True

    def __init__(
        self,
        image_shape: Sequence[int],
        latent_dim: Count,
        width: Count = 1024,
        l2: NonNegative = 0.0,
        **kwargs,
    ):
        super().__init__(
            {"image_shape": image_shape, "latent_dim": latent_dim, "width": width, "l2": l2},
            **kwargs,
        )
        self.image_shape = tuple(image_shape)
        self.dense1, self.norm1 = self._dense(width, l2), self._norm()
        self.dense2, self.condition2, self.norm2 = (
            self._dense(width, l2),
            self._dense(width, l2),
            self._norm(),
        )
        self.pixels = self._dense(math.prod(self.image_shape), l2)
        self.sigmoid = keras.layers.Activation("sigmoid", dtype="float32")
        self(keras.Input((latent_dim,)))

    def call(self, z, training=False):
        h = tf.nn.relu(self.norm1(self.dense1(z), training=training))  # [B, width]
        h = self.dense2(h) + self.condition2(z)
        h = tf.nn.relu(self.norm2(h, training=training))
        return tf.reshape(self.sigmoid(self.pixels(h)), (-1, *self.image_shape))


@keras.saving.register_keras_serializable("tf_bigan")
class MLPEncoder(_MLP):
    """E: x [B, H, W, C] in [0, 1] -> z_hat [B, latent_dim].

    `squash=True` gives z_hat = 2σ(logits) - 1 for the uniform prior on (-1, 1); False gives the
    logits, for an unbounded prior. With `zero_init=True` (latent regressor) the weights of the
    logits start at zero, else from N(0, 0.02²).
    """

    keeps_groups_apart = True

    def __init__(
        self,
        image_shape: Sequence[int],
        latent_dim: Count,
        width: Count = 1024,
        squash: bool = True,
        zero_init: bool = False,
        l2: NonNegative = 0.0,
        **kwargs,
    ):
        arguments = {"image_shape": image_shape, "latent_dim": latent_dim, "width": width}
        arguments |= {"squash": squash, "zero_init": zero_init, "l2": l2}
        super().__init__(arguments, **kwargs)
        self.squash = squash
        self.flatten = keras.layers.Flatten("channels_last", dtype=self.dtype_policy)
        self.dense1 = self._dense(width, l2)
        self.dense2, self.norm2 = self._dense(width, l2), self._norm()
        self.latent = self._dense(latent_dim, l2, stddev=0.0 if zero_init else 0.02)
        self(keras.Input(tuple(image_shape)))

    def features(self, x, training=False) -> dict[str, tf.Tensor]:
        """{"e-": the last hidden layer [B, width], "e": the logits of z_hat [B, latent_dim]}."""
        h = leaky_relu(self.dense1(self.flatten(x)))
        h = leaky_relu(self.norm2(self.dense2(h), training=training))
        return named_features([], {"e-": h, "e": self.latent(h)})

    def call(self, x, training=False):
        logits = self.features(x, training)["e"]
        return tf.tanh(0.5 * logits) if self.squash else logits  # tanh(l/2) = 2σ(l) - 1


@keras.saving.register_keras_serializable("tf_bigan")
class MLPDiscriminator(_MLP):
    """D: (x [B, H, W, C], z [B, latent_dim]) -> logits [B, outputs]; z enters at layer 2.

    With `latent_dim=None` the input is x alone: D(x) -> logits. `norm` is the normalisation of
    layer 2, a kind of `make_normalization`; "spectral" is of all kernels.
    """

    keeps_groups_apart = True

    def __init__(
        self,
        image_shape: Sequence[int],
        latent_dim: Count | None = None,
        width: Count = 1024,
        outputs: Count = 1,
        norm: str | None = "batch",
        l2: NonNegative = 0.0,
        **kwargs,
    ):
        arguments = {"image_shape": image_shape, "latent_dim": latent_dim, "width": width}
        super().__init__(arguments | {"outputs": outputs, "norm": norm, "l2": l2}, **kwargs)
        self.flatten = keras.layers.Flatten("channels_last", dtype=self.dtype_policy)
        self.dense1 = self._dense(width, l2, norm=norm)
        self.dense2 = self._dense(width, l2, norm=norm)
        self.condition2 = None if latent_dim is None else self._dense(width, l2, norm=norm)
        self.norm2 = (
            self._norm() if norm == "batch" else make_normalization(norm, self.dtype_policy)
        )
        self.logit = self._dense(outputs, l2, stddev=0.0, norm=norm)
        image = keras.Input(tuple(image_shape))
        self(image if latent_dim is None else [image, keras.Input((latent_dim,))])

    def features(self, inputs, training=False) -> tf.Tensor:
        """The last hidden layer, [B, width]; `call` is `head` of it."""
        x, z = (inputs, None) if self.condition2 is None else inputs
        h = self.dense2(leaky_relu(self.dense1(self.flatten(x))))
        if self.condition2 is not None:
            h += self.condition2(z)
        return leaky_relu(self.norm2(h, training=training))

    def head(self, features) -> tf.Tensor:
        """features [B, width] -> logits [B, outputs], float32."""
        return tf.cast(self.logit(features), tf.float32)

    def call(self, inputs, training=False):
        return self.head(self.features(inputs, training))
