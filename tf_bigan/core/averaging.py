"""The exponential moving average of the weights, as a copy of the model."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import keras
import numpy as np
import tensorflow as tf

from tf_bigan.core.players import Players
from tf_bigan.networks.normalization import statistics_over_replicas, unchanged_statistics

if TYPE_CHECKING:
    from tf_bigan.core.model import AdversarialModel

# The averaged model sees a batch in every tenth step, and in each of the first 50 steps, because
# the average changes quickly there. Its batch statistics cover about the last ten such passes.
AVERAGE_EVERY, AVERAGE_FIRST, AVERAGE_MOMENTUM = 10, 50, 0.9


class Averaging(Players):
    """The part of an `AdversarialModel` that keeps `average`, a copy with the averaged weights."""

    def _set_average(self, average: "AdversarialModel | None"):
        # Bypasses Keras's tracking: the copy is saved like any attribute, but is not counted
        # among the model's layers and variables.
        self.__dict__["average"] = average

    def _make_average(self) -> "AdversarialModel":
        average = type(self).from_config(self.get_config() | {"name": "average"})
        for layer in average._flatten_layers():
            if isinstance(layer, keras.layers.BatchNormalization):
                layer.momentum = AVERAGE_MOMENTUM
        self._start_average(average)
        return average

    def _start_average(self, average: "AdversarialModel"):
        """Sets the averaged copy to the weights."""
        for network in self.network_names():
            getattr(average, network).set_weights(getattr(self, network).get_weights())

    def load_weights(self, filepath, skip_mismatch: bool = False, **kwargs: Any) -> None:
        """Loads the weights and all state of a file, as Keras does.

        If the file has no moving average, that of this model starts from the loaded weights.
        """
        average = self.average
        try:
            super().load_weights(filepath, skip_mismatch=skip_mismatch, **kwargs)
        except ValueError:  # Keras's does not say whether it is the average that the file lacks
            if average is None:
                raise
            self._set_average(None)
            try:
                super().load_weights(filepath, skip_mismatch=skip_mismatch, **kwargs)
            finally:
                self._set_average(average)
            self._start_average(average)

    def get_weights(self) -> list[np.ndarray]:
        """All weights, those of the averaged copy last."""
        return super().get_weights() + ([] if self.average is None else self.average.get_weights())

    def set_weights(self, weights: list[np.ndarray]) -> None:
        """Sets all weights, in the order of `get_weights`."""
        own = len(self.weights)
        super().set_weights(weights[:own])
        if self.average is not None:
            self.average.set_weights(weights[own:])

    def update_average(self, batch: Mapping, z: tf.Tensor, key: tf.Tensor) -> None:
        """average <- d·average + (1 - d)·weights, and the matching batch statistics.

        d = min(ema, (1 + n) / (10 + n)) in step n, so that the initial weights decay quickly.
        """
        n = tf.cast(self.step.value, tf.float32)
        rate = tf.maximum(1.0 - float(self.ema or 0.0), 9.0 / (10.0 + n))
        trainable = {id(weight) for p in self.players for weight in self.player_variables(p)}
        for name in self.network_names():
            pairs = zip(
                getattr(self.average, name).weights, getattr(self, name).weights, strict=True
            )
            for average, weight in pairs:
                if id(weight) in trainable:  # a frozen one has not changed
                    average.assign(average + tf.cast(rate, average.dtype) * (weight - average))
        # The statistics of averaged weights are not the average of the statistics. So the averaged
        # networks process a batch, and only their moving statistics are kept.
        number = self.step.value + 1
        due = tf.equal(number % AVERAGE_EVERY, 0) | (number <= AVERAGE_FIRST)
        if self.synchronises_in_step():  # replicas cannot communicate inside a tf.cond
            networks = [getattr(self.average, name) for name in self.network_names()]
            with unchanged_statistics(*networks, unless=due), statistics_over_replicas(True):
                self.average.forward(batch, z, key)
        else:
            tf.cond(due, lambda: self.average.forward(batch, z, key), lambda: 0)
