"""Using a trained model: encode, generate, reconstruct, interpolate, on arrays of any length.

Images are float in [0, 1], or uint8, of which 255 is 1.
"""

import keras
import numpy as np
import tensorflow as tf


class Inference:
    """What an `AdversarialModel` does for its user. Arrays in, arrays out, in batches."""

    def inference_model(self) -> keras.Model:
        """The model that encodes and generates: the weights' moving average where there is one.

        It is a part of the compiled model: `load_model(..., compile=False)` leaves it out.
        """
        # Not a property: Keras walks a model's attributes to save it, and would not return.
        return self if self.average is None else self.average

    def encode(self, images, batch_size: int = 256) -> np.ndarray:
        """E(x): images [N, H, W, C] in [0, 1] -> float32 [N, latent]."""
        self._need("encoder")
        return self._in_batches("encoder", images, batch_size)

    def generate(self, z, batch_size: int = 256) -> np.ndarray:
        """G(z): latent vectors [N, latent] -> images float32 [N, H, W, C] in [0, 1]."""
        self._need("generator")
        return self._in_batches("generator", z, batch_size)

    def reconstruct(self, images, batch_size: int = 256) -> np.ndarray:
        """G(E(x)): images [N, H, W, C] in [0, 1] -> the same shape and range."""
        return self.generate(self.encode(images, batch_size), batch_size)

    def sample(self, n: int, seed: int = 0) -> np.ndarray:
        """n draws of G(z), z from the prior: float32 [n, H, W, C]."""
        if n < 1:
            raise ValueError(f"sample takes at least 1 draw, not {n}")
        return self.generate(self.prior.sample(n, seed))

    def interpolate(self, images_from, images_to, steps: int = 8) -> np.ndarray:
        """G on the way from E(a) to E(b): [N, H, W, C] twice -> [N, steps, H, W, C]."""
        if len(images_from) != len(images_to) or steps < 2:
            raise ValueError(
                f"interpolate takes as many images as others and at least 2 steps, not "
                f"{len(images_from)} and {len(images_to)} images in {steps} steps"
            )
        a, b = self.encode(images_from)[:, None], self.encode(images_to)[:, None]
        t = tf.reshape(tf.linspace(0.0, 1.0, steps), (1, steps, 1))
        z = self.prior.interpolate(tf.constant(a), tf.constant(b), t)  # [N, steps, latent]
        images = self.generate(tf.reshape(z, (-1, self.prior.dim)))
        return images.reshape(len(a), steps, *images.shape[1:])

    def features(self, images, batch_size: int = 256) -> dict[str, np.ndarray]:
        """The encoder's named layers for images [N, H, W, C]; {"e": E(x)} where it names none."""
        self._need("encoder")
        if not hasattr(self.encoder, "features"):
            return {"e": self.encode(images, batch_size)}
        return self._in_batches("encoder", images, batch_size, method="features")

    def classify(self, images, batch_size: int = 256) -> np.ndarray:
        """Class probabilities of images [N, H, W, C] in [0, 1]: float32 [N, classes].

        For a system with a method `class_logits(x, training)`, [B, classes].
        """
        if not hasattr(self, "class_logits"):
            raise ValueError(f"{type(self).__name__} does not classify")
        return keras.ops.convert_to_numpy(
            tf.nn.softmax(self._in_batches(None, images, batch_size, method="class_logits"))
        )

    def _need(self, network: str):
        if not hasattr(self, network):
            raise ValueError(f"{type(self).__name__} has no {network}")

    def _in_batches(self, network: str | None, array, batch_size: int, method: str = "__call__"):
        """A method of a network (of the model itself for None) over an array."""
        function = self._inference_functions.get(f"{network}.{method}")
        if function is None:
            model = self.inference_model()
            call = getattr(model if network is None else getattr(model, network), method)
            function = tf.function(lambda x: call(x, training=False), reduce_retracing=True)
            self._inference_functions[f"{network}.{method}"] = function
        array = np.asarray(array) if network == "generator" else as_floats(array)
        if batch_size < 1:
            raise ValueError(f"batch_size must be at least 1, not {batch_size}")
        array = array.astype(np.float32, copy=False)
        expected = (self.prior.dim,) if network == "generator" else self.image_shape
        if array.shape[1:] != expected or len(array) == 0:
            raise ValueError(
                f"{network or method} takes an array of shape "
                f"[N, {', '.join(map(str, expected))}] with N > 0, not {list(array.shape)}"
            )
        parts = [
            function(tf.constant(array[i : i + batch_size]))
            for i in range(0, len(array), batch_size)
        ]
        return tf.nest.map_structure(
            lambda *rows: np.concatenate([r.numpy() for r in rows]), *parts
        )


def as_floats(array) -> np.ndarray:
    """Images of uint8, or of floats in [0, 1], as floats. Raises ValueError for any others."""
    array = np.asarray(array)
    if array.dtype == np.uint8:
        return array.astype(np.float32) / 255.0
    if not np.issubdtype(array.dtype, np.floating):
        raise ValueError(f"images must be uint8, or float in [0, 1], not {array.dtype}")
    if array.size and not (array.min() >= 0 and array.max() <= 1):  # NaN fails both comparisons
        raise ValueError(f"images must be in [0, 1], not [{array.min()}, {array.max()}]")
    return array
