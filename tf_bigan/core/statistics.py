"""Batch statistics, and a look into a model that leaves it as it was."""

import contextlib
from collections.abc import Iterable, Mapping

import keras
import numpy as np
import tensorflow as tf


class Statistics:
    """Calibration and diagnosis of an `AdversarialModel`."""

    @contextlib.contextmanager
    def statistics_kept(self):
        """Puts the batch statistics and the layers' random states back at the end."""
        models = [self] if self.average is None else [self, self.average]
        networks = [getattr(model, n) for model in models for n in self.network_names()]
        state = [
            v
            for network in networks
            for v in (*network.non_trainable_weights, *seed_states(network))
        ]
        before = [v.numpy() for v in state]
        try:
            yield
        finally:
            for variable, value in zip(state, before, strict=True):
                variable.assign(value)

    def calibrate(self, batches: Iterable[Mapping], steps: int = 1000):
        """Replaces the moving batch statistics by a plain average over `steps` training batches.

        The official BiGAN code does so before each evaluation: batch means and unbiased batch
        variances of the current weights, unlike a moving average, which remembers older ones.

        Args:
            batches: batches like those of `player_losses`.
            steps: how many of them to use, if there are so many.
        """
        self._check_compiled()
        model = self.inference_model()
        norms = [
            layer
            for network in model.network_names()
            for layer in getattr(model, network)._flatten_layers()
            if isinstance(layer, keras.layers.BatchNormalization)
        ]
        if not norms:
            return
        moving = [v for norm in norms for v in (norm.moving_mean, norm.moving_variance)]
        done = 0
        momenta = [norm.momentum for norm in norms]
        for norm in norms:
            norm.momentum = 0.0  # each batch then leaves its own statistics behind
        try:
            forward = tf.function(model._forward)
            total = [np.zeros(v.shape, np.float64) for v in moving]
            for step, batch in zip(range(steps), batches, strict=False):
                key = tf.constant([self.seed, step, 0])
                forward(batch, model.prior.sample(rows_of(batch), key[:2]), key)
                for i, variable in enumerate(moving):
                    total[i] += variable.numpy()
                done = step + 1
        finally:
            for norm, momentum in zip(norms, momenta, strict=True):
                norm.momentum = momentum
        if not done:
            raise ValueError("calibrate needs at least one batch")
        for variable, sum_ in zip(moving, total, strict=True):
            variable.assign(sum_ / done)

    def diagnose(self, batch: Mapping) -> dict[str, np.ndarray]:
        """The unreduced logs of a batch, and each player's gradient norm as "gradient_norm/D".

        Runs in training mode and leaves the model as it was.
        """
        self._check_compiled()
        batch = {name: tf.convert_to_tensor(value) for name, value in batch.items()}
        with self.statistics_kept():
            per_replica = self._diagnose_function(batch)
        results = self.distribute_strategy.experimental_local_results
        return {name: results(value)[0].numpy() for name, value in per_replica.items()}

    def _diagnose(self, batch: Mapping) -> dict[str, tf.Tensor]:
        z, key = self._draw(batch, 0)
        self._begin(batch, key)
        with tf.GradientTape(persistent=True) as tape:
            losses, logs = self.player_losses(batch, z, training=True)
        self._check_losses(losses, (player for group in self.schedule for player in group))
        norms = {
            f"gradient_norm/{player}": tf.linalg.global_norm(
                tape.gradient(
                    losses[player],
                    [v.value for v in self.player_variables(player)],
                    unconnected_gradients="zero",
                )
            )
            for player in self.players
            if player in losses
        }
        return logs | norms


def rows_of(batch: Mapping) -> int:
    """The number of examples in a batch."""
    rows = batch["image"].shape[0]
    if rows is None:
        raise ValueError(
            "batches must be of one size, a multiple of the replicas: "
            "dataset.batch(n, drop_remainder=True)"
        )
    return rows


def seed_states(network: keras.Model) -> list:
    """The states of a network's seed generators: in `variables`, but not among the weights."""
    weights = {id(v) for v in network.weights}
    return [v for v in network.variables if id(v) not in weights]
