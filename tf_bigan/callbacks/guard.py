"""Warnings about two silent failures of adversarial training, one of them mode collapse."""

from collections.abc import Mapping

import keras
import numpy as np
from absl import logging

from tf_bigan.callbacks.base import Callback
from tf_bigan.core.statistics import diagnose
from tf_bigan.data.pixels import to_unit_range

_PATIENCE = 2  # consecutive checks that must fail
_PINNED = 0.99  # D's accuracy on real and on generated images
_VANISHED = 1e-4  # gradient norm
_VANISHED_FRACTION = 0.01  # of the largest gradient norm seen
_COLLAPSED_FRACTION = 0.1  # of the spread of real images
_SAMPLES = 64
_FIRST_STEP = 1000  # samples of untrained weights are similar to each other
_EVERY_STEPS = 100  # steps between two checks of the samples


class Guard(Callback):
    """Warns once when the discriminator has won, and once when the samples have collapsed.

    Won: D's accuracies on real and on generated images are both above 0.99 in two epochs in a row.
    The warning says whether the gradients of the other players have vanished, which the
    non-saturating losses should prevent.

    Collapsed (mode collapse): the standard deviation over 64 samples of G, averaged over pixels,
    is below a tenth of that over real images, at two checks in a row. G's current weights are
    checked, not their moving average, every 100 steps from step 1,000 on.

    A check is skipped if the model has no such logs or no generator.

    Args:
        batch: a batch of real images as in `player_losses`; or only images, [N, H, W, C],
            uint8 or float in [0, 1]. 64 are enough.
    """

    def __init__(self, batch: Mapping | np.ndarray):
        super().__init__()
        self._batch = dict(batch) if isinstance(batch, Mapping) else {"image": to_unit_range(batch)}
        self._in_a_row = {"won": 0, "collapsed": 0}
        self._largest_norms: dict[str, float] = {}
        self._checked_step = 0

    def on_train_batch_end(self, batch: int, logs: dict | None = None) -> None:
        step = self.step
        due = step // _EVERY_STEPS > self._checked_step // _EVERY_STEPS
        if step >= _FIRST_STEP and due and hasattr(self.model, "generator"):
            self._checked_step = step
            self._check_samples(step)

    def on_epoch_end(self, epoch: int, logs: dict | None = None) -> None:
        logs = logs or {}
        accuracies = [logs.get(f"accuracy_{side}", 0.0) for side in ("real", "fake")]
        won, gradients = min(accuracies) > _PINNED, ""
        if won or not self._largest_norms:  # the first epoch gives the reference
            gradients = self._describe_gradients()
        if self._persists("won", won):
            logging.warning(
                "epoch %d: the discriminator has won: it recognises %.1f %% of the real and %.1f "
                "%% of the generated images; %s. Lower its learning rate, regularise it (dropout, "
                "noise, R1), or increase the weight of the reconstruction",
                epoch + 1,
                *(100 * accuracy for accuracy in accuracies),
                gradients,
            )

    def _check_samples(self, step: int) -> None:
        z = self.model.prior.sample(_SAMPLES, seed=0)
        samples = keras.ops.convert_to_numpy(self.model.generator(z, training=False))
        spread, real = _spread(samples), _spread(self._batch["image"])
        if self._persists("collapsed", spread < _COLLAPSED_FRACTION * real):
            logging.warning(
                "step %d: the samples have collapsed: their standard deviation is %.2g, that of "
                "real images %.2g. Go back to an earlier checkpoint with a lower learning rate or "
                "a larger batch",
                step,
                spread,
                real,
            )

    def _persists(self, kind: str, sign: bool) -> bool:
        """Whether the sign has occurred often enough in a row, for the first time."""
        if self._in_a_row[kind] >= _PATIENCE:  # warned already
            return False
        self._in_a_row[kind] = self._in_a_row[kind] + 1 if sign else 0
        return self._in_a_row[kind] == _PATIENCE

    def _describe_gradients(self) -> str:
        values = diagnose(self.model, self._batch)
        parts = []
        for player, networks in self.model.players.items():
            if {"encoder", "generator"}.isdisjoint(networks):
                continue
            norm = float(values[f"gradient_norm/{player}"])
            largest = self._largest_norms[player] = max(norm, self._largest_norms.get(player, 0.0))
            vanished = norm < max(_VANISHED, _VANISHED_FRACTION * largest)
            state = "have vanished" if vanished else "have not vanished"
            parts.append(
                f"the gradients of {player} {state} (norm {norm:.2g}, at most {largest:.2g} before)"
            )
        return "; ".join(parts)


def _spread(images) -> float:
    return float(np.std(np.asarray(images, np.float32), axis=0).mean())
