"""LeNet's features against the same layers by hand."""

import numpy as np
import tensorflow as tf

from tests.closeness import assert_close
from tf_bigan.networks import LeNetFeatures, batch_groups, make


def test_weights_and_shapes():
    network = make("mlp", "lenet", image_shape=(28, 28, 3))
    assert [tuple(c.kernel.shape) for c in network.convs] == [(5, 5, 3, 32), (5, 5, 32, 48)]
    assert network.size == 7 * 7 * 48


def test_layers():
    network = LeNetFeatures((6, 7, 1), width=4, norm=None)
    x = np.random.default_rng(0).random((2, 6, 7, 1), np.float32)
    features, h = network.features(x), tf.constant(2 * x - 1)
    assert list(features) == ["map1", "map2", "e-"]
    for stage, conv in enumerate(network.convs, 1):
        h = tf.nn.conv2d(h, conv.kernel, 1, "SAME") + conv.bias
        h = tf.nn.relu(tf.nn.max_pool2d(h, 2, 2, "SAME"))
        assert_close(features[f"map{stage}"], h)
    expected = h.numpy().reshape(2, 2 * 2 * 6)
    assert_close(network(x), expected)
    assert_close(features["e-"], expected)


def test_groups_are_normalised_apart():
    network = LeNetFeatures((8, 8, 1), width=4)
    x = np.random.default_rng(0).random((6, 8, 8, 1), np.float32)
    with batch_groups(2):
        joined = network(np.concatenate([x, 0.1 * x]), training=True)
    assert_close(joined[:6], network(x, training=True))
