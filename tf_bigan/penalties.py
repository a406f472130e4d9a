"""Penalties on the slope of a discriminator, for any system: `compile(penalty=R1(1.0))`.

A penalty takes D as a function of single rows. It is added to the loss of the player that owns D.
Where D is of pairs, the slope is with respect to both parts.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import keras
import tensorflow as tf

from tf_bigan.constraints import Count, NonNegative, check_arguments, from_text
from tf_bigan.errors import UserError

if TYPE_CHECKING:
    from tf_bigan.core.randomness import Randomness

# The norm has no derivative at 0, where a critic starts whose last weights are zero.
_EPSILON = 1e-12


class Penalty:
    """The base of the penalties: γ times the mean of a term of some rows.

    Args:
        gamma: γ, the weight.
        every_row: of each so many rows one is penalised. 4 costs about a tenth of a step, 1 takes
            all rows.
        every_step: the penalty acts in one of so many steps, so many times as strong (Karras et
            al. 2020, lazy regularization). 1 is each step.
        half_life: the number of steps in which γ halves, each time; None keeps it constant. A
            large γ spreads samples over all modes, and a small one lets them come close to each.
    """

    def __init__(
        self,
        gamma: NonNegative = 1.0,
        every_row: Count = 4,
        every_step: Count = 1,
        half_life: Count | None = None,
    ):
        self._arguments = {
            "gamma": gamma,
            "every_row": every_row,
            "every_step": every_step,
            "half_life": half_life,
        }
        check_arguments(Penalty, self._arguments)
        self.gamma, self.every_row, self.every_step = gamma, every_row, every_step
        self.half_life = half_life

    def points(
        self, real: tf.Tensor, fake: tf.Tensor, t: tf.Tensor, random: "Randomness"
    ) -> tf.Tensor:
        """Where the slope is taken: of one input [B, ...] of D, real and generated.

        t: a draw of U(0, 1) for each row, [B, 1, ...].
        """
        raise NotImplementedError

    def term(self, squared_norm: tf.Tensor) -> tf.Tensor:
        """The penalty of each row, of ‖∇D‖² [B]."""
        raise NotImplementedError

    def __call__(
        self, score: Callable, real: Any, fake: Any, random: "Randomness", step: tf.Tensor
    ) -> tf.Tensor:
        """The penalty of D on a batch, a scalar.

        Args:
            score: D's inputs -> logits [B, ...]; it is called on some of the rows.
            real: D's inputs, a tensor or a structure of tensors, [B, ...] each.
            fake: the same, generated.
            random: where random numbers come from.
            step: the number of the step, from 0.
        """

        def points(r, f):
            if not r.dtype.is_floating:  # as labels, which have no slope
                return r[:: self.every_row]
            r, f = floats_to_float32(r), floats_to_float32(f)
            of_rows = tf.reshape(t, (-1, *[1] * (r.shape.rank - 1)))
            return tf.stop_gradient(self.points(r, f, of_rows, random)[:: self.every_row])

        with random.of_rows(tf.nest.flatten(real)[0].shape[0]):  # a system may judge fewer
            t = random.uniform()
            inputs = tf.nest.map_structure(points, real, fake)
        gamma = self.gamma * self.every_step
        if self.half_life is not None:
            gamma *= 0.5 ** (tf.cast(step, tf.float32) / self.half_life)
        if self.every_step == 1:
            return gamma * self._mean(score, inputs)
        return tf.cond(
            tf.equal(step % self.every_step, 0),
            lambda: gamma * self._mean(score, inputs),
            lambda: tf.zeros(()),
        )

    def _mean(self, score: Callable, inputs: Any) -> tf.Tensor:
        with tf.GradientTape(watch_accessed_variables=False) as tape:
            watched = [x for x in tf.nest.flatten(inputs) if x.dtype.is_floating]
            tape.watch(watched)
            total = tf.reduce_sum(tf.cast(score(inputs), tf.float32))
        slopes = tape.gradient(total, watched, unconnected_gradients="zero")
        squares = [tf.reduce_sum(tf.square(s), list(range(1, s.shape.rank))) for s in slopes]
        return tf.reduce_mean(self.term(tf.add_n(squares)))

    def get_config(self) -> dict:
        return dict(self._arguments)

    @classmethod
    def from_config(cls, config: dict) -> "Penalty":
        return cls(**config)


@keras.saving.register_keras_serializable("tf_bigan")
class R1(Penalty):
    """½ γ E[‖∇D‖²] at real rows (Mescheder et al. 2018, eq. 9)."""

    def points(self, real, fake, t, random):
        return real

    def term(self, squared_norm):
        return 0.5 * squared_norm


@keras.saving.register_keras_serializable("tf_bigan")
class R1R2(R1):
    """½ γ (E[‖∇D‖²] at real rows + E[‖∇D‖²] at generated ones).

    Both regularisers of Mescheder et al. 2018 (eq. 9 and 10). At twice the cost of R1, samples
    cover more modes (docs/claims.md).
    """

    def __call__(self, score, real, fake, random, step):
        of_real = super().__call__(score, real, fake, random, step)
        return of_real + super().__call__(score, fake, real, random, step)


class UnitSlope(Penalty):
    """The base of γ E[(‖∇D‖ - 1)²], of all rows by default."""

    def __init__(
        self,
        gamma: NonNegative = 10.0,
        every_row: Count = 1,
        every_step: Count = 1,
        half_life: Count | None = None,
    ):
        super().__init__(gamma, every_row, every_step, half_life)

    def term(self, squared_norm):
        return tf.square(tf.sqrt(squared_norm + _EPSILON) - 1.0)


@keras.saving.register_keras_serializable("tf_bigan")
class GradientPenalty(UnitSlope):
    """γ E[(‖∇D‖ - 1)²] between real and generated rows (Gulrajani et al. 2017, eq. 3).

    At t·real + (1 - t)·generated with t ~ U(0, 1) of each row, the same t for both parts of a pair.
    """

    def points(self, real, fake, t, random):
        return t * real + (1.0 - t) * fake


@keras.saving.register_keras_serializable("tf_bigan")
class DRAGAN(UnitSlope):
    """γ E[(‖∇D‖ - 1)²] around real rows (Kodali et al. 2017, section 2.3).

    As in the official code at real + t·½σu, with the standard deviation σ of the batch, u ~ U(0, 1)
    of each entry and t ~ U(0, 1) of each row. σ is over a replica's rows.
    """

    def points(self, real, fake, t, random):
        noise = random.uniform(tuple(real.shape[1:]))
        return real + 0.5 * t * tf.math.reduce_std(real) * noise


def floats_to_float32(x: tf.Tensor) -> tf.Tensor:
    """A floating tensor as float32, in which losses and slopes are computed; others stay."""
    return tf.cast(x, tf.float32) if x.dtype.is_floating else x


PENALTIES = {"r1": R1, "r1r2": R1R2, "gradient": GradientPenalty, "dragan": DRAGAN}


def get(penalty: Penalty | str | None) -> Penalty | None:
    """A penalty, or the one that a text names: "r1", "r1:gamma=0.3,every_row=1", "none".

    Raises:
        UserError: no such penalty or argument, or something else.
    """
    if isinstance(penalty, str):
        return None if penalty == "none" else from_text("penalty", penalty, PENALTIES)
    if not isinstance(penalty, (Penalty, type(None))):
        raise UserError(f"penalty={penalty}: give a name, as 'r1', or an object, as R1(gamma=1.0)")
    return penalty
