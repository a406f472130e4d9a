"""Recalibrated batch norm, and diagnostics that leave the model unchanged."""

import contextlib
from collections.abc import Iterable, Iterator, Mapping
from functools import partial
from typing import TYPE_CHECKING, Any

import keras
import numpy as np
import tensorflow as tf

from tf_bigan.core.hardware import without_remapper

if TYPE_CHECKING:
    from tf_bigan.core.model import AdversarialModel


@contextlib.contextmanager
def statistics_kept(model: "AdversarialModel") -> Iterator[None]:
    """Restores the batch statistics and the layers' random states at the end of the block."""
    models = [model] if model.average is None else [model, model.average]
    networks = [getattr(m, name) for m in models for name in m.network_names()]
    state = [v for n in networks for v in (*n.non_trainable_weights, *seed_states(n))]
    before = [v.numpy() for v in state]
    try:
        yield
    finally:
        for variable, value in zip(state, before, strict=True):
            variable.assign(value)


def calibrate(model: "AdversarialModel", batches: Iterable[Mapping], steps: int = 1000) -> None:
    """Recalibrates batch norm: moving statistics become a plain average over training batches.

    The official BiGAN code does this before each evaluation. It averages batch means and unbiased
    batch variances of the current weights; a moving average also contains older weights.

    Args:
        model: a compiled model. If it has an averaged copy, that one is recalibrated.
        batches: batches as for `player_losses`.
        steps: the maximal number of batches to use.

    Raises:
        ValueError: there is no batch, or the model is not compiled.
    """
    _check_compiled(model)
    model = model.inference_model()
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
        norm.momentum = 0.0  # the statistics are then those of the last batch
    try:
        forward = tf.function(partial(model.forward))
        total = [np.zeros(v.shape, np.float64) for v in moving]
        for step, batch in zip(range(steps), batches, strict=False):
            key = tf.constant([0, step, 0])
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


def diagnose(model: "AdversarialModel", batch: Mapping[str, Any]) -> dict[str, np.ndarray]:
    """The unreduced logs of a batch, and each player's gradient norm as "gradient_norm/D".

    The gradient is of the player's loss and penalty, without weight decay.

    Runs in training mode and leaves the model unchanged.
    """
    _check_compiled(model)
    batch = {name: tf.convert_to_tensor(value) for name, value in batch.items()}
    with statistics_kept(model), without_remapper():
        per_replica = model._trainer.diagnose(batch)
    results = model.distribute_strategy.experimental_local_results
    return {name: results(value)[0].numpy() for name, value in per_replica.items()}


def logs_and_gradient_norms(model: "AdversarialModel", batch: Mapping) -> dict[str, tf.Tensor]:
    """The result of `diagnose` on one replica."""
    z, key = model._draw(batch, 0)
    model._begin(batch, key)
    with tf.GradientTape(persistent=True) as tape:
        losses, logs = model.player_losses(batch, z, training=True)
        model.check_losses(losses, (player for group in model.moves for player in group))
        penalties = model._penalties_of(losses)
        losses = {player: loss + penalties.get(player, 0.0) for player, loss in losses.items()}
    norms = {
        f"gradient_norm/{player}": tf.linalg.global_norm(
            tape.gradient(
                losses[player],
                [v.value for v in model.player_variables(player)],
                unconnected_gradients="zero",
            )
        )
        for player in model.players
        if player in losses
    }
    return logs | norms


def average_over_replicas(model: "AdversarialModel") -> None:
    """Averages the moving batch statistics over the replicas, once per step.

    Averaging once per call would differ by rounding, and results must not depend on the number of
    steps per call.
    """
    if model.distribute_strategy.num_replicas_in_sync == 1:
        return
    models = [model] if model.average is None else [model, model.average]
    networks = [getattr(m, name) for m in models for name in m.network_names()]
    weights = [v for network in networks for v in network.non_trainable_weights]
    statistics = [v for v in weights if v.dtype == "float32"]
    if statistics:
        means = mean_over_replicas([tf.identity(v) for v in statistics])
        for variable, mean in zip(statistics, means, strict=True):
            variable.assign(mean)


def mean_over_replicas(values: Any) -> Any:
    """The means of a list or dict of tensors, in replica context."""
    context = tf.distribute.get_replica_context()
    return values if context.num_replicas_in_sync == 1 else context.all_reduce("MEAN", values)


def rows_of(batch: Mapping[str, tf.Tensor]) -> int:
    """The number of examples in a batch. Raises ValueError if it is unknown at tracing time."""
    rows = batch["image"].shape[0]
    if rows is None:
        raise ValueError(
            "batches must have one size, a multiple of the number of replicas: "
            "dataset.batch(n, drop_remainder=True)"
        )
    return rows


def seed_states(network: keras.Model) -> list:
    """The states of a network's seed generators, which are variables but not weights."""
    weights = {id(v) for v in network.weights}
    return [v for v in network.variables if id(v) not in weights]


def _check_compiled(model: "AdversarialModel"):
    if not model.compiled:
        raise ValueError("compile the model first: model.compile(optimizer=...)")
