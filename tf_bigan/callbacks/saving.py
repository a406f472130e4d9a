"""Saving a model whose weights are finite, atomically."""

import os

import numpy as np
import tensorflow as tf

from tf_bigan.atomic import atomically
from tf_bigan.core.model import AdversarialModel
from tf_bigan.errors import UserError


def save_model(model: AdversarialModel, path: str | os.PathLike) -> None:
    """Saves an `AdversarialModel` with its full state; `keras.saving.load_model` reads it.

    Args:
        model: a compiled model.
        path: a name that ends in ".keras". An existing file is replaced after a complete write.

    Raises:
        UserError: a weight or an optimizer's state is not finite, or the file cannot be written.
            An existing file is not changed.
    """
    average = [] if model.average is None else [model.average]
    optimizers = [model.optimizer_of(player) for player in model.players]
    for owner in (model, *average, *optimizers):
        for variable in owner.variables:
            floating = tf.as_dtype(variable.dtype).is_floating
            if floating and not np.isfinite(variable.numpy()).all():
                raise UserError(
                    f"{variable.path} is not finite after step {int(model.step.numpy())}: not "
                    f"saved as {os.fspath(path)}; go back to an earlier checkpoint and lower the "
                    "learning rate"
                )
    with atomically(path) as temporary:
        model.save(temporary)
