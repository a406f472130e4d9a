"""Outputs of a trained model for arrays, in batches: codes, images, features and classes."""

from collections.abc import Collection
from functools import partial
from typing import TYPE_CHECKING

import keras
import numpy as np
import numpy.typing as npt
import tensorflow as tf

from tf_bigan import constraints
from tf_bigan.constraints import Count
from tf_bigan.data.pixels import to_unit_range
from tf_bigan.errors import UserError, did_you_mean
from tf_bigan.penalties import floats_to_float32

if TYPE_CHECKING:
    from tf_bigan.core.model import AdversarialModel


class Inference(keras.Model):
    """The methods of an `AdversarialModel` that take and return arrays.

    They use the moving average of the weights, if there is one, and batch statistics as in a test.
    """

    def inference_model(self) -> "AdversarialModel":
        """The model that encodes and generates: the moving average of the weights, if there is one.

        It belongs to the compiled model: `load_model(..., compile=False)` leaves it out.
        """
        # Not a property: Keras visits all attributes when saving and would recurse forever.
        return self if self.average is None else self.average

    def encode(self, images: npt.ArrayLike, batch_size: int = 256) -> np.ndarray:
        """E(x): images [N, H, W, C], uint8 or float in [0, 1] -> float32 [N, latent_dim]."""
        self._need("encoder")
        return self.in_batches("encoder", images, batch_size)

    def generate(self, z: npt.ArrayLike, batch_size: int = 256) -> np.ndarray:
        """G(z): latents [N, latent_dim] -> images float32 [N, H, W, C] in [0, 1]."""
        self._need("generator")
        return self.in_batches("generator", z, batch_size)

    def reconstruct(self, images: npt.ArrayLike, batch_size: int = 256) -> np.ndarray:
        """G(E(x)): images [N, H, W, C], uint8 or float in [0, 1] -> the same shape, float32."""
        return self.generate(self.encode(images, batch_size), batch_size)

    def sample(self, n: int, seed: int = 0, truncation: float | None = None) -> np.ndarray:
        """n samples G(z), z from the prior: float32 [n, H, W, C].

        truncation: draws z closer to the middle of the prior, for better but less diverse samples,
        as 0.7; see `Prior.sample`. It helps if G has learnt the whole prior well.
        """
        constraints.check("n", n, Count)
        return self.generate(self.prior.sample(n, seed, truncation))

    def interpolate(
        self, images_from: npt.ArrayLike, images_to: npt.ArrayLike, steps: int = 8
    ) -> np.ndarray:
        """G on the path from E(a) to E(b), slerp for a normal prior, else linear: two arrays
        [N, H, W, C] -> [N, steps, H, W, C]."""
        images_from, images_to = np.asarray(images_from), np.asarray(images_to)
        if len(images_from) != len(images_to) or steps < 2:
            raise ValueError(
                f"interpolate takes two equal numbers of images and at least 2 steps, not "
                f"{len(images_from)} and {len(images_to)} images in {steps} steps"
            )
        a, b = self.encode(images_from)[:, None], self.encode(images_to)[:, None]
        t = tf.reshape(tf.linspace(0.0, 1.0, steps), (1, steps, 1))
        z = self.prior.interpolate(tf.constant(a), tf.constant(b), t)  # [N, steps, latent_dim]
        images = self.generate(tf.reshape(z, (-1, self.prior.dim)))
        return images.reshape(len(a), steps, *images.shape[1:])

    def features(
        self, images: npt.ArrayLike, batch_size: int = 256, layers: Collection[str] | None = None
    ) -> dict[str, np.ndarray]:
        """Named encoder features of images [N, H, W, C]; {"e": E(x)} if the encoder names none.

        Args:
            images: uint8, or floats in [0, 1].
            batch_size: images per call of the encoder.
            layers: the name or names that are wanted, all by default. The maps of convolutions,
                [N, h, w, c], take much memory for many images.

        Raises:
            UserError: an unknown layer.
        """
        self._need("encoder")
        layers = [layers] if isinstance(layers, str) else layers
        if hasattr(self.encoder, "features"):
            return self.in_batches("encoder", images, batch_size, "features", layers)
        return _entries({"e": self.encode(images, batch_size)}, layers)

    def feature_shapes(self) -> dict[str, tuple[int, ...]]:
        """{layer: the shape of its features of one image}: (F,) of a vector, (h, w, c) of maps."""
        features = self.features(np.zeros((1, *self.image_shape), np.float32))
        return {name: values.shape[1:] for name, values in features.items()}

    def classify(self, images: npt.ArrayLike, batch_size: int = 256) -> np.ndarray:
        """Class probabilities of images [N, H, W, C]: float32 [N, classes].

        For systems with a method `class_logits(x, training)` that returns [B, classes].
        """
        if not hasattr(self, "class_logits"):
            raise ValueError(f"{type(self).__name__} does not classify")
        return keras.ops.convert_to_numpy(
            tf.nn.softmax(self.in_batches(None, images, batch_size, method="class_logits"))
        )

    def in_batches(
        self,
        network: str | None,
        array,
        batch_size: int = 256,
        method: str = "__call__",
        names: Collection[str] | None = None,
    ):
        """Applies a method of a network (None: of the model itself) to an array, in batches.

        Args:
            network: name of the network.
            array: latents [N, latent_dim] for "generator", else images [N, H, W, C].
            batch_size: rows per call.
            method: its name; it takes a batch and `training`.
            names: the entries to keep of the dictionary that the method returns.

        Returns:
            The method's result, with its tensors joined into arrays of N rows, floats in float32.
        """
        function = self._inference_functions.get(f"{network}.{method}")
        if function is None:
            model = self.inference_model()
            call = getattr(model if network is None else getattr(model, network), method)
            # A partial per model, because TensorFlow warns of many tracings of one function.
            function = tf.function(partial(call, training=False), reduce_retracing=True)
            self._inference_functions[f"{network}.{method}"] = function
        constraints.check("batch_size", batch_size, Count)
        if network == "generator":
            array, expected = np.asarray(array, np.float32), (self.prior.dim,)
        else:
            array, expected = to_unit_range(array), self.image_shape
        if array.shape[1:] != expected or len(array) == 0:
            raise ValueError(
                f"{network or method} takes an array of shape "
                f"[N, {', '.join(map(str, expected))}] with N > 0, not {list(array.shape)}"
            )
        parts = [
            _entries(function(tf.constant(array[i : i + batch_size])), names)
            for i in range(0, len(array), batch_size)
        ]
        return tf.nest.map_structure(
            lambda *rows: np.concatenate([floats_to_float32(r).numpy() for r in rows]), *parts
        )

    def _need(self, network: str):
        if not hasattr(self, network):
            raise ValueError(f"{type(self).__name__} has no {network}")


def _entries(found, names: Collection[str] | None):
    """Those of the names, or all."""
    if names is None:
        return found
    for name in names:
        if name not in found:
            raise UserError(f"layer={name} is unknown{did_you_mean(name, found)}")
    return {name: found[name] for name in names}
