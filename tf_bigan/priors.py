"""The prior p(z) of the generator's input. Draws are stateless: the same seed gives the same z."""

import math
from collections.abc import Sequence
from typing import Annotated

import keras
import numpy as np
import tensorflow as tf

from tf_bigan.constraints import Count, Positive, check
from tf_bigan.errors import UserError

Seeds = int | Sequence[int] | tf.Tensor  # of a stateless draw; see `as_seed`


class Prior:
    """A distribution over latents with latent dimension `dim`; `sample` and `interpolate`.

    path: describes the path of `interpolate` in words.
    parts: the priors of the parts of z, as noise and codes; the prior itself if z has one part.
    """

    path = "linear"

    def __init__(self, dim: int):
        check("latent_dim", dim, Count)
        self.dim = int(dim)
        self.parts: tuple[Prior, ...] = (self,)

    def sample(self, n: int, seed: Seeds, truncation: float | None = None) -> tf.Tensor:
        """Independent draws of z, float32 [n, dim].

        Args:
            n: number of rows.
            seed: an int or a pair of integers.
            truncation: t of the truncation trick (BigGAN, Brock et al. 2019, section 3.1), which
                draws closer to the middle of the distribution: better, but less diverse samples.
                None: the prior itself. Each class says what t means for it.

        Raises:
            UserError: truncation is out of its range.
        """
        raise NotImplementedError

    def interpolate(self, a: tf.Tensor, b: tf.Tensor, t: tf.Tensor) -> tf.Tensor:
        """The point at fraction t in [0, 1] on the path from a to b, both [..., dim]."""
        return a + t * (b - a)

    def split(self, z: tf.Tensor) -> list[tf.Tensor]:
        """z [..., dim] -> its parts."""
        return tf.split(z, [part.dim for part in self.parts], axis=-1)

    @property
    def classes(self) -> int | None:
        """Number of classes of the last categorical part, as the label of Triple-GAN; or None."""
        return self.parts[self._class_part].dim if self._class_part is not None else None

    def classes_of(self, z: tf.Tensor) -> np.ndarray:
        """The class of each z [n, dim] in its last categorical part: int64 [n].

        Raises:
            UserError: there is no such part.
        """
        return np.argmax(self.split(z)[self._need_classes()], -1)

    def with_classes(self, z: tf.Tensor, classes) -> tf.Tensor:
        """z [n, dim] with these classes [n] in its last categorical part.

        Raises:
            UserError: there is no such part, or a class is not in it.
        """
        part = self._need_classes()
        count = self.parts[part].dim
        for chosen in np.unique(classes):
            if not 0 <= chosen < count:
                raise UserError(f"there is no class {chosen}: give classes from 0 to {count - 1}")
        parts = self.split(z)
        parts[part] = tf.one_hot(classes, count)
        return tf.concat(parts, -1)

    @property
    def _class_part(self) -> int | None:
        """The number of the last categorical part."""
        found = [i for i, part in enumerate(self.parts) if isinstance(part, Categorical)]
        return found[-1] if found else None

    def _need_classes(self) -> int:
        if self._class_part is None:
            raise UserError("the model has no classes: its prior has no categorical part")
        return self._class_part

    def get_config(self) -> dict:
        return {"dim": self.dim}

    @classmethod
    def from_config(cls, config: dict) -> "Prior":
        return cls(**config)


@keras.saving.register_keras_serializable("tf_bigan")
class Uniform(Prior):
    """z ~ U(-1, 1)^dim, the prior of Donahue et al. 2017. Truncated: U(-t, t)^dim, t in (0, 1]."""

    def sample(self, n: int, seed: Seeds, truncation: float | None = None) -> tf.Tensor:
        t = 1.0
        if truncation is not None:
            check("truncation", truncation, Annotated[float, "(0, 1]"])
            t = float(truncation)
        return tf.random.stateless_uniform(
            (n, self.dim), as_seed(seed), minval=-t, maxval=t, alg="philox"
        )


@keras.saving.register_keras_serializable("tf_bigan")
class Normal(Prior):
    """z ~ N(0, I), the prior of ALI (Dumoulin et al. 2017).

    Truncated: the entries outside of [-t, t] are drawn anew, t > 0. They are then distributed as
    √2·erfinv((2u - 1)·erf(t / √2)) with u ~ U(0, 1), the inverse distribution function. One seed
    gives the same u for every t.
    """

    path = "slerp"

    def sample(self, n: int, seed: Seeds, truncation: float | None = None) -> tf.Tensor:
        if truncation is None:
            return tf.random.stateless_normal((n, self.dim), as_seed(seed), alg="philox")
        check("truncation", truncation, Positive)
        u = tf.random.stateless_uniform((n, self.dim), as_seed(seed), alg="philox")
        # u is a multiple of 2^-23 below 1. Half of that more keeps erfinv finite, and z symmetric.
        inside = (2.0 * u - 1.0 + 2.0**-23) * math.erf(truncation / math.sqrt(2.0))
        z = math.sqrt(2.0) * tf.math.erfinv(inside)
        return tf.clip_by_value(z, -truncation, truncation)  # what rounding adds

    def interpolate(self, a: tf.Tensor, b: tf.Tensor, t: tf.Tensor) -> tf.Tensor:
        """Slerp (spherical linear interpolation), which keeps the typical norm of a Gaussian."""
        length = tf.norm(a, axis=-1, keepdims=True) * tf.norm(b, axis=-1, keepdims=True)
        cosine = tf.reduce_sum(a * b, -1, keepdims=True) / tf.maximum(length, 1e-12)
        angle = tf.acos(tf.clip_by_value(cosine, -1.0, 1.0))
        straight = super().interpolate(a, b, t)
        circle = (tf.sin((1 - t) * angle) * a + tf.sin(t * angle) * b) / tf.sin(angle)
        # sin(angle) is 0 for parallel vectors.
        return tf.where(tf.sin(angle) < 1e-4, straight, circle)


@keras.saving.register_keras_serializable("tf_bigan")
class Categorical(Prior):
    """A uniform draw from `dim` classes as one-hot [n, dim], InfoGAN's categorical code.

    Truncation does not change it.
    """

    def sample(self, n: int, seed: Seeds, truncation: float | None = None) -> tf.Tensor:
        if truncation is not None:
            check("truncation", truncation, Positive)
        index = tf.random.stateless_uniform(
            (n,), as_seed(seed), maxval=self.dim, dtype=tf.int32, alg="philox"
        )
        return tf.one_hot(index, self.dim)


@keras.saving.register_keras_serializable("tf_bigan")
class Concatenation(Prior):
    """Independent priors, concatenated, for example noise and codes: z = (z_1, z_2, ...).

    Truncation is that of each part.
    """

    def __init__(self, *parts: Prior):
        super().__init__(sum(part.dim for part in parts))
        self.parts = parts
        paths = dict.fromkeys(part.path for part in parts)
        self.path = " and ".join(paths)

    def sample(self, n: int, seed: Seeds, truncation: float | None = None) -> tf.Tensor:
        fold = tf.random.experimental.stateless_fold_in
        seeds = [fold(as_seed(seed), i) for i in range(len(self.parts))]
        pairs = zip(self.parts, seeds, strict=True)
        return tf.concat([part.sample(n, seed, truncation) for part, seed in pairs], -1)

    def interpolate(self, a: tf.Tensor, b: tf.Tensor, t: tf.Tensor) -> tf.Tensor:
        """Interpolates each part on its own path."""
        pairs = zip(self.parts, self.split(a), self.split(b), strict=True)
        return tf.concat([part.interpolate(x, y, t) for part, x, y in pairs], -1)

    def get_config(self) -> dict:
        return {"parts": [keras.saving.serialize_keras_object(part) for part in self.parts]}

    @classmethod
    def from_config(cls, config: dict) -> "Concatenation":
        return cls(*map(keras.saving.deserialize_keras_object, config["parts"]))


KINDS = {"uniform": Uniform, "normal": Normal, "categorical": Categorical}


def from_text(text: str, latent_dim: int) -> Prior:
    """Parses a prior: "normal" with `latent_dim`, or with sizes, as "normal62+categorical10".

    Raises:
        UserError: an unknown kind, a size of 0, or a categorical part without its size.
    """
    parts = []
    for part in text.split("+"):
        kind = part.rstrip("0123456789")
        size = part[len(kind) :]
        if kind not in KINDS or size.startswith("0") or (kind == "categorical" and not size):
            raise UserError(
                f"prior={text}: give uniform or normal, or parts with their sizes, as "
                "normal62+categorical10+uniform2"
            )
        parts.append(KINDS[kind](int(size) if size else latent_dim))
    return parts[0] if len(parts) == 1 else Concatenation(*parts)


def as_seed(seed: Seeds) -> tf.Tensor:
    """Converts an int or a pair of integers to the int32 [2] that stateless operations take.

    An int must be in [0, 2^62). Different ints give different numbers.
    """
    if isinstance(seed, (int, np.integer)):
        check("seed", int(seed), Annotated[int, "[0, 4611686018427387904)"])
        seed = (int(seed) % 2**31, int(seed) // 2**31)
    return tf.convert_to_tensor(seed, tf.int32)
