"""An MLP discriminator that sees contrast, for the family "mlp".

The official D of `networks.mlp` has no biases, reads x in [0, 1] and normalises real and generated
rows apart, so that D(c·x) = D(x) for every c > 0. This one reads 2x - 1, has biases and by default
no normalisation.
"""

from collections.abc import Sequence

import keras

from tf_bigan.constraints import Count
from tf_bigan.networks.conv import ConvDiscriminator, ConvNetwork


class DenseDown(keras.layers.Layer):
    """x [B, H, W, C] -> a hidden layer [B, hidden], as the maps of a single stage."""

    def __init__(self, network: ConvNetwork):
        super().__init__(dtype=network.dtype_policy)
        self.activation = network.activation
        self.flatten = keras.layers.Flatten("channels_last", dtype=self.dtype_policy)
        self.dense = network.make_dense(network.get_config()["hidden"])

    def call(self, x, training=False):
        return [self.activation(self.dense(self.flatten(x)))]


@keras.saving.register_keras_serializable("tf_bigan")
class DenseDiscriminator(ConvDiscriminator):
    """D: (x [B, H, W, C], z [B, latent_dim]) or x -> logits [B, outputs], float32.

    x goes through a dense layer, then as in `ConvDiscriminator`, with `width` units in each layer.
    Its arguments are that one's but `hidden`; images may have any size.
    """

    down = DenseDown
    smallest_image = 1

    def __init__(
        self,
        image_shape: Sequence[int],
        latent_dim: Count | None = None,
        width: Count = 512,
        **kwargs,
    ):
        kwargs.pop("hidden", None)  # of a saved configuration
        super().__init__(image_shape, latent_dim, width, hidden=width, **kwargs)
