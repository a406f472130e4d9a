"""Warnings about the two ways in which adversarial training goes wrong without an error."""

from collections.abc import Mapping

import keras
import numpy as np
from absl import logging

from tf_bigan.core.statistics import diagnose
from tf_bigan.data.pixels import to_unit_range

_PATIENCE = 2  # epochs in a row, before a sign counts
_PINNED = 0.99  # accuracy on both sides
_VANISHED = 1e-4  # gradient norm
_VANISHED_FRACTION = 0.01  # of the largest gradient norm seen
_COLLAPSED_FRACTION = 0.1  # of the spread of real images
_SAMPLES = 64


class Guard(keras.callbacks.Callback):
    """Warns, once for each, when the discriminator has won and when samples have collapsed.

    Won: both accuracies of an epoch are above 0.99, two epochs in a row. The inverted losses keep
    their gradients then, so whether those of the other players have vanished is measured and said.
    Collapsed: the standard deviation across samples, mean over pixels, is below a tenth of that
    across real images, two epochs in a row. What a model does not log or have is not watched.

    Args:
        batch: a batch of real images as `player_losses` takes it; or the images alone,
            [N, H, W, C], uint8 or in [0, 1]; some 64 will do.
        warm_up: steps in which samples are not judged: those of fresh weights differ little.
    """

    chief_only = True

    def __init__(self, batch: Mapping | np.ndarray, warm_up: int = 1000):
        super().__init__()
        self.warm_up = warm_up
        self._batch = dict(batch) if isinstance(batch, Mapping) else {"image": to_unit_range(batch)}
        self._epochs_in_a_row = {"won": 0, "collapsed": 0}
        self._largest_norms: dict[str, float] = {}

    def on_epoch_end(self, epoch, logs=None):
        logs = logs or {}
        accuracies = [logs.get(f"accuracy_{side}", 0.0) for side in ("real", "fake")]
        won, gradients = min(accuracies) > _PINNED, ""
        if won or not self._largest_norms:  # the first epoch's are those to compare with
            gradients = self._describe_gradients()
        if self._persists("won", won):
            logging.warning(
                "epoch %d: the discriminator has won: it tells %.1f %% of the real and %.1f %% of "
                "the generated apart; %s. Lower its learning rate, regularise it (dropout, noise, "
                "R1), or weigh reconstruction more",
                epoch + 1,
                *(100 * accuracy for accuracy in accuracies),
                gradients,
            )
        if hasattr(self.model, "generator") and self.model.step.numpy() >= self.warm_up:
            spread, real = _spread(self.model.sample(_SAMPLES)), _spread(self._batch["image"])
            if self._persists("collapsed", spread < _COLLAPSED_FRACTION * real):
                logging.warning(
                    "epoch %d: the samples have collapsed: they differ by %.2g from each other, "
                    "real images by %.2g. Go back to an earlier checkpoint with a lower learning "
                    "rate or a larger batch",
                    epoch + 1,
                    spread,
                    real,
                )

    def _persists(self, kind: str, sign: bool) -> bool:
        """Whether this epoch is the first at which the sign has lasted long enough."""
        if self._epochs_in_a_row[kind] >= _PATIENCE:  # has been said
            return False
        self._epochs_in_a_row[kind] = self._epochs_in_a_row[kind] + 1 if sign else 0
        return self._epochs_in_a_row[kind] == _PATIENCE

    def _describe_gradients(self) -> str:
        values = diagnose(self.model, self._batch)
        parts = []
        for player, networks in self.model.players.items():
            if {"encoder", "generator"}.isdisjoint(networks):
                continue
            norm = float(values[f"gradient_norm/{player}"])
            largest = self._largest_norms[player] = max(norm, self._largest_norms.get(player, 0.0))
            vanished = norm < max(_VANISHED, _VANISHED_FRACTION * largest)
            verb = "have vanished" if vanished else "still flow"
            parts.append(f"the gradients of {player} {verb} (norm {norm:.2g}, once {largest:.2g})")
        return "; ".join(parts)


def _spread(images) -> float:
    return float(np.std(images, axis=0).mean())
