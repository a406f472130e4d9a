"""SGAN and Triple-GAN with 100 labelled examples, and their classifier trained on these only."""

import keras
import numpy as np
import tensorflow as tf

from benchmarks.claims.claim import Lab
from tf_bigan import networks
from tf_bigan.data import splits

LABELS, STEPS = 100, 500
# The papers' losses, without what the defaults add for few labels.
PAPER = {"labels": LABELS, "set": None, "augmentation": None, "player_rates": None}


def accuracy_of(lab: Lab, model) -> float:
    """Accuracy in % of a system that classifies, on the test images."""
    found = model.classify(lab.test.as_float()).argmax(-1)
    return 100.0 * float(np.mean(found == lab.test.labels))


def alone(lab: Lab, seed: int, family: str, norm: str | None = "batch") -> float:
    """Accuracy in % of the same network, trained only on the same 100 labelled images.

    With Adam 2e-4, until long after it overfits them.
    """
    keras.utils.set_random_seed(seed)
    few = splits.balanced(lab.train, LABELS, seed)
    classes = lab.train.num_classes
    network = networks.make(
        family, "classifier", image_shape=few.image_shape, classes=classes, norm=norm
    )
    for layer in network.layers:
        if isinstance(layer, keras.layers.BatchNormalization):
            layer.momentum = 0.9  # with .99 the initial 1 would remain after few steps
    network.compile(
        keras.optimizers.Adam(2e-4, beta_1=0.5),
        keras.losses.SparseCategoricalCrossentropy(from_logits=True),
    )
    # All images are one batch, as in the systems.
    lab.fit(network, tf.data.Dataset.from_tensors((few.as_float(), few.labels)).repeat(STEPS))
    found = network.predict(lab.test.as_float(), batch_size=500, verbose=0).argmax(-1)
    return 100.0 * float(np.mean(found == lab.test.labels))
