"""Compares a written file, in its own runtime, with the Keras model."""

import dataclasses
from collections.abc import Callable

import keras
import numpy as np

from tf_bigan.core.model import AdversarialModel
from tf_bigan.data.pixels import to_unit_range
from tf_bigan.errors import UserError
from tf_bigan.export.parts import Part, expected

TOLERANCE = 1e-4  # absolute, and relative for values above 1
MOST_INPUTS = 64


@dataclasses.dataclass(frozen=True)
class Agreement:
    """The comparison of a file with its model.

    Attributes:
        difference: the largest difference to the Keras networks in float32.
        trained_difference: the largest difference to the model in its own compute dtype, larger
            if that is bfloat16.
        inputs: number and kind of the inputs, for example "64 real images".
        batch_sizes: the batch sizes of the comparison.
    """

    difference: float
    trained_difference: float
    inputs: str
    batch_sizes: tuple[int, ...]


def inputs_to_check(part: Part, model: AdversarialModel, images: np.ndarray | None) -> np.ndarray:
    """Up to 64 inputs: draws of z, or images, random ones if none are given.

    Raises UserError for images of a wrong shape, dtype or range.
    """
    if part.input == "z":
        return model.prior.sample(MOST_INPUTS, seed=0).numpy()
    shape = tuple(model.image_shape)
    if images is None:
        rng = np.random.default_rng(0)
        return rng.integers(0, 256, (MOST_INPUTS, *shape), dtype=np.uint8)
    images = np.asarray(images)
    if images.shape[1:] != shape or len(images) == 0:
        wanted = f"[N, {', '.join(map(str, shape))}]"
        raise UserError(f"images: expected {wanted} with N > 0, got {list(images.shape)}")
    images = images[:MOST_INPUTS]
    if images.dtype == np.uint8:
        return images
    return np.rint(255 * to_unit_range(images, "images")).astype(np.uint8)


def check(
    part: Part,
    model: AdversarialModel,
    networks: list[keras.Model],
    run: Callable[[np.ndarray], np.ndarray],
    inputs: np.ndarray,
    given: bool,
) -> Agreement:
    """Compares outputs in batches of several sizes.

    Args:
        part: the exported part.
        model: the exported model.
        networks: the part's networks in float32.
        run: the file in its runtime, input -> output.
        inputs: the inputs to compare on.
        given: whether the inputs are real images from the user.

    Raises:
        UserError: the outputs disagree, or are not finite.
    """

    def in_float32(value):
        for network in networks:
            value = network(value, training=False)
        return value.numpy()

    def as_trained(value):
        for network in part.networks:
            value = {"encoder": model.encode, "generator": model.generate}[network](value)
        return value

    wanted = expected(part, inputs, in_float32)
    if not np.isfinite(wanted).all():
        raise UserError(f"the model's {part.output} is not finite: its training has failed")
    sizes = tuple(sorted({1, min(3, len(inputs)), len(inputs)}))
    difference = 0.0
    for size in sizes:
        outputs = np.concatenate(
            [run(inputs[start : start + size]) for start in range(0, len(inputs), size)]
        )
        if outputs.shape != wanted.shape:
            raise UserError(
                f"the file gives a {part.output} of shape {list(outputs.shape)} in batches of "
                f"{size}, the model {list(wanted.shape)}"
            )
        apart = np.abs(outputs - wanted)
        difference = max(difference, float(apart.max()))
        if not (apart <= TOLERANCE * np.maximum(1.0, np.abs(wanted))).all():
            raise UserError(
                f"the file's {part.output} differs from the model's by {difference:.2g} in "
                f"batches of {size}, and {TOLERANCE:g} is allowed"
            )
    to_trained = np.abs(outputs - expected(part, inputs, as_trained)).max()
    kind = "draws of z" if part.input == "z" else "real images" if given else "random images"
    return Agreement(difference, float(to_trained), f"{len(inputs)} {kind}", sizes)
