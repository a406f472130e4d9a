"""The convolutions before DANN's heads for digits (Ganin & Lempitsky 2015, figure 4)."""

from collections.abc import Sequence

import keras
import tensorflow as tf

from tf_bigan.constraints import Count, NonNegative
from tf_bigan.networks.network import Network, named_features, weight_decay
from tf_bigan.networks.normalization import make_normalization
from tf_bigan.networks.spectral import layer_class


@keras.saving.register_keras_serializable("tf_bigan")
class LeNetFeatures(Network):
    """x [B, H, W, C] in [0, 1] -> features [B, F], float32: two convolutions, each with pooling.

    28×28 pixels give F = 7·7·48 features.

    Args:
        image_shape: (H, W, C).
        width: channels of the first convolution; the second has 1.5 times as many.
        norm: normalisation of both, a kind of `make_normalization`.
        l2: coupled weight decay of the kernels.
    """

    keeps_groups_apart = True

    def __init__(
        self,
        image_shape: Sequence[int],
        width: Count = 32,
        norm: str | None = "batch",
        l2: NonNegative = 0.0,
        **kwargs,
    ):
        arguments = {"image_shape": image_shape, "width": width, "norm": norm, "l2": l2}
        super().__init__(arguments, **kwargs)
        self.convs = [
            layer_class(keras.layers.Conv2D, norm)(
                channels,
                5,
                padding="same",
                data_format="channels_last",
                kernel_initializer="he_normal",
                kernel_regularizer=weight_decay(l2),
                dtype=self.dtype_policy,
            )
            for channels in (width, width + width // 2)
        ]
        self.norms = [make_normalization(norm, self.dtype_policy) for _ in self.convs]
        self.pool = keras.layers.MaxPooling2D(
            2, padding="same", data_format="channels_last", dtype=self.dtype_policy
        )
        self.flatten = keras.layers.Flatten("channels_last", dtype=self.dtype_policy)
        self.size = self(keras.Input(tuple(image_shape))).shape[-1]  # F

    def features(self, x, training=False) -> dict[str, tf.Tensor]:
        """{"map1", "map2": the maps of each stage [B, h, w, c], "e-": the last ones as a vector
        [B, F], a hidden layer of the classifier}."""
        maps, h = [], 2.0 * x - 1.0
        for conv, norm in zip(self.convs, self.norms, strict=True):
            h = tf.nn.relu(self.pool(norm(conv(h), training=training)))
            maps.append(h)
        return named_features(maps, {"e-": self.flatten(h)})

    def call(self, x, training=False):
        return self.features(x, training)["e-"]
