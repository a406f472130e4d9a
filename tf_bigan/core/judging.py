"""How a discriminator is asked: with augmentation before it, and a penalty on its slope after."""

import threading
from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

import keras
import tensorflow as tf

from tf_bigan.augmentation import Augmentation
from tf_bigan.errors import UserError
from tf_bigan.networks.normalization import discriminate, unchanged_statistics
from tf_bigan.penalties import floats_to_float32


class _Judgement(NamedTuple):
    """A call of a discriminator in a pass: whose, on what, and the logits of each group."""

    player: str
    function: Callable
    real: Any
    fake: Any
    logits: list[tf.Tensor]


class Judgements(threading.local):
    """The calls of discriminators in a pass; of each replica, which has its own thread."""

    def __init__(self):
        self.calls: list[_Judgement] = []


class Judging(keras.Model):
    """The part of an `AdversarialModel` by which its losses call D.

    So every augmentation and penalty of `compile` works with every system.
    """

    def judge(
        self,
        function: Callable,
        *groups: Any,
        training: bool,
        player: str = "D",
        jointly: bool = False,
    ) -> list:
        """Calls a discriminator on real and on generated rows, for `player_losses`.

        Batch statistics of the groups stay apart, see `networks.normalization.discriminate`. In
        training the penalty of `compile` uses the same rows.

        Args:
            function: a discriminator, or a method that calls it, of a group and `training`. Its
                result, or the first part of it, are logits.
            *groups: D's inputs, real first, then generated: [B, ...] tensors or structures of them.
                A penalty uses the first and the last group.
            training: whether to run in training mode.
            player: the player that owns the discriminator; the penalty is added to its loss.
            jointly: whether the groups share their batch statistics and their augmentation, so
                that rows of two groups can be compared.

        Returns:
            The function's result for each group, with logits in float32.

        Raises:
            UserError: no such player.
        """
        if player not in self.players:
            raise UserError(
                f"{type(self).__name__} has no player {player}: give judge(player=NAME), the owner "
                f"of the discriminator, one of {', '.join(self.players)}"
            )
        same = jointly and self.augmentation is not None
        draws = self.random.repeated(len(groups)) if same else groups
        groups = tuple(
            self.augmented(group, training=training) for group, _ in zip(groups, draws, strict=True)
        )
        outputs = discriminate(function, *groups, training=training, jointly=jointly)
        outputs = [_with_float32_logits(output) for output in outputs]
        if training:
            logits = [tf.nest.flatten(output)[0] for output in outputs]
            self._judged.calls.append(_Judgement(player, function, groups[0], groups[-1], logits))
        return outputs

    def augmented(self, inputs: Any, training: bool, by: Augmentation | None = None) -> Any:
        """D's inputs with the augmentation of `compile`, in training; `judge` includes this.

        inputs: a tensor or a structure of tensors; those without four axes stay as they are. The
            number of rows may be another than the batch's.
        by: another augmentation, with its own probability.
        """
        augmentation = by or self.augmentation
        if augmentation is None or not training:
            return inputs
        own = augmentation is self.augmentation
        probability = self.augmentation_probability.value if own else augmentation.probability

        def augmented(x):
            if x.shape.rank != 4:  # a latent or a label
                return x
            with self.random.of_rows(x.shape[0]):
                return augmentation(floats_to_float32(x), self.random, probability)

        return tf.nest.map_structure(augmented, inputs)

    def _adapts_augmentation(self) -> bool:
        return self.augmentation is not None and self.augmentation.target is not None

    def _penalties_of(self, players: Iterable[str]) -> dict[str, tf.Tensor]:
        """{player: the penalty on what it has judged with in this pass}, of those that have one."""
        found = {player: self._penalty_of(player) for player in players}
        return {player: penalty for player, penalty in found.items() if penalty is not None}

    def _penalty_of(self, player: str) -> tf.Tensor | None:
        """The penalty on what `player` has judged with in this pass; None where there is none."""
        judged = [one for one in self._judged.calls if one.player == player]
        if self.penalty is None or not judged:
            return None
        networks = [getattr(self, name) for name in self.players[player]]
        terms = []
        for one in judged:

            def score(inputs, function=one.function):
                return tf.nest.flatten(function(inputs, training=True))[0]

            with unchanged_statistics(*networks):  # they are those of whole batches
                terms.append(self.penalty(score, one.real, one.fake, self.random, self.step.value))
        return tf.add_n(terms)


def _with_float32_logits(output: Any) -> Any:
    """A discriminator's output, with its logits in the dtype of the losses."""
    logits, *others = tf.nest.flatten(output)
    return tf.nest.pack_sequence_as(output, [floats_to_float32(logits), *others])
