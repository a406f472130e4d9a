"""Residual networks for larger images (Miyato et al. 2018, SNGAN; Brock et al. 2019, BigGAN).

A block has two 3×3 convolutions beside a 1×1 shortcut. Blocks of E and D halve the map by average
pooling, blocks of G double it by repeating pixels. Sizes, channels and arguments are those of
`networks.conv`.
"""

import keras
import tensorflow as tf

from tf_bigan.networks.conv import (
    ConvDiscriminator,
    ConvEncoder,
    ConvGenerator,
    ConvNetwork,
    doubled,
)


class ResidualBlock(keras.layers.Layer):
    """Twice normalisation, activation and a 3×3 convolution, beside a 1×1 convolution.

    Args:
        network: which it is a part of.
        channels: of the result.
        size: of the result if it is doubled, (H, W); None halves it.
        first: whether x is an image, which is convolved as it is.
    """

    def __init__(
        self,
        network: ConvNetwork,
        channels: int,
        size: tuple[int, int] | None = None,
        first: bool = False,
    ):
        super().__init__(dtype=network.dtype_policy)
        self.activation, self.size, self.first = network.activation, size, first
        self.norms = [network.make_norm() for _ in range(1 if first else 2)]
        self.convs = [network.make_conv(channels, 3) for _ in range(2)]
        self.shortcut = network.make_conv(channels, 1)

    def call(self, x, training=False):
        norms = list(self.norms)
        h = x if self.first else self.activation(norms.pop(0)(x, training=training))
        h = self.convs[0](self._doubled(h))
        h = self.convs[1](self.activation(norms.pop(0)(h, training=training)))
        return self._halved(h) + self.shortcut(self._halved(self._doubled(x)))

    def _doubled(self, x):
        return x if self.size is None else doubled(x, self.size)

    def _halved(self, x):
        return tf.nn.avg_pool2d(x, 2, 2, "SAME") if self.size is None else x


class ResidualDown(keras.layers.Layer):
    """x [B, H, W, C] -> the activated maps [B, h, w, c] of each block."""

    def __init__(self, network: ConvNetwork):
        super().__init__(dtype=network.dtype_policy)
        self.activation = network.activation
        self.blocks = [
            ResidualBlock(network, channels, first=i == 0)
            for i, channels in enumerate(network.channels[1:])
        ]

    def call(self, x, training=False):
        maps = []
        for block in self.blocks:
            x = block(x, training=training)
            maps.append(self.activation(x))
        return maps


class ResidualUp(keras.layers.Layer):
    """The smallest map [B, h, w, c] -> logits of pixels [B, H, W, C]."""

    def __init__(self, network: ConvNetwork):
        super().__init__(dtype=network.dtype_policy)
        self.activation = network.activation
        channels = [*network.channels[-2:0:-1], network.channels[1]]
        self.blocks = [
            ResidualBlock(network, c, size)
            for c, size in zip(channels, network.sizes[-2::-1], strict=True)
        ]
        self.norm, self.image = network.make_norm(), network.make_conv(network.channels[0], 3)

    def call(self, h, training=False):
        for block in self.blocks:
            h = block(h, training=training)
        return self.image(self.activation(self.norm(h, training=training)))


@keras.saving.register_keras_serializable("tf_bigan")
class ResidualGenerator(ConvGenerator):
    """G: z [B, latent_dim] -> x [B, H, W, C] in (0, 1), float32; arguments of `ConvGenerator`."""

    up = ResidualUp


@keras.saving.register_keras_serializable("tf_bigan")
class ResidualEncoder(ConvEncoder):
    """E: x [B, H, W, C] in [0, 1] -> z_hat [B, latent_dim]; arguments of `ConvEncoder`."""

    down = ResidualDown


@keras.saving.register_keras_serializable("tf_bigan")
class ResidualDiscriminator(ConvDiscriminator):
    """D: (x, z) or x -> logits [B, outputs]; arguments of `ConvDiscriminator`."""

    down = ResidualDown
