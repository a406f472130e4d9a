"""Adversarial feature learning with TensorFlow and Keras 3: BiGAN and its relatives."""

import importlib
import os
import sys

from tf_bigan.backend import check_backend

__version__ = "0.1.0"

_MODULES = (
    "anomaly",
    "callbacks",
    "comparison",
    "data",
    "distribution",
    "evaluation",
    "experiment",
    "export",
    "features",
    "losses",
    "measuring",
    "models",
    "networks",
    "optimizers",
    "priors",
    "results",
)
_NAMES = {
    "AdversarialModel": "game",
    "BiGANFeatures": "features",
    "NonFiniteLoss": "loop",
    "UserError": "errors",
}

__all__ = [*_MODULES, *_NAMES]


def __getattr__(name: str):
    # On first use, so that a script can say something before TensorFlow takes seconds to load.
    if name in _MODULES:
        return importlib.import_module(f"{__name__}.{name}")
    if name in _NAMES:
        return getattr(importlib.import_module(f"{__name__}.{_NAMES[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})


def _is_command() -> bool:
    """Whether Python is on its way to `python -m tf_bigan.COMMAND`, whose flags come first."""
    return sys.argv[:1] == ["-m"] and any(a.startswith("tf_bigan.") for a in sys.orig_argv)


if "keras" in sys.modules or not (os.environ.get("TF_BIGAN_LAZY") or _is_command()):
    # keras.saving.load_model must know the classes. The scripts, which answer a wrong flag before
    # TensorFlow's seconds of loading, say TF_BIGAN_LAZY.
    check_backend()
    importlib.import_module(f"{__name__}.models")
