"""A plain multilayer perceptron on vectors: heads, latent discriminators, domain classifiers."""

from typing import Annotated

import keras
import tensorflow as tf

from tf_bigan.constraints import Count, NonNegative
from tf_bigan.networks.network import Network, leaky_relu, weight_decay
from tf_bigan.networks.normalization import make_normalization
from tf_bigan.networks.spectral import layer_class


@keras.saving.register_keras_serializable("tf_bigan")
class Perceptron(Network):
    """h [B, inputs] -> [B, outputs], float32, without a final activation.

    Args:
        inputs: input dimension; a list of tensors is concatenated to this size.
        outputs: output dimension.
        units: units per hidden layer.
        hidden: number of hidden layers, with leaky ReLU (0.2); 0 for a linear map.
        norm: normalisation of the hidden layers, a kind of `make_normalization`.
        l2: coupled weight decay of all kernels.
    """

    keeps_groups_apart = True

    def __init__(
        self,
        inputs: Count,
        outputs: Count = 1,
        units: Count = 512,
        hidden: Annotated[int, "[0, inf)"] = 2,
        norm: str | None = None,
        l2: NonNegative = 0.0,
        **kwargs,
    ):
        arguments = {"inputs": inputs, "outputs": outputs, "units": units, "hidden": hidden}
        super().__init__(arguments | {"norm": norm, "l2": l2}, **kwargs)
        common = {
            "kernel_regularizer": weight_decay(l2),
            "dtype": self.dtype_policy,
        }
        dense = layer_class(keras.layers.Dense, norm)
        self.dense = [dense(units, kernel_initializer="he_normal", **common) for _ in range(hidden)]
        self.norms = [make_normalization(norm, self.dtype_policy) for _ in range(hidden)]
        self.logit = dense(outputs, **common)
        self(keras.Input((inputs,)))

    def features(self, h, training=False) -> tf.Tensor:
        """The last hidden layer, [B, units]; `call` is `head` of it."""
        h = tf.concat(h, -1) if isinstance(h, (list, tuple)) else h
        for dense, norm in zip(self.dense, self.norms, strict=True):
            h = leaky_relu(norm(dense(h), training=training))
        return h

    def head(self, features) -> tf.Tensor:
        """features [B, units] -> [B, outputs], float32."""
        return tf.cast(self.logit(features), tf.float32)

    def call(self, h, training=False):
        return self.head(self.features(h, training))
