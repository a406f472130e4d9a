"""The parts of a model that can be exported: networks, input and output."""

import dataclasses
from collections.abc import Callable

import keras
import numpy as np
import tensorflow as tf

from tf_bigan.core.model import AdversarialModel
from tf_bigan.errors import UserError, did_you_mean


@dataclasses.dataclass(frozen=True)
class Part:
    """A part of a model that can be exported.

    Attributes:
        name: the value of `part`.
        networks: the networks applied to the input, in order.
        input: "image" or "z".
        output: the name of the output.
        meaning: describes the output.
    """

    name: str
    networks: tuple[str, ...]
    input: str
    output: str
    meaning: str

    def signature(self, model: AdversarialModel) -> tuple[str, tuple[int, ...]]:
        """(dtype, shape without N) of the input."""
        if self.input == "z":
            return "float32", (model.prior.dim,)
        return "uint8", tuple(model.image_shape)


_BOTH = ("encoder", "generator")
PARTS = {
    part.name: part
    for part in (
        Part("encoder", ("encoder",), "image", "z", "E(x), the latent code of each image"),
        Part("generator", ("generator",), "z", "image", "G(z), an image for each z"),
        Part(
            "reconstructor",
            _BOTH,
            "image",
            "reconstruction",
            "G(E(x)), each image reconstructed",
        ),
        Part(
            *("anomaly", _BOTH, "image", "score"),
            "the mean of |x - G(E(x))| over an image's pixels and channels, with x in [0, 1]; "
            "larger for images unlike the training images",
        ),
    )
}


def chosen_part(name: str, model: AdversarialModel | None = None) -> Part:
    """The part by name. Raises UserError if it is unknown or the model lacks a network for it."""
    if name not in PARTS:
        raise UserError(f"part={name} is unknown{did_you_mean(name, PARTS)}")
    part = PARTS[name]
    for network in part.networks if model is not None else ():
        if not hasattr(model, network):
            able = [p.name for p in PARTS.values() if all(hasattr(model, n) for n in p.networks)]
            raise UserError(
                f"part={name}: {type(model).__name__} has no {network}; "
                f"parts that it has: {', '.join(able) or 'none'}"
            )
    return part


def float32_networks(part: Part, model: AdversarialModel) -> list[keras.Model]:
    """The part's networks in float32, with the weights that `encode` and `generate` use.

    Raises:
        UserError: a network of another precision cannot be rebuilt in float32.
    """
    source = model.inference_model()
    return [_in_float32(getattr(source, name), name) for name in part.networks]


def _in_float32(network: keras.Model, name: str) -> keras.Model:
    if precisions(network) == {"float32"}:
        return network
    # ONNX and TFLite have no bfloat16 products; the weights are float32 in any case.
    try:
        config = _with_float32(keras.saving.serialize_keras_object(network))
        copy = keras.saving.deserialize_keras_object(config)
        copy.set_weights(network.get_weights())
        found = precisions(copy)
    except Exception as error:  # from a user's network class
        raise UserError(f"the {name} cannot be rebuilt in float32: {error}") from error
    if found != {"float32"}:
        raise UserError(
            f"the {name} computes in {', '.join(sorted(found))} even with dtype float32: "
            "pass the network's dtype to its layers"
        )
    return copy


def precisions(network: keras.Model) -> set[str]:
    """The dtypes that its layers compute in."""
    return {layer.compute_dtype for layer in network._flatten_layers()}


def _with_float32(config):
    """A serialised network config with every dtype policy replaced by float32."""
    if isinstance(config, (list, tuple)):
        return type(config)(map(_with_float32, config))
    if not isinstance(config, dict):
        return config
    if str(config.get("class_name")).endswith("DTypePolicy"):
        return {**config, "class_name": "DTypePolicy", "config": {"name": "float32"}}
    return {
        key: "float32" if key == "dtype" and isinstance(value, str) else _with_float32(value)
        for key, value in config.items()
    }


def graph(part: Part, networks: list[keras.Model]) -> Callable[[tf.Tensor], dict[str, tf.Tensor]]:
    """The TensorFlow function in the exported file: input -> {name of the output: output}."""

    def serve(given):
        x = tf.cast(given, tf.float32) / 255.0 if part.input == "image" else given
        y = x
        for network in networks:
            y = network(y, training=False)
        if part.name == "anomaly":
            y = tf.reduce_mean(tf.abs(x - y), axis=[1, 2, 3])
        return {part.output: y}

    return serve


def expected(
    part: Part, inputs: np.ndarray, through: Callable[[np.ndarray], np.ndarray]
) -> np.ndarray:
    """The same in NumPy, to compare with.

    Args:
        part: the exported part.
        inputs: uint8 images [N, H, W, C], or z [N, latent_dim].
        through: applies the part's networks to an array.
    """
    if part.input == "z":
        return through(inputs)
    x = inputs.astype(np.float32) / np.float32(255)
    y = through(x)
    return np.abs(x - y).mean(axis=(1, 2, 3)) if part.name == "anomaly" else y
