"""Differentiable augmentation of what a discriminator sees, for small data sets.

`compile(augmentation="translation+cutout")` changes real and generated images alike before D sees
them, in a way that G's gradients pass through (Zhao et al., NeurIPS 2020). E and G themselves work
with unchanged images, so that samples do not look augmented as long as the probability is below 1
or the changes can be undone. An adaptive probability follows Karras et al., NeurIPS 2020 (ADA).
"""

import math
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Annotated

import keras
import tensorflow as tf

from tf_bigan.constraints import Count, Fraction, arguments_from_text, check_arguments
from tf_bigan.errors import UserError, did_you_mean

if TYPE_CHECKING:
    from tf_bigan.core.randomness import Randomness

_SHIFT = 1 / 8  # the largest translation, as a fraction of the side
_CUTOUT = 1 / 2  # the side of what is cut out, likewise
_ANGLE, _SCALE, _SLANT = math.pi / 9, 1.2, 0.3  # the most that `affine` does
_THICKNESS = 0.7  # the most that `thickness` does


def translation(x: tf.Tensor, random: "Randomness") -> tf.Tensor:
    """Shifts each image by up to an eighth of its height and width, with zeros at the edge."""
    for axis in (1, 2):
        size = x.shape[axis]
        most = max(1, round(size * _SHIFT))
        shift = tf.cast(tf.floor(random.uniform() * (2 * most + 1)), tf.int32)  # [B]
        padding = [[most, most] if i == axis else [0, 0] for i in range(4)]
        x = tf.gather(tf.pad(x, padding), shift[:, None] + tf.range(size), axis=axis, batch_dims=1)
    return x


def cutout(x: tf.Tensor, random: "Randomness") -> tf.Tensor:
    """Sets a rectangle of half of each side to zero, at a random place that may cross the edge."""
    inside = tf.ones((1, 1, 1, 1), tf.bool)
    for axis in (1, 2):
        size = x.shape[axis]
        cut = round(size * _CUTOUT)
        # The middle of an odd number of pixels is one of them, that of an even number lies between
        # two: so both edges are cut equally often, as in the paper's code.
        centre = tf.floor(random.uniform() * (size + 1 - cut % 2))[:, None]  # [B, 1]
        place = tf.range(size, dtype=tf.float32)[None] - centre + cut // 2
        near = (place >= 0) & (place < cut)  # [B, size]
        inside &= near[:, :, None, None] if axis == 1 else near[:, None, :, None]
    return tf.where(inside, tf.zeros_like(x), x)


def color(x: tf.Tensor, random: "Randomness") -> tf.Tensor:
    """Changes brightness by up to ½, saturation by a factor of 0 to 2, contrast by ½ to 1½.

    Images are in [0, 1], so that ½ is twice as far as in the paper's code, for [-1, 1].
    """
    brightness, saturation, contrast = (random.uniform((1, 1, 1)) for _ in range(3))
    x += brightness - 0.5
    grey = tf.reduce_mean(x, 3, keepdims=True)
    x = (x - grey) * 2.0 * saturation + grey
    mean = tf.reduce_mean(x, (1, 2, 3), keepdims=True)
    return (x - mean) * (contrast + 0.5) + mean


def flip(x: tf.Tensor, random: "Randomness") -> tf.Tensor:
    """Mirrors each image left to right with a probability of ½."""
    return tf.where(random.uniform((1, 1, 1)) < 0.5, x, x[:, :, ::-1])


def affine(x: tf.Tensor, random: "Randomness") -> tf.Tensor:
    """Turns each image by up to 20°, slants it by up to 0.3, and scales it by 1/1.2 to 1.2.

    About its centre, with bilinear interpolation and zeros around the image. The slant is the
    shift of a row against the next, in pixels.
    """
    angle, scale, slant = (2.0 * random.uniform((1, 1)) - 1.0 for _ in range(3))  # [B, 1, 1]
    angle, scale, slant = _ANGLE * angle, _SCALE**scale, _SLANT * slant
    middle_row, middle_column = ((size - 1) / 2 for size in x.shape[1:3])
    rows = tf.range(x.shape[1], dtype=tf.float32)[:, None] - middle_row
    columns = tf.range(x.shape[2], dtype=tf.float32) - middle_column + slant * rows
    cosine, sine = scale * tf.cos(angle), scale * tf.sin(angle)
    return _interpolated(
        x,
        cosine * rows + sine * columns + middle_row,
        cosine * columns - sine * rows + middle_column,
    )


def thickness(x: tf.Tensor, random: "Randomness") -> tf.Tensor:
    """Thickens or thins bright strokes by up to 0.7 pixels on each side.

    Moves each image up to 0.7 of the way to the maximum, or to the minimum, of each 3×3 pixels.
    """
    amount = _THICKNESS * (2.0 * random.uniform((1, 1, 1)) - 1.0)
    thicker = tf.nn.max_pool2d(x, 3, 1, "SAME") - x
    thinner = -tf.nn.max_pool2d(-x, 3, 1, "SAME") - x
    return x + tf.nn.relu(amount) * thicker + tf.nn.relu(-amount) * thinner


def _interpolated(x: tf.Tensor, rows: tf.Tensor, columns: tf.Tensor) -> tf.Tensor:
    """Images [B, H, W, C] at the places [B, H, W], in pixels; zero outside."""
    height, width, channels = x.shape[1:]
    pixels = tf.reshape(x, (-1, height * width, channels))
    result = tf.zeros_like(x)
    for row in (tf.floor(rows), tf.floor(rows) + 1.0):
        for column in (tf.floor(columns), tf.floor(columns) + 1.0):
            inside = (row >= 0) & (row < height) & (column >= 0) & (column < width)
            weight = (1.0 - tf.abs(rows - row)) * (1.0 - tf.abs(columns - column))
            weight = tf.where(inside, weight, tf.zeros_like(weight))
            index = tf.where(inside, row * width + column, tf.zeros_like(row))
            index = tf.reshape(tf.cast(index, tf.int32), (-1, height * width))
            corner = tf.reshape(tf.gather(pixels, index, axis=1, batch_dims=1), tf.shape(x))
            result += weight[..., None] * corner
    return result


AUGMENTATIONS: dict[str, Callable] = {
    "translation": translation,
    "cutout": cutout,
    "color": color,
    "flip": flip,
    "affine": affine,
    "thickness": thickness,
}


@keras.saving.register_keras_serializable("tf_bigan")
class Augmentation:
    """Some of `AUGMENTATIONS`, each applied to each image with a probability.

    Args:
        *kinds: names of `AUGMENTATIONS`, in order.
        probability: of each kind for each image; with a target the initial one. Default: 1, and
            with a target 0, as in the paper.
        target: makes the probability adaptive (ADA): the value that the mean sign of D's real
            logits is held at, 0.6 in the paper. D has overfitted where it is nearly 1.
        images: how many images the adaptive probability takes to go from 0 to 1.

    Raises:
        UserError: no or unknown kinds, or an argument out of its range.
    """

    def __init__(
        self,
        *kinds: str,
        probability: Fraction | None = None,
        target: Annotated[float, "(-1, 1)"] | None = None,
        images: Count = 500_000,
    ):
        arguments = {"probability": probability, "target": target, "images": images}
        check_arguments(Augmentation, arguments)
        if not kinds:
            raise UserError(f"augmentation: name some of {', '.join(AUGMENTATIONS)}")
        _check_kinds(kinds, "augmentation")
        self.kinds = kinds
        initial = 1.0 if target is None else 0.0
        self.probability = initial if probability is None else probability
        self.target, self.images = target, images

    def __call__(
        self, x: tf.Tensor, random: "Randomness", probability: tf.Tensor | float
    ) -> tf.Tensor:
        """Augments images [B, H, W, C]; every image with random changes of its own."""
        for kind in self.kinds:
            changed = AUGMENTATIONS[kind](x, random)
            x = tf.where(random.uniform((1, 1, 1)) < probability, changed, x)
        return x

    def adapted(self, probability: tf.Tensor, sign: tf.Tensor, rows: int) -> tf.Tensor:
        """The probability after a step on `rows` images, in which D's real logits had this sign."""
        step = tf.sign(sign - self.target) * rows / self.images
        return tf.clip_by_value(probability + step, 0.0, 1.0)

    def get_config(self) -> dict:
        return {
            "kinds": list(self.kinds),
            "probability": self.probability,
            "target": self.target,
            "images": self.images,
        }

    @classmethod
    def from_config(cls, config: dict) -> "Augmentation":
        config = dict(config)
        return cls(*config.pop("kinds"), **config)


def get(augmentation: Augmentation | str | None, name: str = "augmentation") -> Augmentation | None:
    """An augmentation, or the one that a text names.

    "translation+cutout", with arguments "translation+color:probability=0.5", or "none".

    Args:
        augmentation: the augmentation or the text.
        name: the argument that errors name.

    Raises:
        UserError: no such kind or argument, or something else.
    """
    if not isinstance(augmentation, str):
        if not isinstance(augmentation, (Augmentation, type(None))):
            raise UserError(
                f"{name}={augmentation}: give kinds, as 'flip', or an object, as "
                "Augmentation('flip')"
            )
        return augmentation
    if augmentation == "none":
        return None
    text, _, arguments = augmentation.partition(":")
    kinds = text.split("+")
    _check_kinds(kinds, name)
    return Augmentation(*kinds, **arguments_from_text(name, arguments, Augmentation))


def of_views(text: str) -> Augmentation | None:
    """The augmentation of the views that a system compares: its hyperparameter `views`.

    Raises:
        UserError: as `get`; or a target, because only the augmentation of `compile` adapts.
    """
    found = get(text, "views")
    if found is not None and found.target is not None:
        raise UserError("views: their probability does not adapt: leave target out")
    return found


# Such a hyperparameter.
Views = Annotated[str, of_views]


def _check_kinds(kinds: Iterable[str], name: str):
    for kind in kinds:
        if kind not in AUGMENTATIONS:
            raise UserError(f"{name}={kind} is unknown{did_you_mean(kind, AUGMENTATIONS)}")
