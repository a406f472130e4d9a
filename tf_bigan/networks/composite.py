"""Networks that consist of other networks."""

from collections.abc import Sequence

import keras
import tensorflow as tf

from tf_bigan.networks.network import Network


class _Composite(Network):
    """A network whose arguments are networks; it is saved and copied together with them.

    Args:
        arguments: as in `Network`.
        part: the network whose dtype policy is used.
    """

    def __init__(self, arguments: dict, part: keras.Model, **kwargs):
        super().__init__(arguments, **{"dtype": part.dtype_policy} | kwargs)

    @property
    def keeps_groups_apart(self) -> bool:
        """Whether all of its networks keep batch groups apart."""
        networks = (a for a in self._arguments.values() if isinstance(a, keras.Model))
        return all(getattr(network, "keeps_groups_apart", False) for network in networks)

    def get_config(self) -> dict:
        serialize = keras.saving.serialize_keras_object
        return super().get_config() | {n: serialize(a) for n, a in self._arguments.items()}

    @classmethod
    def from_config(cls, config: dict):
        return cls(
            **{name: keras.saving.deserialize_keras_object(part) for name, part in config.items()}
        )


@keras.saving.register_keras_serializable("tf_bigan")
class GaussianEncoder(_Composite):
    """E that gives a Gaussian q(z | x) per image. A call returns the mean, [B, latent_dim].

    Args:
        body: an encoder without squashing, x -> [B, 2·latent_dim]: means, then raw scales.
        image_shape: (H, W, C) of x.
    """

    def __init__(self, body: keras.Model, image_shape: Sequence[int], **kwargs):
        super().__init__({"body": body, "image_shape": image_shape}, body, **kwargs)
        self.body = body
        self(keras.Input(tuple(image_shape)))

    def distribution(self, x, training=False) -> tuple[tf.Tensor, tf.Tensor]:
        """(mean, raw scale), float32 [B, latent_dim] each; the system defines the scale, e.g. as
        log σ."""
        both = tf.cast(self.body(x, training=training), tf.float32)
        return tuple(tf.split(both, 2, axis=-1))

    def features(self, x, training=False) -> dict[str, tf.Tensor]:
        """The body's named features, with the mean as "e"; that alone if the body names none."""
        if not hasattr(self.body, "features"):
            return {"e": self(x, training=training)}
        features = self.body.features(x, training)
        return features | {"e": tf.split(features["e"], 2, axis=-1)[0]}

    def call(self, x, training=False):
        return self.distribution(x, training)[0]


@keras.saving.register_keras_serializable("tf_bigan")
class AutoencoderNetwork(_Composite):
    """x [B, H, W, C] -> its reconstruction, through a code [B, code].

    Args:
        encoder: x -> code.
        decoder: code -> x.
        image_shape: (H, W, C) of x.
    """

    def __init__(
        self, encoder: keras.Model, decoder: keras.Model, image_shape: Sequence[int], **kwargs
    ):
        arguments = {"encoder": encoder, "decoder": decoder, "image_shape": image_shape}
        super().__init__(arguments, encoder, **kwargs)
        self.encoder, self.decoder = encoder, decoder
        self(keras.Input(tuple(image_shape)))

    def code_and_reconstruction(self, x, training=False) -> tuple[tf.Tensor, tf.Tensor]:
        """(code [B, code], reconstruction [B, H, W, C]), float32."""
        code = tf.cast(self.encoder(x, training=training), tf.float32)
        return code, tf.cast(self.decoder(code, training=training), tf.float32)

    def call(self, x, training=False):
        return self.code_and_reconstruction(x, training)[1]
