"""The base class of the callbacks."""

import keras

from tf_bigan.core.model import AdversarialModel


class Callback(keras.callbacks.Callback):
    """A callback for `AdversarialModel.fit`.

    Class attributes:
        chief_only: whether only the chief of several workers calls it.
    """

    chief_only = True
    model: AdversarialModel
    params: dict

    @property
    def step(self) -> int:
        """The number of training steps that the model has made."""
        return int(self.model.step.numpy())
