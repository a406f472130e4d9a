"""The base class of all systems, its training loop, and helpers of both."""

from tf_bigan.core.backend import check_backend

check_backend()

from tf_bigan.core import hardware, workers  # noqa: E402 - they import Keras
from tf_bigan.core.model import AdversarialModel  # noqa: E402
from tf_bigan.core.trainer import NonFiniteLoss  # noqa: E402
from tf_bigan.core.transfer import take_weights  # noqa: E402

__all__ = ["AdversarialModel", "NonFiniteLoss", "hardware", "take_weights", "workers"]
