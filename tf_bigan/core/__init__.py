"""The game, its loop, and what both need."""

from tf_bigan.core import hardware, workers
from tf_bigan.core.model import AdversarialModel
from tf_bigan.core.trainer import NonFiniteLoss

__all__ = ["AdversarialModel", "NonFiniteLoss", "hardware", "workers"]
