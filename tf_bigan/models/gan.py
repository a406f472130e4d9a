"""GAN: generative adversarial networks (Goodfellow et al. 2014; DCGAN: Radford et al. 2016)."""

import keras
import tensorflow as tf

from tf_bigan.core.model import AdversarialModel
from tf_bigan.losses import verdicts
from tf_bigan.networks.normalization import discriminate


@keras.saving.register_keras_serializable("tf_bigan")
class GAN(AdversarialModel):
    """A generator that learns to fool a discriminator of images.

        min_G max_D  E_x[log D(x)] + E_z[log(1 - D(G(z)))]                              (eq. 1)

    D minimises softplus(-l(x)) + softplus(l(G(z))). G minimises softplus(-l(G(z))), which does not
    saturate (section 3), or with `minimax=True` -softplus(l(G(z))), the game of eq. 1. As in the
    usual DCGAN program D moves first and G after it, against the new D with the same z;
    `schedule=(("D", "G"),)` moves both at once.

    Hyperparameters:
        minimax: whether G minimises what D maximises.
        smoothing: how far the labels of real images, for D and for G, lie below 1.

    Networks: generator z [B, latent] -> x [B, H, W, C] in [0, 1]; discriminator x -> logits [B, 1].
    """

    players = {"D": ("discriminator",), "G": ("generator",)}
    schedule = (("D",), ("G",))
    fresh_z = False
    hyperparameters = {"minimax": False, "smoothing": 0.0}
    limits = {"smoothing": "[0, 1)"}

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
        return losses, verdicts(logits_real, logits_fake)

    def _cross_entropy(self, logits):
        """That of σ(logits) and the label 1 - smoothing: softplus(-l) + smoothing·l, the mean."""
        return tf.reduce_mean(tf.nn.softplus(-logits) + self.smoothing * logits)
