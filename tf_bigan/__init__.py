"""Adversarial feature learning with TensorFlow and Keras 3: BiGAN and its relatives."""

from tf_bigan.core.backend import check_backend

check_backend()

from tf_bigan import (  # noqa: E402 - with the right backend alone
    callbacks,
    core,
    data,
    estimators,
    evaluation,
    export,
    losses,
    models,
    networks,
    optimizers,
    priors,
    report,
    run,
)
from tf_bigan.core.model import AdversarialModel  # noqa: E402
from tf_bigan.core.trainer import NonFiniteLoss  # noqa: E402
from tf_bigan.errors import UserError  # noqa: E402
from tf_bigan.estimators import BiGANDetector, BiGANFeatures  # noqa: E402

__version__ = "0.1.0"

__all__ = [
    "AdversarialModel",
    "BiGANDetector",
    "BiGANFeatures",
    "NonFiniteLoss",
    "UserError",
    "callbacks",
    "core",
    "data",
    "estimators",
    "evaluation",
    "export",
    "losses",
    "models",
    "networks",
    "optimizers",
    "priors",
    "report",
    "run",
]
