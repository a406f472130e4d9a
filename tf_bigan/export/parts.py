"""What of a model can be exported: which networks, from which input to which output."""

from __future__ import annotations

import dataclasses

import numpy as np

from tf_bigan.errors import UserError, did_you_mean


@dataclasses.dataclass(frozen=True)
class Part:
    """A part of a model that is of use by itself.

    Attributes:
        name: what the user calls it.
        networks: the networks that an input goes through, in order.
        input: "image" or "z".
        output: the output's name.
        meaning: of the output.
    """

    name: str
    networks: tuple[str, ...]
    input: str
    output: str
    meaning: str

    def signature(self, model) -> tuple[str, tuple[int, ...]]:
        """(dtype, shape without N) of the input."""
        if self.input == "z":
            return "float32", (model.prior.dim,)
        return "uint8", tuple(model.image_shape)


_BOTH = ("encoder", "generator")
PARTS = {
    part.name: part
    for part in (
        Part("encoder", ("encoder",), "image", "z", "E(x), the code of each image"),
        Part("generator", ("generator",), "z", "image", "G(z), an image for each code"),
        Part("reconstructor", _BOTH, "image", "reconstruction", "G(E(x)), each image again"),
        Part(
            *("anomaly", _BOTH, "image", "score"),
            "the mean of |x - G(E(x))| over an image's pixels and channels, with x in [0, 1]; "
            "larger for images unlike those of the training",
        ),
    )
}


def chosen_part(what: str, model=None) -> Part:
    """The part of a name. Raises UserError if it is unknown or the model has no network for it."""
    if what not in PARTS:
        raise UserError(f"what={what} is unknown{did_you_mean(what, PARTS)}")
    if model is None:
        return PARTS[what]
    for network in PARTS[what].networks:
        if not hasattr(model, network):
            able = [p.name for p in PARTS.values() if all(hasattr(model, n) for n in p.networks)]
            raise UserError(
                f"what={what}: {type(model).__name__} has no {network}; "
                f"what it has: {', '.join(able) or 'nothing to export'}"
            )
    return PARTS[what]


def float32_networks(part: Part, model) -> list:
    """The part's networks with the weights that `encode` and `generate` use, all in float32.

    Raises:
        UserError: one trained in another precision that cannot be made again in float32.
    """
    source = model.inference_model()
    return [_in_float32(getattr(source, name), name) for name in part.networks]


def _in_float32(network, name: str):
    import keras

    if _precisions(network) == {"float32"}:
        return network
    # Neither ONNX nor TFLite has bfloat16 products; the weights are float32 in any case.
    try:
        config = _with_float32(keras.saving.serialize_keras_object(network))
        copy = keras.saving.deserialize_keras_object(config)
        copy.set_weights(network.get_weights())
        precisions = _precisions(copy)
    except Exception as error:  # a class of the user's may be written in any way
        raise UserError(f"the {name} cannot be made again in float32: {error}") from error
    if precisions != {"float32"}:
        raise UserError(
            f"the {name} computes in {', '.join(sorted(precisions))} whatever its dtype says: "
            "give its layers the dtype of the network"
        )
    return copy


def _precisions(network) -> set[str]:
    return {layer.compute_dtype for layer in network._flatten_layers()}


def _with_float32(config):
    """A serialised network with float32 in the place of every dtype policy."""
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


def graph(part: Part, networks: list):
    """The TensorFlow function of the exported file: its input -> {output's name: output}."""
    import tensorflow as tf

    def serve(given):
        x = tf.cast(given, tf.float32) / 255.0 if part.input == "image" else given
        y = x
        for network in networks:
            y = network(y, training=False)
        if part.name == "anomaly":
            y = tf.reduce_mean(tf.abs(x - y), axis=[1, 2, 3])
        return {part.output: y}

    return serve


def expected(part: Part, inputs: np.ndarray, through) -> np.ndarray:
    """The same in NumPy around the networks, to compare with.

    Args:
        part: what is exported.
        inputs: uint8 images [N, H, W, C], or codes [N, latent].
        through: a function from an array to what the part's networks give for it.
    """
    if part.input == "z":
        return through(inputs)
    x = inputs.astype(np.float32) / np.float32(255)
    y = through(x)
    return np.abs(x - y).mean(axis=(1, 2, 3)) if part.name == "anomaly" else y
