"""Adversarial feature learning with TensorFlow and Keras 3: BiGAN and related models."""

from tf_bigan import core  # isort: skip - first, since it checks Keras's backend
from tf_bigan import (
    augmentation,
    callbacks,
    data,
    estimators,
    evaluation,
    export,
    losses,
    models,
    networks,
    optimizers,
    penalties,
    priors,
    report,
    run,
)
from tf_bigan.core.model import AdversarialModel
from tf_bigan.core.trainer import NonFiniteLoss
from tf_bigan.errors import UserError
from tf_bigan.estimators import BiGANDetector, BiGANFeatures
from tf_bigan.run.trained import load

__version__ = "0.1.0"

__all__ = [
    "AdversarialModel",
    "BiGANDetector",
    "BiGANFeatures",
    "NonFiniteLoss",
    "UserError",
    "augmentation",
    "callbacks",
    "core",
    "data",
    "estimators",
    "evaluation",
    "export",
    "load",
    "losses",
    "models",
    "networks",
    "optimizers",
    "penalties",
    "priors",
    "report",
    "run",
]
