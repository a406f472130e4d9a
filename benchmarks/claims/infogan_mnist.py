"""InfoGAN with its own networks for MNIST (Chen et al. 2016, appendix)."""

import math

import keras
import tensorflow as tf

from tf_bigan.models.infogan import InfoGAN
from tf_bigan.networks.network import Network
from tf_bigan.networks.normalization import BatchNormalization


class _Network(Network):
    """Layers with initial weights N(0, 0.02²) and batch normalisation of the official code."""

    keeps_groups_apart = True

    def _options(self) -> dict:
        return {
            "kernel_initializer": keras.initializers.RandomNormal(stddev=0.02),
            "dtype": self.dtype_policy,
        }

    def _dense(self, units: int) -> keras.layers.Dense:
        return keras.layers.Dense(units, **self._options())

    def _norms(self, count: int) -> list[BatchNormalization]:
        return [
            BatchNormalization(momentum=0.9, epsilon=1e-5, dtype=self.dtype_policy)
            for _ in range(count)
        ]


@keras.saving.register_keras_serializable("claims")
class InfoGANGenerator(_Network):
    """z [B, latent_dim] -> x [B, 28, 28, 1] in (0, 1), through 1,024 units and 7×7 feature maps.

    Args:
        latent_dim: latent dimension, including codes.
        width: channels of the 14×14 feature maps; 64 in the paper.
    """

    def __init__(self, latent_dim: int, width: int = 64, **kwargs):
        super().__init__({"latent_dim": latent_dim, "width": width}, **kwargs)
        self.base = (7, 7, 2 * width)
        self.dense = [self._dense(1024), self._dense(math.prod(self.base))]
        common = {"kernel_size": 4, "strides": 2, "padding": "same", **self._options()}
        self.convs = [keras.layers.Conv2DTranspose(c, **common) for c in (width, 1)]
        self.norms = self._norms(3)
        self(keras.Input((latent_dim,)))

    def call(self, z, training=False):
        h = z
        for dense, norm in zip(self.dense, self.norms[:2], strict=True):
            h = tf.nn.relu(norm(dense(h), training=training))
        h = self.convs[0](tf.reshape(h, (-1, *self.base)))
        h = tf.nn.relu(self.norms[2](h, training=training))
        return tf.sigmoid(tf.cast(self.convs[1](h), tf.float32))


@keras.saving.register_keras_serializable("claims")
class InfoGANDiscriminator(_Network):
    """x [B, 28, 28, 1] -> logits [B, 1]; Q and D share all layers except their heads.

    Args:
        width: channels of the 14×14 feature maps; 64 in the paper.
    """

    def __init__(self, width: int = 64, **kwargs):
        super().__init__({"width": width}, **kwargs)
        common = {"kernel_size": 4, "strides": 2, "padding": "same", **self._options()}
        self.convs = [keras.layers.Conv2D(c, **common) for c in (width, 2 * width)]
        self.dense = self._dense(1024)
        self.norms = self._norms(2)
        self.flatten = keras.layers.Flatten()
        self.logit = self._dense(1)
        self(keras.Input((28, 28, 1)))

    def features(self, x, training=False) -> tf.Tensor:
        """The last hidden layer, [B, 1024]."""
        h = tf.nn.leaky_relu(self.convs[0](x), 0.1)
        h = tf.nn.leaky_relu(self.norms[0](self.convs[1](h), training=training), 0.1)
        return tf.nn.leaky_relu(self.norms[1](self.dense(self.flatten(h)), training=training), 0.1)

    def head(self, features) -> tf.Tensor:
        """features [B, 1024] -> logits [B, 1], float32."""
        return tf.cast(self.logit(features), tf.float32)

    def call(self, x, training=False):
        return self.head(self.features(x, training))


@keras.saving.register_keras_serializable("claims")
class PaperInfoGAN(InfoGAN):
    """InfoGAN with these networks."""

    @classmethod
    def make_networks(cls, make, latent_dim, classes):
        recognition = make(
            "perceptron", inputs=1024, outputs=latent_dim, units=128, hidden=1, norm="batch"
        )
        dtype = recognition.dtype_policy
        return {
            "generator": InfoGANGenerator(latent_dim, dtype=dtype),
            "discriminator": InfoGANDiscriminator(dtype=dtype),
            "recognition": recognition,
        }
