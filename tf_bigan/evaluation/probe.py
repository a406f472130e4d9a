"""CLS: a linear classifier on fixed features, trained for a fixed number of steps."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import tensorflow as tf

from tf_bigan.constraints import Count, Positive, Seed, check_arguments
from tf_bigan.evaluation.checks import as_classification

_BETA_1, _BETA_2, _EPSILON = 0.5, 0.999, 1e-8


def linear_probe_accuracy(
    train_features: npt.ArrayLike,
    train_labels: npt.ArrayLike,
    test_features: npt.ArrayLike,
    test_labels: npt.ArrayLike,
    *,
    steps: Count = 1000,
    batch: Count = 128,
    learning_rate: Positive = 2e-4,
    seed: Seed = 0,
) -> float:
    """Test accuracy, in percent, of a softmax head trained on fixed features (official: CLS_e-).

    As in the official evaluation: no bias, weights from zero, Adam (beta_1 0.5, beta_2 0.999),
    1,000 steps of 128 rows, features not standardised. Unlike there, the learning rate does not
    follow the model's decay, which reduced the published value to 79.48 at epoch 400, and the
    features are those of inference mode. With so few steps the head does not converge, and the
    value depends on the scale of the features.

    Args:
        train_features: [N, ...] numbers.
        train_labels: [N] integers of any values, of at least two classes.
        test_features: [M, ...] numbers.
        test_labels: [M] integers; a class that is not in train_labels counts as an error.
        steps: number of updates.
        batch: rows per update, in a new random order in every pass.
        learning_rate: Adam's constant learning rate.
        seed: random seed of the order. The same seed gives the same accuracy.

    Raises:
        Unmeasurable: empty, constant or non-finite features, unequal widths, a wrong number of
            labels, or a single class.
        UserError: another argument is out of range.
    """
    numbers = {"steps": steps, "batch": batch, "learning_rate": learning_rate, "seed": seed}
    check_arguments(linear_probe_accuracy, numbers)
    train, train_labels, test, test_labels = as_classification(
        train_features, train_labels, test_features, test_labels
    )
    train, test = (rows.astype(np.float32, copy=False) for rows in (train, test))

    classes, targets = np.unique(train_labels, return_inverse=True)
    head = _train_head(
        tf.constant(train),
        tf.one_hot(targets, len(classes)),
        tf.constant(_shuffled_rows(len(train), steps, batch, seed)),
        tf.constant(learning_rate, tf.float32),
    )
    predicted = classes[np.argmax(test @ head.numpy(), axis=1)]
    return 100 * float(np.mean(predicted == test_labels))


@tf.function(reduce_retracing=True)
def _train_head(features, targets, order, learning_rate):
    """Weights [D, classes] after one Adam step for each row of `order` [steps, batch].

    Adam is implemented here so that its state is local to the loop: a Keras optimiser would need
    new variables, and so a new trace, in every call.
    """
    head = tf.zeros([tf.shape(features)[1], tf.shape(targets)[1]])
    mean, square = tf.zeros_like(head), tf.zeros_like(head)
    for step in tf.range(tf.shape(order)[0]):
        x = tf.gather(features, order[step])
        error = tf.nn.softmax(x @ head) - tf.gather(targets, order[step])
        gradient = tf.matmul(x, error, transpose_a=True) / tf.cast(tf.shape(x)[0], tf.float32)
        mean += (1 - _BETA_1) * (gradient - mean)
        square += (1 - _BETA_2) * (gradient**2 - square)
        t = tf.cast(step + 1, tf.float32)
        unbiased = mean / (1 - _BETA_1**t)
        head -= learning_rate * unbiased / (tf.sqrt(square / (1 - _BETA_2**t)) + _EPSILON)
    return head


def _shuffled_rows(count: int, steps: int, batch: int, seed: int) -> np.ndarray:
    """Row indices [steps, batch]: one permutation of range(count) after another."""
    rng = np.random.default_rng(seed)
    passes = -(-steps * batch // count)
    rows = np.concatenate([rng.permutation(count) for _ in range(passes)])
    return rows[: steps * batch].reshape(steps, batch)
