"""The perceptron against NumPy, and its weight decay."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from tests.closeness import assert_close
from tf_bigan.networks import make

H = np.random.default_rng(0).normal(size=(6, 4)).astype(np.float32)


def enlarged(**arguments):
    """A perceptron with random biases, gains and centres too, so that each of them counts."""
    network = make("mlp", "perceptron", inputs=4, outputs=3, units=7, **arguments)
    rng = np.random.default_rng(1)
    for variable in network.trainable_variables:
        variable.assign(variable + rng.normal(0, 0.5, variable.shape))
    return network


def normalised(h, norm):
    """Of each column over the rows, or of each row."""
    axis = 0 if isinstance(norm, keras.layers.BatchNormalization) else 1
    h = (h - h.mean(axis, keepdims=True)) / np.sqrt(h.var(axis, keepdims=True) + norm.epsilon)
    return norm.gamma.numpy() * h + norm.beta.numpy()


@pytest.mark.parametrize("hidden", [0, 2])
@pytest.mark.parametrize("norm", [None, "batch", "layer"])
def test_against_numpy(hidden, norm):
    network = enlarged(hidden=hidden, norm=norm)
    h = H.astype(np.float64)
    for dense, layer in zip(network.dense, network.norms, strict=True):
        h = h @ dense.kernel.numpy() + dense.bias.numpy()
        h = normalised(h, layer) if norm else h
        h = np.where(h > 0, h, 0.2 * h)
    assert len(network.dense) == hidden
    assert_close(network.features(H, training=True), h)
    expected = h @ network.logit.kernel.numpy() + network.logit.bias.numpy()
    assert_close(network(H, training=True), expected)
    parts = [H[:, :1], H[:, 1:]]  # a list of tensors is joined
    assert_close(network(parts, training=True), expected)


def test_weight_decay_is_of_the_kernels():
    network = enlarged(hidden=1, l2=0.3)
    variables = network.trainable_variables
    with tf.GradientTape() as tape:
        penalty = tf.add_n(network.losses)
    gradients = tape.gradient(penalty, [v.value for v in variables], unconnected_gradients="zero")
    for gradient, variable in zip(gradients, variables, strict=True):
        expected = 0.3 * variable if variable.name == "kernel" else tf.zeros(variable.shape)
        assert_close(gradient, expected)
    assert not enlarged(hidden=1).losses
