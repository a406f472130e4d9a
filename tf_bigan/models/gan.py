"""GAN: generative adversarial networks (Goodfellow et al. 2014; DCGAN: Radford et al. 2016)."""

import keras
import tensorflow as tf

from tf_bigan.constraints import Rate
from tf_bigan.core.model import AdversarialModel, Moves
from tf_bigan.losses import discriminator_logs
from tf_bigan.networks.normalization import discriminate
from tf_bigan.priors import Prior


@keras.saving.register_keras_serializable("tf_bigan")
class GAN(AdversarialModel):
    """A generator that learns to fool a discriminator of images.

        min_G max_D  E_x[log D(x)] + E_z[log(1 - D(G(z)))]                              (eq. 1)

    D minimises softplus(-l(x)) + softplus(l(G(z))). G minimises softplus(-l(G(z))), which does not
    saturate (section 3), or with `minimax=True` -softplus(l(G(z))), as in eq. 1. As in the usual
    DCGAN implementation D moves first, then G against the updated D with the same z;
    `moves=(("D", "G"),)` moves both at once.

    Hyperparameters:
        minimax: whether G minimises what D maximises.
        label_smoothing: one-sided label smoothing s: the label of "real", for D and G, is 1 - s.

    Networks: generator z [B, latent_dim] -> x [B, H, W, C] in [0, 1]; discriminator x -> logits
    [B, 1].
    """

    players = {"D": ("discriminator",), "G": ("generator",)}
    moves = (("D",), ("G",))
    fresh_z = False

    def __init__(
        self,
        generator: keras.Model,
        discriminator: keras.Model,
        prior: Prior,
        *,
        minimax: bool = False,
        label_smoothing: Rate = 0.0,
        moves: Moves | None = None,
        name: str | None = None,
    ):
        super().__init__(
            prior,
            moves=moves,
            name=name,
            generator=generator,
            discriminator=discriminator,
            minimax=minimax,
            label_smoothing=label_smoothing,
        )

    @classmethod
    def make_networks(cls, make, latent_dim, classes):
        return {
            "generator": make("generator", latent_dim=latent_dim),
            "discriminator": make("image_discriminator"),
        }

    def player_losses(self, batch, z, training):
        x_fake = self.generator(z, training=training)
        logits_real, logits_fake = discriminate(
            self.discriminator, batch["image"], x_fake, training=training
        )
        real = self._cross_entropy(logits_real)
        fake = tf.reduce_mean(tf.nn.softplus(logits_fake))
        losses = {
            "D": real + fake,
            "G": -fake if self.minimax else self._cross_entropy(logits_fake),
        }
        return losses, discriminator_logs(logits_real, logits_fake)

    def _cross_entropy(self, logits):
        """Cross entropy with the label 1 - s, s = label_smoothing: mean of softplus(-l) + s·l."""
        return tf.reduce_mean(tf.nn.softplus(-logits) + self.label_smoothing * logits)
