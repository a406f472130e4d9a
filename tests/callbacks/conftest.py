import keras
import numpy as np
import pytest

import tf_bigan as tb
from tests.small import IMAGE_SHAPE, LATENT, as_it_was, make_plain, state_of

STEPS = 4


def make_model(**compile_arguments):
    keras.utils.set_random_seed(0)
    sizes = {"image_shape": IMAGE_SHAPE, "latent_dim": LATENT, "width": 16}
    model = tb.models.BiGAN(
        encoder=tb.networks.MLPEncoder(**sizes),
        generator=tb.networks.MLPGenerator(**sizes),
        discriminator=tb.networks.MLPDiscriminator(**sizes),
        prior=tb.priors.Uniform(LATENT),
    )
    model.compile(**{"jit_compile": False, "steps_per_execution": 2} | compile_arguments)
    return model


@pytest.fixture(scope="session")
def new_model():
    """A function that makes tiny compiled BiGANs with the same weights."""
    return make_model


@pytest.fixture(scope="session")
def built():
    """(a compiled BiGAN of plain networks, all its state when it was new)."""
    model = make_plain(steps_per_execution=2)
    return model, [v.numpy() for v in state_of(model)]


@pytest.fixture
def model(built):
    """The same one for all tests, always as it was new: most look at nothing but its step."""
    return as_it_was(*built)


@pytest.fixture(scope="session")
def built_averaged():
    """(one with batch normalisation and averaged weights, all its state when it was new)."""
    model = make_model(ema=0.9)
    return model, [v.numpy() for v in state_of(model)]


@pytest.fixture(scope="session")
def images():
    """64 images, float32 [64, 8, 8, 1] in [0, 1]."""
    return np.random.default_rng(0).random((64, *IMAGE_SHAPE)).astype(np.float32)


@pytest.fixture(scope="session")
def batches(images):
    """4 batches an epoch, a function of the step."""
    pixels = np.rint(images * 255).astype(np.uint8)
    return tb.data.ImageData("noise", pixels).batches(16, seed=0)


@pytest.fixture
def fit(batches):
    """Trains until the end of an epoch, beginning where the model stands."""

    def run(model, epochs, callbacks=(), **arguments):
        epoch, step = divmod(int(model.step.numpy()), STEPS)
        return model.fit(
            batches,
            epochs=epochs,
            initial_epoch=epoch,
            initial_step=step,
            verbose=0,
            callbacks=list(callbacks),
            **arguments,
        )

    return run


@pytest.fixture(scope="session")
def play():
    """What `fit` shows its callbacks, calls of 2 of 4 steps, without the training."""

    def run(model, epochs, callbacks=()):
        epoch, step = divmod(int(model.step.numpy()), STEPS)
        callbacks = keras.callbacks.CallbackList(
            list(callbacks), add_history=True, model=model, epochs=epochs, steps=STEPS
        )
        logs = {"loss_D": 0.5, "loss_EG": 1.5, "accuracy_real": 0.75, "accuracy_fake": 0.5}
        logs |= {"logits_real": 0.1, "logits_fake": -0.1}
        model.stop_training, model.steps_of_call = False, 2
        callbacks.on_train_begin()
        for number in range(epoch, epochs):
            callbacks.on_epoch_begin(number)
            for first in range(step, STEPS, 2):
                callbacks.on_train_batch_begin(first)
                model.step.assign_add(2)
                callbacks.on_train_batch_end(first + 1, logs)
                if model.stop_training:
                    break
            step = 0
            callbacks.on_epoch_end(number, logs)
            if model.stop_training:
                break
        callbacks.on_train_end()
        return model.history

    return run


class Logs(keras.callbacks.Callback):
    """Replaces values in the epochs' logs, and stops after a step of an epoch."""

    def __init__(self, by_epoch=None, stop_after_step=None):
        super().__init__()
        self.by_epoch, self.stop_after_step = by_epoch or {}, stop_after_step

    def on_train_batch_end(self, batch, logs=None):
        if self.stop_after_step is not None and batch + 1 >= self.stop_after_step:
            self.model.stop_training = True

    def on_epoch_end(self, epoch, logs=None):
        logs.update(self.by_epoch.get(epoch + 1, {}))


@pytest.fixture
def logs_of():
    return Logs


@pytest.fixture(autouse=True)
def all_eagerly(eagerly):
    """Callbacks see no difference."""
