"""Light convolutional networks for images of any size from 8×8 on: the default for images.

Convolutions of kernel 4 and stride 2 halve the image, rounding up, until its smaller side is at
most 8: 28×28 -> 14×14 -> 7×7, 64×64 -> 32×32 -> 16×16 -> 8×8. A dense hidden layer follows. The
generator goes the same way back. Channels double from `width` on, to at most 8·width. D has biases
and no normalisation, so that it sees contrast and a gradient penalty is a function of single rows.
The last step to a colour image repeats pixels and convolves them: transposed convolutions, which
give each of four neighbours a kernel of its own, cover areas of one colour with a mesh.
Images are in [0, 1] outside of all networks; E and D rescale them to [-1, 1].
"""

import math
from collections.abc import Sequence
from typing import Annotated

import keras
import tensorflow as tf

from tf_bigan.constraints import Count, NonNegative
from tf_bigan.errors import UserError
from tf_bigan.networks.network import Network, named_features, weight_decay
from tf_bigan.networks.normalization import BatchNormalization, make_normalization
from tf_bigan.networks.spectral import layer_class

SMALLEST_IMAGE, LARGEST_MAP = 8, 8


class ConvNetwork(Network):
    """The layers that the three networks are made of, and the checks of their sizes."""

    smallest_image = SMALLEST_IMAGE

    def __init__(self, arguments: dict, **kwargs):
        super().__init__(arguments, **kwargs)
        *size, channels = arguments["image_shape"]
        if min(size) < self.smallest_image:
            least = f"{self.smallest_image}×{self.smallest_image}"
            raise UserError(
                f"convolutions take images of at least {least} pixels, not {size[0]}×{size[1]}: "
                "use networks=mlp"
            )
        self.norm, self.l2 = arguments["norm"], arguments["l2"]
        self.activation = keras.activations.get(arguments["activation"])
        self.sizes = [tuple(size)]  # of the image and of the map after each halving
        while len(self.sizes) == 1 or min(self.sizes[-1]) > LARGEST_MAP:
            self.sizes.append(tuple(-(-side // 2) for side in self.sizes[-1]))
        widths = (arguments["width"] * min(2**i, 8) for i in range(len(self.sizes) - 1))
        self.channels = [channels, *widths]  # of the same

    def make_dense(self, units: int, bias: bool = True) -> keras.layers.Layer:
        """A dense layer of this network."""
        return layer_class(keras.layers.Dense, self.norm)(units, use_bias=bias, **self._weights())

    def make_conv(
        self, channels: int, kernel: int, stride: int = 1, bias: bool = True, up: bool = False
    ) -> keras.layers.Layer:
        """A convolution of this network, or a transposed one for `up`."""
        kind = keras.layers.Conv2DTranspose if up else keras.layers.Conv2D
        return layer_class(kind, self.norm)(
            channels,
            kernel,
            stride,
            "same",
            data_format="channels_last",
            use_bias=bias,
            **self._weights(),
        )

    def make_norm(self) -> keras.layers.Layer:
        """A normalisation of this network; batch norm makes up for the bias before it."""
        if self.norm == "batch":
            return BatchNormalization(momentum=0.9, epsilon=1e-5, dtype=self.dtype_policy)
        return make_normalization(self.norm, self.dtype_policy)

    def _weights(self) -> dict:
        return {"kernel_regularizer": weight_decay(self.l2), "dtype": self.dtype_policy}


class ConvDown(keras.layers.Layer):
    """x [B, H, W, C] -> the maps [B, h, w, c] of each stage, a convolution of stride 2."""

    def __init__(self, network: ConvNetwork):
        super().__init__(dtype=network.dtype_policy)
        self.activation = network.activation
        self.convs = [
            network.make_conv(channels, 4, 2, bias=i == 0 or network.norm != "batch")
            for i, channels in enumerate(network.channels[1:])
        ]
        self.norms = [network.make_norm() for _ in self.convs[1:]]

    def call(self, x, training=False):
        maps = [self.activation(self.convs[0](x))]
        for conv, norm in zip(self.convs[1:], self.norms, strict=True):
            maps.append(self.activation(norm(conv(maps[-1]), training=training)))
        return maps


def doubled(x: tf.Tensor, size: tuple[int, int]) -> tf.Tensor:
    """A map [B, h, w, c] with each pixel repeated, [B, H, W, c]; an odd size crops the last one."""
    return tf.repeat(tf.repeat(x, 2, axis=1), 2, axis=2)[:, : size[0], : size[1]]


class ConvUp(keras.layers.Layer):
    """The smallest map [B, h, w, c] -> logits of pixels [B, H, W, C].

    Transposed convolutions double the map; what an odd size has too much is cropped. The last one
    is an ordinary convolution of repeated pixels if there are several channels.
    """

    def __init__(self, network: ConvNetwork):
        super().__init__(dtype=network.dtype_policy)
        self.activation = network.activation
        self.sizes = network.sizes[-2::-1]
        self.norms = [network.make_norm() for _ in self.sizes]  # one before each
        image, *maps = network.channels[:-1]
        self.convs = [
            *(network.make_conv(c, 4, 2, network.norm != "batch", up=True) for c in maps[::-1]),
            network.make_conv(image, 5) if image > 1 else network.make_conv(image, 4, 2, up=True),
        ]

    def call(self, h, training=False):
        for norm, conv, size in zip(self.norms, self.convs, self.sizes, strict=True):
            h = self.activation(norm(h, training=training))
            if conv.strides == (1, 1):
                h = doubled(h, size)
            h = conv(h)
            if h.shape[1:3] != size:  # a crop of nothing would still cost a gradient
                h = h[:, : size[0], : size[1]]
        return h


@keras.saving.register_keras_serializable("tf_bigan")
class ConvGenerator(ConvNetwork):
    """G: z [B, latent_dim] -> x [B, H, W, C] in (0, 1), float32.

    Args:
        image_shape: (H, W, C), H and W from 8 on.
        latent_dim: size of z.
        width: channels of the largest map before the image.
        norm: of the maps, a kind of `make_normalization`.
        activation: a Keras activation of the maps.
        l2: coupled weight decay of all kernels.

    Raises:
        UserError: a size out of its range.
    """

    keeps_groups_apart = True
    up = ConvUp

    def __init__(
        self,
        image_shape: Sequence[int],
        latent_dim: Count,
        width: Count = 16,
        norm: str | None = "batch",
        activation: str = "relu",
        l2: NonNegative = 0.0,
        **kwargs,
    ):
        arguments = {"image_shape": image_shape, "latent_dim": latent_dim, "width": width}
        arguments |= {"norm": norm, "activation": activation, "l2": l2}
        super().__init__(arguments, **kwargs)
        self.base_shape = (*self.sizes[-1], self.channels[-1])
        self.project = self.make_dense(math.prod(self.base_shape), norm != "batch")
        self.stages = self.up(self)
        self.sigmoid = keras.layers.Activation("sigmoid", dtype="float32")
        self(keras.Input((latent_dim,)))

    def call(self, z, training=False):
        h = tf.reshape(self.project(z), (-1, *self.base_shape))
        return self.sigmoid(self.stages(h, training=training))


@keras.saving.register_keras_serializable("tf_bigan")
class ConvEncoder(ConvNetwork):
    """E: x [B, H, W, C] in [0, 1] -> z_hat [B, latent_dim], float32.

    Args:
        image_shape: (H, W, C), H and W from 8 on.
        latent_dim: size of z.
        width: channels of the largest map.
        hidden: units of the dense layer.
        squash: False gives the logits themselves as z_hat, for a prior without bounds; True
            2σ(logits) - 1, for the uniform prior on (-1, 1).
        zero_init: whether the logits' weights start at zero (the latent regressor's).
        norm: of all hidden layers but the first, a kind of `make_normalization`.
        activation: a Keras activation of the hidden layers.
        l2: coupled weight decay of all kernels.

    Raises:
        UserError: a size out of its range.
    """

    keeps_groups_apart = True
    down = ConvDown

    def __init__(
        self,
        image_shape: Sequence[int],
        latent_dim: Count,
        width: Count = 16,
        hidden: Count = 256,
        squash: bool = False,
        zero_init: bool = False,
        norm: str | None = "batch",
        activation: str = "leaky_relu",
        l2: NonNegative = 0.0,
        **kwargs,
    ):
        arguments = {"image_shape": image_shape, "latent_dim": latent_dim, "width": width}
        arguments |= {"hidden": hidden, "squash": squash, "zero_init": zero_init, "norm": norm}
        super().__init__(arguments | {"activation": activation, "l2": l2}, **kwargs)
        self.squash = squash
        self.stages = self.down(self)
        self.flatten = keras.layers.Flatten("channels_last", dtype=self.dtype_policy)
        self.dense, self.norm_dense = self.make_dense(hidden, norm != "batch"), self.make_norm()
        self.latent = self.make_dense(latent_dim)
        if zero_init:
            self.latent.kernel_initializer = keras.initializers.Zeros()
        self(keras.Input(tuple(image_shape)))

    def features(self, x, training=False) -> dict[str, tf.Tensor]:
        """{"map1", "map2", ...: the maps of each stage [B, h, w, c], "maps": the last ones as a
        vector [B, h·w·c], "e-": the last hidden layer [B, hidden], "e": the logits of z_hat
        [B, latent_dim]}."""
        maps = self.stages(2.0 * x - 1.0, training=training)
        flat = self.flatten(maps[-1])
        h = self.activation(self.norm_dense(self.dense(flat), training=training))
        return named_features(maps, {"maps": flat, "e-": h, "e": self.latent(h)})

    def call(self, x, training=False):
        logits = self.features(x, training)["e"]
        return tf.tanh(0.5 * logits) if self.squash else logits  # tanh(l/2) = 2σ(l) - 1


@keras.saving.register_keras_serializable("tf_bigan")
class ConvDiscriminator(ConvNetwork):
    """D: (x [B, H, W, C], z [B, latent_dim]) -> logits [B, outputs], float32.

    z passes a dense layer and is added to the features of x; `joint` more dense layers follow. More
    of them let D compare x and z better, and E and G then invert each other better. With
    `latent_dim=None` D is of x alone: D(x) -> logits.

    Args:
        image_shape: (H, W, C), H and W from 8 on.
        latent_dim: size of z, or None.
        width: channels of the largest map.
        hidden: units of the dense layers.
        joint: number of dense layers after z has been added.
        outputs: number of logits.
        norm: of the maps but the first and of the layer that z is added to, a kind of
            `make_normalization`; "spectral" is of all kernels.
        activation: a Keras activation of the hidden layers.
        l2: coupled weight decay of all kernels.

    Raises:
        UserError: a size out of its range.
    """

    keeps_groups_apart = True
    down = ConvDown

    def __init__(
        self,
        image_shape: Sequence[int],
        latent_dim: Count | None = None,
        width: Count = 16,
        hidden: Count = 256,
        joint: Annotated[int, "[0, inf)"] = 2,
        outputs: Count = 1,
        norm: str | None = None,
        activation: str = "leaky_relu",
        l2: NonNegative = 0.0,
        **kwargs,
    ):
        arguments = {"image_shape": image_shape, "latent_dim": latent_dim, "width": width}
        arguments |= {"hidden": hidden, "joint": joint, "outputs": outputs, "norm": norm}
        super().__init__(arguments | {"activation": activation, "l2": l2}, **kwargs)
        self.stages = self.down(self)
        self.flatten = keras.layers.Flatten("channels_last", dtype=self.dtype_policy)
        self.dense = self.make_dense(hidden, norm != "batch")
        self.latent = None if latent_dim is None else self.make_dense(hidden)
        self.condition = None if latent_dim is None else self.make_dense(hidden, bias=False)
        self.norm_dense = self.make_norm()
        self.joint = [] if latent_dim is None else [self.make_dense(hidden) for _ in range(joint)]
        self.logit = self.make_dense(outputs)
        image = keras.Input(tuple(image_shape))
        self(image if latent_dim is None else [image, keras.Input((latent_dim,))])

    def features(self, inputs, training=False) -> tf.Tensor:
        """The last hidden layer, [B, hidden]; `head` of it is `call`."""
        x, z = (inputs, None) if self.condition is None else inputs
        maps = self.stages(2.0 * x - 1.0, training=training)
        h = self.dense(self.flatten(maps[-1]))
        if self.condition is not None:
            h += self.condition(self.activation(self.latent(z)))
        h = self.activation(self.norm_dense(h, training=training))
        for layer in self.joint:
            h = self.activation(layer(h))
        return h

    def head(self, features) -> tf.Tensor:
        """features [B, hidden] -> logits [B, outputs], float32."""
        return tf.cast(self.logit(features), tf.float32)

    def call(self, inputs, training=False):
        return self.head(self.features(inputs, training))
