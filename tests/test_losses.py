"""Losses against values computed by hand."""

import math

import numpy as np
import pytest
import tensorflow as tf

from tf_bigan.losses import (
    discriminator_loss,
    reconstruction_loss,
    squared_error,
    swapped_labels_loss,
)

# D says 3/4 and 1/2 of the real rows, 1/4 and 1/5 of the fake ones.
REAL = tf.constant([[math.log(3.0)], [0.0]])
FAKE = tf.constant([[-math.log(3.0)], [-math.log(4.0)]])


def test_hand_computed_values():
    mean_real = -(math.log(3 / 4) + math.log(1 / 2)) / 2
    mean_fake = -(math.log(3 / 4) + math.log(4 / 5)) / 2
    assert float(discriminator_loss(REAL, FAKE)) == pytest.approx(
        (mean_real + mean_fake) / 2, rel=1e-5
    )
    mean_real = -(math.log(1 / 4) + math.log(1 / 2)) / 2
    mean_fake = -(math.log(1 / 4) + math.log(1 / 5)) / 2
    assert float(swapped_labels_loss(REAL, FAKE)) == pytest.approx(
        (mean_real + mean_fake) / 2, rel=1e-5
    )


def test_an_undecided_discriminator_costs_ln_2():
    zero = tf.zeros((7, 1))
    assert float(discriminator_loss(zero, zero)) == pytest.approx(math.log(2), rel=1e-5)
    assert float(swapped_labels_loss(zero, zero)) == pytest.approx(math.log(2), rel=1e-5)


def test_gradients_are_those_of_the_probabilities():
    """d/dl of D's loss is ½(σ(l) - label) / n, of the other one with swapped labels."""
    logits = tf.constant([[1.5], [-0.5]])
    for loss, label in ((discriminator_loss, 1.0), (swapped_labels_loss, 0.0)):
        with tf.GradientTape() as tape:
            tape.watch(logits)
            value = loss(logits, FAKE)
        expected = 0.5 * (tf.sigmoid(logits) - label) / 2
        np.testing.assert_allclose(tape.gradient(value, logits), expected, rtol=1e-5)


def test_rows_in_any_order_and_far_from_zero():
    order = tf.gather(REAL, [1, 0])
    assert float(discriminator_loss(order, FAKE)) == pytest.approx(
        float(discriminator_loss(REAL, FAKE)), rel=1e-5
    )
    assert float(discriminator_loss(tf.constant([-200.0]), tf.constant([0.0]))) == pytest.approx(
        100 + math.log(2) / 2, rel=1e-5
    )


def test_squared_error_of_each_row():
    x = tf.reshape(tf.range(12.0), (2, 2, 3, 1))
    shift = tf.reshape(tf.constant([1.0, -2.0]), (2, 1, 1, 1))
    np.testing.assert_allclose(squared_error(x, x + shift), [6 * 1.0, 6 * 4.0], rtol=1e-5)


def test_squared_error_of_bfloat16_is_summed_in_float32():
    """Neither 1 - 2⁻⁹ nor 1000 of its squares is a bfloat16."""
    x = tf.ones((2, 1000), tf.bfloat16)
    error = squared_error(x, tf.fill((2, 1000), tf.constant(2.0**-9, tf.bfloat16)))
    assert error.dtype == tf.float32
    np.testing.assert_allclose(error, 1000 * (1 - 2.0**-9) ** 2, rtol=1e-5)


def test_reconstruction_loss_by_hand():
    x = tf.zeros((2, 2, 3, 1))
    x_rec = x + tf.reshape(tf.constant([1.0, -2.0]), (2, 1, 1, 1))
    assert float(reconstruction_loss(x, x_rec, "l1")) == pytest.approx(6 * (1 + 2) / 2)
    assert float(reconstruction_loss(x, x_rec, "l2")) == pytest.approx(6 * (1 + 4) / 2)
