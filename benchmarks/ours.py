"""tf_bigan's side of the comparison."""

import time
from collections.abc import Callable

import keras
import numpy as np
import tensorflow as tf

import tf_bigan as tb
from benchmarks.setting import ADAM, Setting
from tf_bigan.core import hardware
from tf_bigan.data.pipeline import ArrayBatches

ROLES = ("generator", "encoder", "discriminator")


def make(
    setting: Setting, precision: str = "float32", xla: bool = False, penalty: str = "none"
) -> tb.models.BiGAN:
    """The compiled model of a setting."""
    sizes = {
        "image_shape": setting.image_shape,
        "latent_dim": setting.latent,
        "width": setting.width,
    }
    hidden = {"hidden": setting.hidden}
    others = {
        "dcgan": {"discriminator": hidden},
        # The uniform prior of all settings needs the squashing.
        "conv": {"encoder": hidden | {"squash": True}, "discriminator": hidden},
    }.get(setting.networks, {})
    networks = {
        role: tb.networks.make(
            setting.networks, role, **sizes, **others.get(role, {}), dtype=precision
        )
        for role in ROLES
    }
    model = tb.models.BiGAN(prior=tb.priors.Uniform(setting.latent), **networks)
    model.compile(tb.optimizers.Adam(**ADAM), penalty=penalty, jit_compile=xla)
    return model


def mode(setting: Setting, precision: str = "auto") -> tuple[str, bool, str]:
    """(dtype policy, whether to use XLA, reason) that tf_bigan chooses for a setting."""
    model = make(setting)
    return hardware.choose(precision, networks=[getattr(model, role) for role in ROLES])


def weights(model) -> dict[str, list[keras.Variable]]:
    """{role: trainable variables}, sorted by kind (beta, bias, gamma, kernel), then by layer.

    The interleaving of different kinds differs between libraries and authors.
    """
    return {
        role: sorted(getattr(model, role).trainable_variables, key=lambda v: v.name)
        for role in ROLES
    }


def losses_and_gradients(model, x: np.ndarray, z: np.ndarray):
    """({"D": loss, "EG": loss}, {role: gradients as arrays}) of one training step, unapplied.

    x: float32 [B, H, W, C] in [0, 1].  z: float32 [B, latent].
    """
    batch = {"image": tf.constant(x)}
    gradients, logs = model.gradients(("D", "EG"), batch, tf.constant(z), tf.constant([0, 0, 0]))
    flat = {
        id(variable): gradient.numpy()
        for player in model.players
        for variable, gradient in zip(
            model.player_variables(player), gradients[player], strict=True
        )
    }
    by_role = {role: [flat[id(v)] for v in vs] for role, vs in weights(model).items()}
    return {player: float(logs[f"loss_{player}"]) for player in model.players}, by_role


class Variant:
    """`fit` on `tf_bigan.data`'s batches of an array in memory."""

    def __init__(
        self,
        setting: Setting,
        images: np.ndarray,
        precision: str,
        xla: bool,
        penalty: str = "none",
    ):
        self.model = make(setting, precision, xla, penalty)
        self.batches = ArrayBatches({"image": images}, setting.batch)

    def seconds_of(self, steps: int) -> float:
        """Seconds of `steps` steps of `fit`, after its start."""
        clock = FitClock()
        warm_up = self.model.steps_per_execution
        self.model.fit(self.batches, steps_per_epoch=warm_up + steps, verbose=0, callbacks=[clock])
        return clock.seconds_per_step() * steps


class Until(keras.callbacks.Callback):
    """Ends a `fit` when `after`, called with the number of steps after each call, returns True."""

    def __init__(self, after: Callable[[int], bool]):
        super().__init__()
        self.after = after

    def on_train_batch_end(self, batch, logs=None):
        if self.after(batch + 1):
            self.model.stop_training = True


class FitClock(keras.callbacks.Callback):
    """The time of a `fit` after its first call, which also opens the data."""

    def on_train_begin(self, logs=None):
        self.first = self.last = None

    def on_train_batch_end(self, batch, logs=None):
        self.last = (batch, time.perf_counter())
        self.first = self.first or self.last

    def seconds_per_step(self) -> float:
        (first, start), (last, end) = self.first, self.last
        return (end - start) / (last - first)
