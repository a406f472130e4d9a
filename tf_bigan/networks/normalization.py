"""Batch normalisation for networks that see real and generated rows in one batch."""

import contextlib
import contextvars
from collections.abc import Callable, Iterator
from typing import Any

import keras
import tensorflow as tf

_GROUPS = contextvars.ContextVar("batch_groups", default=1)


@contextlib.contextmanager
def batch_groups(groups: int):
    """In this block a batch consists of `groups` equal parts with separate batch statistics."""
    token = _GROUPS.set(groups)
    try:
        yield
    finally:
        _GROUPS.reset(token)


_OVER_REPLICAS = contextvars.ContextVar("statistics_over_replicas", default=False)


@contextlib.contextmanager
def statistics_over_replicas(wanted: bool):
    """In this block, if `wanted`, batch statistics are computed over all replicas.

    Each layer then communicates: every replica must execute it, and XLA cannot compile it.
    """
    token = _OVER_REPLICAS.set(wanted)
    try:
        yield
    finally:
        _OVER_REPLICAS.reset(token)


@contextlib.contextmanager
def unchanged_statistics(
    *networks: keras.Model, unless: tf.Tensor | bool = False
) -> Iterator[None]:
    """Calls in this block do not change the networks' moving batch statistics.

    For a second call of a network in a step, on rows that its statistics should not include.

    Args:
        *networks: the networks; their stock Keras layers are covered too.
        unless: a condition under which the statistics do change.
    """
    weights = [w for network in networks for w in network.non_trainable_weights]
    weights = [w for w in weights if "float" in w.dtype]
    before = [tf.identity(w.value) for w in weights]
    yield
    for weight, value in zip(weights, before, strict=True):
        weight.assign(tf.where(unless, weight.value, value))


@keras.saving.register_keras_serializable("tf_bigan")
class BatchNormalization(keras.layers.BatchNormalization):
    """`keras.layers.BatchNormalization` with separate statistics for the groups of a batch.

    BiGAN's discriminator normalises real and fake rows separately. Joining them into one batch
    makes one large matrix product instead of two small ones; the statistics stay separate per
    group. The moving averages use group 0, the real rows, with the unbiased batch variance, as in
    the official code.
    """

    def call(self, inputs, training=None, mask=None):
        if not (training and self.trainable):
            return super().call(inputs, training=training, mask=mask)
        if self.axis not in (-1, len(inputs.shape) - 1):
            raise ValueError(f"batch statistics need the channels last, not axis {self.axis}")
        channels = inputs.shape[-1]
        scale = tf.cast(self.gamma, tf.float32) if self.scale else tf.ones(channels)
        offset = tf.cast(self.beta, tf.float32) if self.center else tf.zeros(channels)
        several = tf.distribute.get_strategy().num_replicas_in_sync > 1
        normalize = _over_replicas if _OVER_REPLICAS.get() and several else _fused
        outputs, statistics = [], []
        for x in tf.split(inputs, _GROUPS.get()):
            y, *moments = normalize(x, scale, offset, self.epsilon)
            outputs.append(y)
            statistics.append(moments)
        mean, unbiased_variance = statistics[0]
        self._feed(self.moving_mean, mean)
        self._feed(self.moving_variance, unbiased_variance)
        return tf.concat(outputs, 0)

    def _feed(self, moving, batch):
        moving.assign(moving * self.momentum + batch * (1.0 - self.momentum))


def _fused(x, scale, offset, epsilon) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
    """x [B, ..., C] normalised; the mean and the unbiased variance [C] of its rows."""
    # The fused kernel reduces about seven passes over memory to two, forward and backward. It
    # needs four axes: [B, ..., C] -> [B, 1, rest, C].
    maps = tf.reshape(x, (tf.shape(x)[0], 1, -1, x.shape[-1]))
    y, mean, variance = tf.raw_ops.FusedBatchNormV3(
        x=maps, scale=scale, offset=offset, mean=[], variance=[], epsilon=epsilon
    )[:3]
    return tf.reshape(y, tf.shape(x)), mean, variance


def _over_replicas(x, scale, offset, epsilon) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
    """The same over the rows of all replicas; each replica has the same number of rows."""
    context = tf.distribute.get_replica_context()
    rows = tf.cast(tf.size(x) // x.shape[-1] * context.num_replicas_in_sync, tf.float32)
    mean, variance = tf.nn.moments(tf.cast(x, tf.float32), axes=list(range(x.shape.rank - 1)))
    mean, inside, square = tf.unstack(
        context.all_reduce("MEAN", tf.stack([mean, variance, mean**2]))
    )
    variance = inside + tf.maximum(square - mean**2, 0.0)  # within replicas and between them
    y = (tf.cast(x, tf.float32) - mean) * tf.math.rsqrt(variance + epsilon) * scale + offset
    return tf.cast(y, x.dtype), mean, variance * rows / (rows - 1.0)


def make_normalization(kind: str | None, dtype) -> keras.layers.Layer:
    """The layer of a kind: "batch", "layer", or None for none.

    "spectral" normalises kernels (see `networks.spectral`) and has no layer here either.
    "layer" normalises over the channels at each position of a map, without seeing other rows. A
    gradient penalty depends on single rows and excludes batch statistics (Gulrajani et al. 2017,
    section 4).
    """
    if kind == "batch":
        return BatchNormalization(dtype=dtype)
    if kind == "layer":
        return keras.layers.LayerNormalization(epsilon=1e-5, dtype=dtype)
    if kind in (None, "spectral"):
        return keras.layers.Identity(dtype=dtype)
    raise ValueError(f"norm={kind!r} is unknown: choose batch, layer, spectral or None")


def _joined(first: tf.Tensor, *others: tf.Tensor) -> tf.Tensor:
    """The rows of all, in the dtype of the first: generated ones may have another."""
    return tf.concat([first, *(tf.cast(rows, first.dtype) for rows in others)], 0)


def discriminate(
    discriminator: Callable, *groups: Any, training: bool, jointly: bool = False
) -> list[Any]:
    """D's outputs on several batches of equal size, with separate batch statistics.

    A network with `keeps_groups_apart = True` is called once on the joined rows. Other networks
    are called once per group, so that layers that mix rows never see two groups together.

    Args:
        discriminator: D, or a function of it that takes `training`.
        *groups: D's inputs, real ones first; their statistics update the moving averages.
        training: whether to run in training mode.
        jointly: whether all groups share one set of batch statistics, in one call.

    Returns:
        The output for each group: logits [B, 1] of D, or the structure of tensors that the
        function returns.
    """
    owner = getattr(discriminator, "__self__", discriminator)
    if not jointly and not getattr(owner, "keeps_groups_apart", False):
        first = discriminator(groups[0], training=training)
        layers = owner._flatten_layers() if isinstance(owner, keras.Layer) and training else ()
        norms = [layer for layer in layers if isinstance(layer, keras.layers.BatchNormalization)]
        with unchanged_statistics(*norms):  # stock layers would average over all groups
            return [first, *(discriminator(group, training=training) for group in groups[1:])]
    joined = tf.nest.map_structure(_joined, *groups)
    with batch_groups(1 if jointly else len(groups)):
        outputs = discriminator(joined, training=training)
    split = [tf.split(output, len(groups)) for output in tf.nest.flatten(outputs)]
    return [tf.nest.pack_sequence_as(outputs, one) for one in zip(*split, strict=True)]
