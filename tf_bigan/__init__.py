"""Adversarial feature learning with TensorFlow and Keras 3: BiGAN and its relatives."""

from tf_bigan import callbacks, data, evaluation, losses, models, networks, optimizers, priors
from tf_bigan.game import AdversarialModel
from tf_bigan.loop import NonFiniteLoss

__version__ = "0.1.0"

__all__ = [
    "AdversarialModel",
    "NonFiniteLoss",
    "callbacks",
    "data",
    "evaluation",
    "losses",
    "models",
    "networks",
    "optimizers",
    "priors",
]
