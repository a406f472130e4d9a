"""SGAN and Triple-GAN with 100 labels, against the same classifier network on the labels alone."""

import keras
import numpy as np
import tensorflow as tf

from benchmarks.claims.claim import Lab
from tf_bigan import networks
from tf_bigan.data import splits

LABELS, STEPS = 100, 500


def accuracy_of(lab: Lab, model) -> float:
    """Of a system that classifies, on the test images, in %."""
    found = model.classify(lab.test.as_float()).argmax(-1)
    return 100.0 * float(np.mean(found == lab.test.labels))


def alone(lab: Lab, seed: int, family: str, norm: str | None = "batch") -> float:
    """Accuracy in % of the same network, trained on the same 100 labelled images and no others.

    With Adam 2e-4 until long after it knows them by heart.
    """
    keras.utils.set_random_seed(seed)
    few = splits.balanced(lab.train, LABELS, seed)
    classes = lab.train.num_classes
    network = networks.make(
        family, "classifier", image_shape=few.image_shape, classes=classes, norm=norm
    )
    for layer in network.layers:
        if isinstance(layer, keras.layers.BatchNormalization):
            layer.momentum = 0.9  # .99 would remember the initial 1 after so few steps
    network.compile(
        keras.optimizers.Adam(2e-4, beta_1=0.5),
        keras.losses.SparseCategoricalCrossentropy(from_logits=True),
    )
    # All of the images are a batch, as in the games.
    lab.fit(network, tf.data.Dataset.from_tensors((few.as_float(), few.labels)).repeat(STEPS))
    found = network.predict(lab.test.as_float(), batch_size=500, verbose=0).argmax(-1)
    return 100.0 * float(np.mean(found == lab.test.labels))
