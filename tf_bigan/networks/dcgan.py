"""Convolutional networks after DCGAN (Radford et al. 2016), for images of 8×8 pixels or more.

Convolutions with stride 2 halve the image, rounding up, while its smaller side stays at 4 or
more: 28×28 -> 14×14 -> 7×7 -> 4×4. The generator reverses this. As in the paper: weights from
N(0, 0.02²), channels that double (here up to 8·width), batch normalisation in all layers except
the input layers of E and D and the output layers, ReLU in G and leaky ReLU (0.2) in E and D.
Images are in [0, 1] outside the networks; E and D rescale them to [-1, 1].
"""

import math
from collections.abc import Sequence

import keras
import tensorflow as tf

from tf_bigan.constraints import Count, NonNegative
from tf_bigan.errors import UserError
from tf_bigan.networks.network import Network, leaky_relu, named_features, weight_decay
from tf_bigan.networks.normalization import BatchNormalization, make_normalization
from tf_bigan.networks.spectral import layer_class

SMALLEST_IMAGE, SMALLEST_MAP = 8, 4


class _DCGAN(Network):
    """The layers of the three networks, and the checks of their sizes."""

    def __init__(self, arguments: dict, **kwargs):
        super().__init__(arguments, **kwargs)
        *size, channels = arguments["image_shape"]
        if min(size) < SMALLEST_IMAGE:
            least = f"{SMALLEST_IMAGE}×{SMALLEST_IMAGE}"
            raise UserError(
                f"dcgan takes images of at least {least} pixels, not {size[0]}×{size[1]}"
            )
        width = arguments["width"]
        self.l2 = arguments["l2"]
        self.sizes = [tuple(size)]  # the image, then the feature map after each halving
        while min(half := tuple(-(-side // 2) for side in self.sizes[-1])) >= SMALLEST_MAP:
            self.sizes.append(half)
        # The channels of these.
        self.channels = [channels, *(width * min(2**i, 8) for i in range(len(self.sizes) - 1))]

    def _weights(self) -> dict:
        return {
            "kernel_initializer": keras.initializers.RandomNormal(stddev=0.02),
            "kernel_regularizer": weight_decay(self.l2),
            "dtype": self.dtype_policy,
        }

    def _dense(self, units: int, bias: bool = True, norm: str | None = None) -> keras.layers.Dense:
        layer = layer_class(keras.layers.Dense, norm)
        return layer(units, use_bias=bias, **self._weights())

    def _norm(self, kind: str | None = "batch") -> keras.layers.Layer:
        # Smaller than Keras's epsilon of 1e-3, because initial variances have that size.
        if kind == "batch":
            return BatchNormalization(momentum=0.9, epsilon=1e-5, dtype=self.dtype_policy)
        return make_normalization(kind, self.dtype_policy)

    def _make_tower(self, norm: str | None = "batch"):
        """Makes the downsampling convolutions that E and D share."""
        self.convs = [
            layer_class(keras.layers.Conv2D, norm)(
                c,
                4,
                2,
                "same",
                "channels_last",
                use_bias=i == 0 or norm in (None, "spectral"),
                **self._weights(),
            )
            for i, c in enumerate(self.channels[1:])
        ]
        self.norms = [self._norm(norm) for _ in self.convs[1:]]
        self.flatten = keras.layers.Flatten("channels_last", dtype=self.dtype_policy)

    def _tower(self, x: tf.Tensor, training: bool) -> tuple[list[tf.Tensor], tf.Tensor]:
        """x [B, H, W, C] in [0, 1] -> (the maps of each convolution, the last ones flattened)."""
        maps = [leaky_relu(self.convs[0](2.0 * x - 1.0))]
        for conv, norm in zip(self.convs[1:], self.norms, strict=True):
            maps.append(leaky_relu(norm(conv(maps[-1]), training=training)))
        return maps, self.flatten(maps[-1])


@keras.saving.register_keras_serializable("tf_bigan")
class DCGANGenerator(_DCGAN):
    """G: z [B, latent_dim] -> x [B, H, W, C] in (0, 1), float32.

    A dense layer makes the smallest feature map. Each transposed convolution doubles it and, for
    odd sizes, crops it.

    Args:
        image_shape: (H, W, C), H and W at least 8.
        latent_dim: latent dimension, the size of z.
        width: channels of the largest feature map before the image.
        base: height and width of the smallest feature map; by default that of the encoder.
        base_norm: whether the smallest feature map is batch normalised.
        activation: Keras activation of the feature maps.
        l2: coupled weight decay of all kernels.

    Raises:
        UserError: a size out of its range.
    """

    keeps_groups_apart = True

    def __init__(
        self,
        image_shape: Sequence[int],
        latent_dim: Count,
        width: Count = 32,
        base: tuple[int, int] | None = None,
        base_norm: bool = True,
        activation: str = "relu",
        l2: NonNegative = 0.0,
        **kwargs,
    ):
        arguments = {"image_shape": image_shape, "latent_dim": latent_dim, "width": width}
        arguments |= {"base": base, "base_norm": base_norm, "activation": activation, "l2": l2}
        super().__init__(arguments, **kwargs)
        self.activation = keras.activations.get(activation)
        self.base_shape = (*(base or self.sizes[-1]), self.channels[-1])
        self.project = self._dense(math.prod(self.base_shape), bias=not base_norm)
        # The output sizes and channels of the transposed convolutions.
        self.targets, channels = self.sizes[-2::-1], self.channels[-2::-1]
        starts = [self.base_shape[:2], *self.targets[:-1]]
        self.convs = [
            self._upsample(start, target, c, bias=target == self.sizes[0])
            for start, target, c in zip(starts, self.targets, channels, strict=True)
        ]
        first = self._norm() if base_norm else keras.layers.Identity(dtype=self.dtype_policy)
        self.norms = [first, *(self._norm() for _ in self.convs[1:])]  # one before each
        self.sigmoid = keras.layers.Activation("sigmoid", dtype="float32")
        self(keras.Input((latent_dim,)))

    @classmethod
    def tutorial(cls, latent_dim: int = 100, **kwargs) -> "DCGANGenerator":
        """The 28×28×1 generator of dragen1860's TensorFlow 2 tutorials, lesson 13.

        Dense 3×3×512, then 7×7×256 (kernel 3, valid), 14×14×128 and the image (kernel 4, same).
        Its tanh in [-1, 1] is a sigmoid in [0, 1] here. Its discriminator is
        `DCGANDiscriminator((28, 28, 1), width=64)`.
        """
        fixed = {"base": (3, 3), "base_norm": False, "activation": "leaky_relu"}
        return cls((28, 28, 1), latent_dim, width=128, **fixed, **kwargs)

    def _upsample(self, size, target, channels: int, bias: bool) -> keras.layers.Layer:
        # Kernel 4 gives 2·size. Larger growth needs a kernel that reaches the target exactly.
        kernel, padding = 4, "same"
        if any(t > 2 * s for s, t in zip(size, target, strict=True)):
            kernel = tuple(t - 2 * (s - 1) for s, t in zip(size, target, strict=True))
            padding = "valid"
        return keras.layers.Conv2DTranspose(
            channels,
            kernel,
            2,
            padding,
            data_format="channels_last",
            use_bias=bias,
            **self._weights(),
        )

    def call(self, z, training=False):
        h = tf.reshape(self.project(z), (-1, *self.base_shape))
        for norm, conv, (height, width) in zip(self.norms, self.convs, self.targets, strict=True):
            h = self.activation(norm(h, training=training))
            h = conv(h)
            if h.shape[1:3] != (height, width):  # an empty crop would still cost a gradient
                h = h[:, :height, :width]
        return self.sigmoid(h)


@keras.saving.register_keras_serializable("tf_bigan")
class DCGANEncoder(_DCGAN):
    """E: x [B, H, W, C] in [0, 1] -> z_hat [B, latent_dim], float32.

    Args:
        image_shape: (H, W, C), H and W at least 8.
        latent_dim: latent dimension, the size of z_hat.
        width: channels of the largest feature map.
        squash: True gives z_hat = 2σ(logits) - 1 for the uniform prior on (-1, 1); False gives
            the logits, for an unbounded prior.
        zero_init: whether the weights of the logits start at zero (latent regressor).
        l2: coupled weight decay of all kernels.

    Raises:
        UserError: a size out of its range.
    """

    keeps_groups_apart = True

    def __init__(
        self,
        image_shape: Sequence[int],
        latent_dim: Count,
        width: Count = 32,
        squash: bool = True,
        zero_init: bool = False,
        l2: NonNegative = 0.0,
        **kwargs,
    ):
        arguments = {"image_shape": image_shape, "latent_dim": latent_dim, "width": width}
        arguments |= {"squash": squash, "zero_init": zero_init, "l2": l2}
        super().__init__(arguments, **kwargs)
        self.squash = squash
        self._make_tower()
        self.latent = self._dense(latent_dim)
        if zero_init:
            self.latent.kernel_initializer = keras.initializers.Zeros()
        self(keras.Input(tuple(image_shape)))

    def features(self, x, training=False) -> dict[str, tf.Tensor]:
        """{"map1", "map2", ...: the maps of each stage [B, h, w, c], "e-": the last ones as a
        vector [B, F], "e": logits of z_hat [B, latent_dim]}."""
        maps, h = self._tower(x, training)
        return named_features(maps, {"e-": h, "e": self.latent(h)})

    def call(self, x, training=False):
        logits = self.features(x, training)["e"]
        return tf.tanh(0.5 * logits) if self.squash else logits  # tanh(l/2) = 2σ(l) - 1


@keras.saving.register_keras_serializable("tf_bigan")
class DCGANDiscriminator(_DCGAN):
    """D: (x [B, H, W, C] in [0, 1], z [B, latent_dim]) -> logits [B, outputs], float32.

    A hidden layer joins z with the last feature map of x, before its normalisation, as in the MLP
    networks of BiGAN. (Without it, or with a hidden layer for z before it as in ALI, D won against
    E and G.) With `latent_dim=None` D is DCGAN's D(x) -> logits.

    Args:
        image_shape: (H, W, C), H and W at least 8.
        latent_dim: latent dimension, or None for a discriminator of images only.
        width: channels of the largest feature map.
        hidden: units of the layer that joins x and z; unused without z.
        outputs: number of logits per image.
        norm: normalisation of the feature maps, a kind of `make_normalization`; "spectral" is of
            all kernels.
        l2: coupled weight decay of all kernels.

    Raises:
        UserError: a size out of its range.
    """

    keeps_groups_apart = True

    def __init__(
        self,
        image_shape: Sequence[int],
        latent_dim: Count | None = None,
        width: Count = 32,
        hidden: Count = 512,
        outputs: Count = 1,
        norm: str | None = "batch",
        l2: NonNegative = 0.0,
        **kwargs,
    ):
        arguments = {"image_shape": image_shape, "latent_dim": latent_dim, "width": width}
        arguments |= {"hidden": hidden, "outputs": outputs, "norm": norm, "l2": l2}
        super().__init__(arguments, **kwargs)
        pair = latent_dim is not None
        self._make_tower(norm)
        bias = norm in (None, "spectral")
        self.joint = self._dense(hidden, bias, norm) if pair else None
        self.norm_joint = self._norm(norm) if pair else None
        self.condition = self._dense(hidden, False, norm) if pair else None
        # Not initialised to zero as in the MLP: the units of `joint` would then all learn the same
        # at first, none of them the relation of x and z, and E and G would not invert each other.
        self.logit = self._dense(outputs, norm=norm)
        image = keras.Input(tuple(image_shape))
        self([image, keras.Input((latent_dim,))] if pair else image)

    def features(self, inputs, training=False) -> tf.Tensor:
        """The last hidden layer, [B, F]; `call` is `head` of it."""
        x, z = (inputs, None) if self.condition is None else inputs
        _, h = self._tower(x, training)
        if self.condition is not None:
            h = self.norm_joint(self.joint(h) + self.condition(z), training=training)
            h = leaky_relu(h)  # [B, hidden]
        return h

    def head(self, features) -> tf.Tensor:
        """features [B, F] -> logits [B, outputs], float32."""
        return tf.cast(self.logit(features), tf.float32)

    def call(self, inputs, training=False):
        return self.head(self.features(inputs, training))
