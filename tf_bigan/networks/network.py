"""The base class of all networks, and small shared functions."""

from collections.abc import Mapping, Sequence

import keras
import tensorflow as tf

from tf_bigan.constraints import check_arguments
from tf_bigan.errors import UserError


class Network(keras.Model):
    """A `keras.Model` that stores its constructor arguments, so that Keras can save and copy it.

    A subclass calls `super().__init__(arguments, **kwargs)` first and gives its layers
    `dtype=self.dtype_policy`, and those with feature maps `data_format="channels_last"`, so that
    the user's Keras settings do not matter. A call on `keras.Input`s at the end builds it.

    Args:
        arguments: the subclass's own constructor arguments by name.
        **kwargs: `name` and `dtype` (a policy such as "mixed_bfloat16") of `keras.Model`. The
            default is Keras's global policy if its weights are float32, else "float32".

    Raises:
        UserError: an argument that does not meet its annotation in the subclass's constructor, or
            an `image_shape` that is not (H, W, C).
    """

    def __init__(self, arguments: dict, **kwargs):
        policy = keras.config.dtype_policy()  # may be float64 in a user's keras.json
        usable = policy.variable_dtype == "float32"
        super().__init__(**{"dtype": policy if usable else "float32"} | kwargs)
        for kind in type(self).__mro__[: type(self).__mro__.index(Network)]:
            check_arguments(kind, arguments)
        shape = tuple(arguments.get("image_shape", (1, 1, 1)))
        if len(shape) != 3 or min(shape) < 1:
            raise UserError(f"image_shape={shape}: it must be (H, W, C)")
        self._arguments = arguments

    def build(self, input_shape):
        """Nothing is left to do: the layers build themselves in that call.

        Keras's own would call the network once more for it, here and when it is loaded.
        """

    def get_config(self) -> dict:
        dtype = keras.dtype_policies.serialize(self.dtype_policy)
        return {"name": self.name, "dtype": dtype, **self._arguments}


def leaky_relu(x: tf.Tensor) -> tf.Tensor:
    """max(x, 0.2·x), DCGAN's."""
    return tf.nn.leaky_relu(x, 0.2)


def named_features(
    maps: Sequence[tf.Tensor], vectors: Mapping[str, tf.Tensor]
) -> dict[str, tf.Tensor]:
    """An encoder's features by name, float32: the maps of its stages [B, h, w, c], from the image
    on, are "map1", "map2", ...; then come the vectors [B, F]."""
    named = {f"map{stage}": h for stage, h in enumerate(maps, 1)} | dict(vectors)
    return {name: tf.cast(value, tf.float32) for name, value in named.items()}


def weight_decay(l2: float) -> keras.regularizers.Regularizer | None:
    """Coupled weight decay, as in BiGAN's official code, with the gradient 2·(l2/2)·w."""
    return keras.regularizers.L2(l2 / 2) if l2 else None
