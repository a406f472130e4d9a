"""Starting from the weights of another model, as far as they fit."""

from collections.abc import Iterator
from dataclasses import dataclass

import keras

from tf_bigan.core.model import AdversarialModel


@dataclass(frozen=True)
class Taken:
    """What a model has taken from another one: names of layers, as "encoder.stages.convs.0".

    taken: the layers that have the other model's weights.
    new: those that are as they were; a network without any taken layer is named alone.
    """

    taken: list[str]
    new: list[str]


def take_weights(model: AdversarialModel, source: AdversarialModel) -> Taken:
    """Sets the weights of each layer that is also in `source`, with the same shapes.

    Layers are the same if they have the same place in a network of the same name, so that the
    systems and the sizes of the images and of z may differ. The moving average of the weights is
    taken from that of `source`, or else from its weights. Optimizers, the number of steps and
    adapted state stay as they are.

    Example:
        model = tb.models.BiGAN.from_preset("mnist", image_shape=(28, 28, 1))
        print(tb.core.take_weights(model, tb.load("runs/digits")).new)
    """
    if model.average is not None:
        take_weights(model.average, source.inference_model())
    taken, new = [], []
    for network in model.network_names():
        theirs = dict(_layers(getattr(source, network))) if hasattr(source, network) else {}
        left = []
        for path, layer in _layers(getattr(model, network)):
            ours, others = _own_weights(layer), _own_weights(theirs.get(path))
            if not ours:
                continue
            if list(map(_form, ours)) == list(map(_form, others)):
                for weight, other in zip(ours, others, strict=True):
                    weight.assign(keras.ops.convert_to_numpy(other))
                taken.append(network + path)
            else:
                left.append(network + path)
        new += left if any(name.startswith(f"{network}.") for name in taken) else [network]
    return Taken(taken, new)


def _layers(layer: keras.layers.Layer, path: str = "") -> Iterator[tuple[str, keras.layers.Layer]]:
    """(".ATTRIBUTE.ATTRIBUTE...", layer) of a network and all layers in it.

    Keras numbers the names of layers over the whole program, so they do not tell the place.
    """
    yield path, layer
    names = {}
    for name, value in vars(layer).items():
        if not name.startswith("_"):  # what Keras itself keeps
            several = isinstance(value, (list, tuple))
            for i, one in enumerate(value if several else [value]):
                names.setdefault(id(one), f"{name}.{i}" if several else name)
    for i, one in enumerate(layer._flatten_layers(include_self=False, recursive=False)):
        yield from _layers(one, f"{path}.{names.get(id(one), i)}")


def _own_weights(layer: keras.layers.Layer | None) -> list[keras.Variable]:
    """The weights of a layer without those of the layers in it."""
    if layer is None:
        return []
    inside = layer._flatten_layers(include_self=False, recursive=False)
    others = {id(weight) for one in inside for weight in one.weights}
    return [weight for weight in layer.weights if id(weight) not in others]


def _form(weight: keras.Variable) -> tuple[str, tuple]:
    return weight.name, tuple(weight.shape)
