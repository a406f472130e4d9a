"""CLS: a linear classifier on fixed features, trained for a fixed number of steps."""

import numpy as np
import tensorflow as tf

from tf_bigan.evaluation.checks import (
    as_class_labels,
    as_features,
    as_labels,
    as_rows,
    check_count,
    check_positive,
    check_same_width,
)

_BETA_1, _BETA_2, _EPSILON = 0.5, 0.999, 1e-8


def linear_probe_accuracy(
    train_features,
    train_labels,
    test_features,
    test_labels,
    *,
    steps: int = 1000,
    batch: int = 128,
    learning_rate: float = 2e-4,
    seed: int = 0,
) -> float:
    """Test accuracy, in percent, of a softmax head trained on fixed features (official: CLS_e-).

    As in the official evaluation: no bias, weights from zero, Adam (beta_1 0.5, beta_2 0.999),
    1,000 steps of 128 rows, features used as they are, not standardised. Unlike there, the
    learning rate does not follow the decay of the model's own, which made the published value
    fall to 79.48 at epoch 400, and the features are those of test mode. With so few steps the
    head is not trained to convergence: the value depends on the scale of the features.

    Args:
        train_features: [N, ...] numbers.
        train_labels: [N] integers of any values, of at least two classes.
        test_features: [M, ...] numbers.
        test_labels: [M] integers; a class that is not in train_labels counts as an error.
        steps: updates of the head.
        batch: rows an update; they come in a new random order in every pass over the rows.
        learning_rate: Adam's, constant.
        seed: of the order. The same seed gives the same accuracy.

    Raises:
        ValueError: for empty, constant or non-finite features, unequal widths, a wrong number of
            labels, a single class, or a number that is not positive.
    """
    check_count(steps, "steps", 1)
    check_count(batch, "batch", 1)
    check_positive(learning_rate, "learning_rate")
    train_features = as_features(train_features, "train_features").astype(np.float32, copy=False)
    test_features = as_rows(test_features, "test_features").astype(np.float32, copy=False)
    check_same_width(train_features, "train_features", test_features, "test_features")
    train_labels = as_class_labels(train_labels, "train_labels", len(train_features))
    test_labels = as_labels(test_labels, "test_labels", len(test_features))

    classes, targets = np.unique(train_labels, return_inverse=True)
    head = _train_head(
        tf.constant(train_features),
        tf.one_hot(targets, len(classes)),
        tf.constant(_shuffled_rows(len(train_features), steps, batch, seed)),
        tf.constant(learning_rate, tf.float32),
    )
    predicted = classes[np.argmax(test_features @ head.numpy(), axis=1)]
    return 100 * float(np.mean(predicted == test_labels))


@tf.function(reduce_retracing=True)
def _train_head(features, targets, order, learning_rate):
    """Weights [D, classes] after one Adam step for each row of `order` [steps, batch].

    Adam is written out so that its state lives in the loop: a Keras optimiser would need new
    variables, hence a new trace, at every call.
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
