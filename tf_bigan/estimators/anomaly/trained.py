"""Measurements of images with a trained system. Pickled as a .keras file."""

import importlib
import tempfile
from pathlib import Path
from typing import Any

import keras
import tensorflow as tf

from tf_bigan.core.model import AdversarialModel
from tf_bigan.errors import UserError
from tf_bigan.models.alad import ALAD
from tf_bigan.models.ali import ALI
from tf_bigan.models.bigan import BiGAN
from tf_bigan.models.cycle_bigan import CycleBiGAN

_OF_PAIRS = (BiGAN, CycleBiGAN, ALI)  # their `discriminator` is D(x, z)


class TrainedSystem(tf.Module):
    """A system with an encoder and a generator, and its measurements of images.

    Args:
        model: a trained system. The moving average of its weights is used if it has one.

    Raises:
        UserError: the system has no encoder or no generator.
    """

    def __init__(self, model: AdversarialModel):
        missing = [role for role in ("encoder", "generator") if not hasattr(model, role)]
        if missing:
            raise UserError(
                f"model: {type(model).__name__} has no {missing[0]}, which every score needs; "
                "use bigan, alice, alad or autoencoder, for example"
            )
        super().__init__()
        self.model = model

    def __getstate__(self) -> dict:
        with tempfile.TemporaryDirectory() as directory:
            path = Path(directory, "model.keras")
            self.model.save(path)
            return {"keras": path.read_bytes(), "module": type(self.model).__module__}

    def __setstate__(self, state: dict) -> None:
        importlib.import_module(state["module"])  # registers a system of the user's own
        with tempfile.TemporaryDirectory() as directory:
            path = Path(directory, "model.keras")
            path.write_bytes(state["keras"])
            model: Any = keras.saving.load_model(path)
            self.__init__(model)

    def measure(self, x: tf.Tensor) -> dict[str, tf.Tensor]:
        """Measures images, float32 [N, H, W, C] in [0, 1].

        Returns:
            float32 tensors by name, with x_rec = G(E(x)), D(x, z) with logits l and last hidden
            layer f:

            code            E(x), [N, latent_dim]
            size            Σ|x|, [N]
            reconstruction  Σ|x - x_rec|, [N]
            features        Σ|f(x, E(x)) - f(x_rec, E(x))|, [N], if the system has a D(x, z)
            cross_entropy   softplus(-l(x_rec, E(x))), [N], if the system has a D(x, z)
            pairs           Σ|f_xx(x, x) - f_xx(x, x_rec)|, [N], with D_xx of ALAD
        """
        return _measurements(self.model.inference_model(), x)


def _measurements(model: AdversarialModel, x: tf.Tensor) -> dict[str, tf.Tensor]:
    z_hat = model.encoder(x, training=False)
    x_rec = model.generator(z_hat, training=False)
    measured = {
        "code": z_hat,
        "size": _distance(x, tf.zeros_like(x)),
        "reconstruction": _distance(x, x_rec),
    }
    discriminator = _discriminator_of_pairs(model)
    if discriminator is not None:
        real = discriminator.features([x, z_hat], training=False)
        cycled = discriminator.features([x_rec, z_hat], training=False)
        logits = tf.reshape(discriminator.head(cycled), [-1])
        measured |= {
            "features": _distance(real, cycled),
            "cross_entropy": tf.nn.softplus(-logits),
        }
    if isinstance(model, ALAD):
        measured["pairs"] = _distance(model.pair_features(x, x), model.pair_features(x, x_rec))
    return {name: tf.cast(value, tf.float32) for name, value in measured.items()}


def _discriminator_of_pairs(model: AdversarialModel) -> keras.Model | None:
    """The system's D(x, z) with `features` and `head`; None if it has none."""
    if isinstance(model, ALAD):
        return model.discriminator_xz
    return model.discriminator if isinstance(model, _OF_PAIRS) else None


def _distance(a: tf.Tensor, b: tf.Tensor) -> tf.Tensor:
    """Σ|a - b| of each row, [B, ...] twice -> float32 [B]."""
    difference = tf.abs(tf.cast(a, tf.float32) - tf.cast(b, tf.float32))
    return tf.reduce_sum(difference, list(range(1, difference.shape.rank)))
