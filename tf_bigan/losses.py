"""Losses as pure functions of logits [B, 1] or [B]; they return a scalar or one value per row.

All use softplus(±logit), which is -log sigmoid(∓logit) without overflow.
"""

import tensorflow as tf


def discriminator_loss(logits_real: tf.Tensor, logits_fake: tf.Tensor) -> tf.Tensor:
    """½ E[-log D(x, E(x))] + ½ E[-log(1 - D(G(z), z))], a scalar; ln 2 when D is undecided.

    Goodfellow et al. 2014, eq. 1, with the factor ½ of Donahue et al. 2017's code.
    """
    return 0.5 * (
        tf.reduce_mean(tf.nn.softplus(-logits_real)) + tf.reduce_mean(tf.nn.softplus(logits_fake))
    )


def swapped_labels_loss(logits_real: tf.Tensor, logits_fake: tf.Tensor) -> tf.Tensor:
    """½ E[-log(1 - D(x, E(x)))] + ½ E[-log D(G(z), z)]: D's loss with swapped labels.

    The non-saturating loss of E and G (Donahue et al. 2017, section 3.4).
    """
    return discriminator_loss(logits_fake, logits_real)


def discriminator_logs(logits_real: tf.Tensor, logits_fake: tf.Tensor) -> dict[str, tf.Tensor]:
    """The logs of a discriminator: its logits, and whether each is right, bool [B, 1]."""
    return {
        "logits_real": logits_real,
        "logits_fake": logits_fake,
        "accuracy_real": logits_real > 0,
        "accuracy_fake": logits_fake < 0,
    }


def squared_error(x: tf.Tensor, x_rec: tf.Tensor) -> tf.Tensor:
    """Σ (x - x_rec)² over the entries of each row, [B, ...] twice -> float32 [B]."""
    difference = tf.cast(x, tf.float32) - tf.cast(x_rec, tf.float32)
    return tf.reduce_sum(difference**2, list(range(1, x.shape.rank)))


def reconstruction_loss(x: tf.Tensor, x_rec: tf.Tensor, norm: str) -> tf.Tensor:
    """E[Σ |x - x_rec|] for norm "l1", E[Σ (x - x_rec)²] for "l2"; [B, ...] twice -> a scalar."""
    if norm == "l2":
        return tf.reduce_mean(squared_error(x, x_rec))
    return tf.reduce_mean(tf.reduce_sum(tf.abs(x - x_rec), list(range(1, x.shape.rank))))
