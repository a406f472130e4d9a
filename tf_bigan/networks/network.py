"""What all networks share: a `keras.Model` that knows how it was made, and its small parts."""

import keras
import tensorflow as tf


class Network(keras.Model):
    """Keeps the arguments of its constructor, so that Keras can save, load and copy it.

    A subclass calls `super().__init__(arguments, **kwargs)` first, gives its layers
    `dtype=self.dtype_policy`, those with maps `data_format="channels_last"` too, as a user may have
    set Keras otherwise, and ends its constructor with a call on `keras.Input`s, which builds it.

    Args:
        arguments: the subclass's own constructor arguments by name.
        **kwargs: `name` and `dtype` (a policy such as "mixed_bfloat16") of `keras.Model`. Keras's
            global policy is the default if its weights are float32, as here; else "float32".
    """

    def __init__(self, arguments: dict, **kwargs):
        policy = keras.config.dtype_policy()  # by a user's keras.json perhaps float64
        usable = policy.variable_dtype == "float32"
        super().__init__(**{"dtype": policy if usable else "float32"} | kwargs)
        self._arguments = arguments

    def get_config(self) -> dict:
        dtype = keras.dtype_policies.serialize(self.dtype_policy)
        return {"name": self.name, "dtype": dtype, **self._arguments}


def leaky_relu(x: tf.Tensor) -> tf.Tensor:
    """max(x, 0.2·x), DCGAN's."""
    return tf.nn.leaky_relu(x, 0.2)


def weight_decay(l2: float) -> keras.regularizers.Regularizer | None:
    """Coupled, as in BiGAN's official code: the regulariser's gradient is 2·(l2/2)·w."""
    return keras.regularizers.L2(l2 / 2) if l2 else None
