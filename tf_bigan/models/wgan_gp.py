"""WGAN-GP: improved training of Wasserstein GANs (Gulrajani et al., NeurIPS 2017)."""

import keras
import tensorflow as tf

from tf_bigan.constraints import NonNegative
from tf_bigan.core.model import AdversarialModel, Moves
from tf_bigan.networks.normalization import discriminate
from tf_bigan.priors import Prior

# The norm has no derivative at 0, where a critic with zero last weights starts.
_EPSILON = 1e-12


@keras.saving.register_keras_serializable("tf_bigan")
class WGANGP(AdversarialModel):
    """A generator against a critic with a gradient penalty, instead of a classifier.

    The critic's mean difference between real and generated images estimates their Wasserstein
    distance if the critic is 1-Lipschitz. D minimises (eq. 3)

        E_z[D(G(z))] - E_x[D(x)] + λ E[(‖∇D(x̂)‖₂ - 1)²],    x̂ = t·x + (1 - t)·G(z), t ~ U(0, 1),

    and G minimises -E_z[D(G(z))]. As in algorithm 1 the critic moves five times, each time with
    new z and t, then G once; `moves` changes this. All moves of a step use the same images.

    Hyperparameters:
        penalty: λ.

    Networks: generator z [B, latent_dim] -> x [B, H, W, C] in [0, 1]; discriminator x -> scores
    [B, 1], without batch statistics, because the penalty is per image (section 4).
    """

    players = {"D": ("discriminator",), "G": ("generator",)}
    moves = (("D",),) * 5 + (("G",),)

    def __init__(
        self,
        generator: keras.Model,
        discriminator: keras.Model,
        prior: Prior,
        *,
        penalty: NonNegative = 10.0,
        moves: Moves | None = None,
        name: str | None = None,
    ):
        super().__init__(
            prior,
            moves=moves,
            name=name,
            generator=generator,
            discriminator=discriminator,
            penalty=penalty,
        )

    @classmethod
    def make_networks(cls, make, latent_dim, classes):
        return {
            "generator": make("generator", latent_dim=latent_dim),
            "discriminator": make("image_discriminator", norm="layer"),
        }

    def player_losses(self, batch, z, training):
        x = batch["image"]
        x_fake = self.generator(z, training=training)
        logits_real, logits_fake = discriminate(self.discriminator, x, x_fake, training=training)
        penalty = self.gradient_penalty(x, x_fake, training)
        distance = tf.reduce_mean(logits_real) - tf.reduce_mean(logits_fake)
        losses = {
            "D": self.penalty * penalty - distance,
            "G": -tf.reduce_mean(logits_fake),
        }
        return losses, {
            "logits_real": logits_real,
            "logits_fake": logits_fake,
            "distance": distance,
            "gradient_penalty": penalty,
        }

    def gradient_penalty(self, x, x_fake, training) -> tf.Tensor:
        """E[(‖∇D(x̂)‖₂ - 1)²], x̂ between x and x_fake, [B, H, W, C] each; a scalar."""
        t = self.random.uniform((1, 1, 1))
        x_hat = t * x + (1.0 - t) * x_fake
        with tf.GradientTape(watch_accessed_variables=False) as tape:
            tape.watch(x_hat)
            scores = self.discriminator(x_hat, training=training)
        slope = tape.gradient(scores, x_hat)
        norm = tf.sqrt(tf.reduce_sum(tf.square(slope), (1, 2, 3)) + _EPSILON)  # [B]
        return tf.reduce_mean(tf.square(norm - 1.0))
