"""Batch normalisation for networks that see real and generated rows in one batch."""

import contextlib
import contextvars

import keras
import tensorflow as tf

_GROUPS = contextvars.ContextVar("batch_groups", default=1)


@contextlib.contextmanager
def batch_groups(groups: int):
    """Inside, a batch is `groups` equal parts in a row, and each part has its own statistics."""
    token = _GROUPS.set(groups)
    try:
        yield
    finally:
        _GROUPS.reset(token)


@keras.saving.register_keras_serializable("tf_bigan")
class BatchNormalization(keras.layers.BatchNormalization):
    """`keras.layers.BatchNormalization` that knows the groups of a joined batch.

    BiGAN's discriminator normalises its real and its fake rows separately. Joining them into one
    batch makes one large matrix product of two small ones; the statistics stay apart per group.
    The moving averages are fed by group 0, the real rows, with the unbiased variance of a batch,
    as in the official code.
    """

    def call(self, inputs, training=None, mask=None):
        if not (training and self.trainable):
            return super().call(inputs, training=training, mask=mask)
        if self.axis not in (-1, len(inputs.shape) - 1):
            raise ValueError(f"batch statistics need the channels last, not axis {self.axis}")
        shape = tf.shape(inputs)
        # [groups·B, ..., C] -> [groups, rows, C]
        x = tf.reshape(tf.cast(inputs, tf.float32), (_GROUPS.get(), -1, inputs.shape[-1]))
        mean, variance = tf.nn.moments(x, axes=1, keepdims=True)
        rows = tf.cast(tf.shape(x)[1], tf.float32)
        self._feed(self.moving_mean, mean[0, 0])
        self._feed(self.moving_variance, variance[0, 0] * rows / (rows - 1.0))
        scale = tf.math.rsqrt(variance + self.epsilon)
        if self.scale:
            scale *= self.gamma
        offset = -mean * scale
        if self.center:
            offset += self.beta
        return tf.cast(tf.reshape(x * scale + offset, shape), self.compute_dtype)

    def _feed(self, moving, batch):
        moving.assign(moving * self.momentum + batch * (1.0 - self.momentum))


def make_normalization(kind: str | None, dtype) -> keras.layers.Layer:
    """The layer of a kind: "batch", "layer" (no row sees another one), or None for none.

    A gradient penalty is a function of single rows and rules out batch statistics (Gulrajani et
    al. 2017, section 4).
    """
    if kind == "batch":
        return BatchNormalization(dtype=dtype)
    if kind == "layer":
        return keras.layers.LayerNormalization(epsilon=1e-5, dtype=dtype)
    if kind is None:
        return keras.layers.Identity(dtype=dtype)
    raise ValueError(f"norm={kind!r} is unknown: choose batch, layer or None")


def discriminate(discriminator, *groups, training: bool) -> list[tf.Tensor]:
    """D's outputs on several batches of equal size, whose batch statistics stay apart.

    A network with `keeps_groups_apart = True` is called once on the joined rows; any other one
    for each group, so that layers which mix the rows of a batch never see two groups together.

    Args:
        discriminator: D, or a function of it that takes `training`.
        *groups: D's inputs: real first, whose statistics feed the moving averages.
        training: whether to run in training mode.

    Returns:
        The output of each group, for D's logits [B, 1] each.
    """
    if not getattr(getattr(discriminator, "__self__", discriminator), "keeps_groups_apart", False):
        return [discriminator(group, training=training) for group in groups]
    joined = tf.nest.map_structure(lambda *rows: tf.concat(rows, 0), *groups)
    with batch_groups(len(groups)):
        outputs = discriminator(joined, training=training)
    split = [tf.split(output, len(groups)) for output in tf.nest.flatten(outputs)]
    return [tf.nest.pack_sequence_as(outputs, one) for one in zip(*split, strict=True)]
