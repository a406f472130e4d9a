"""The base class of the callbacks."""

import keras

from tf_bigan.core.model import AdversarialModel


class Callback(keras.callbacks.Callback):
    """A callback for `AdversarialModel.fit`.

    Class attributes:
        chief_only: whether it runs only on the chief if there are several workers.
    """

    chief_only = True
    model: AdversarialModel
    params: dict

    @property
    def step(self) -> int:
        """The number of training steps of the model so far."""
        return int(self.model.step.numpy())
