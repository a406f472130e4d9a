"""The base of the callbacks that do something every few epochs."""

import keras


class Periodic(keras.callbacks.Callback):
    """Calls `run(epoch, logs)` after every `every`-th epoch, the last, and before the first step.

    Before the first step is epoch 0. An epoch that was broken off does not count: a resumed run
    will finish it. Of several workers only the chief calls it.

    Raises:
        ValueError: `every` is below 1.
    """

    chief_only = True

    def __init__(self, every: int = 1):
        super().__init__()
        if every < 1:
            raise ValueError(f"every must be at least 1 epoch, not {every}")
        self.every = every
        self._steps_done = 0

    def run(self, epoch: int, logs: dict):
        """What to do when `epoch` epochs are done; values put into `logs` reach later callbacks."""
        raise NotImplementedError

    def on_train_begin(self, logs=None):
        if int(self.model.step.numpy()) == 0:
            self.run(0, logs)

    def on_train_batch_end(self, batch, logs=None):
        self._steps_done = batch + 1

    def on_epoch_end(self, epoch, logs=None):
        due = (epoch + 1) % self.every == 0 or epoch + 1 == self.params["epochs"]
        if due and self._steps_done == self.params["steps"]:
            self.run(epoch + 1, logs)
