"""BiGAN: adversarial feature learning (Donahue, Krähenbühl & Darrell, ICLR 2017)."""

import keras

from tf_bigan.core.model import AdversarialModel
from tf_bigan.losses import discriminator_loss, inverted_loss, verdicts
from tf_bigan.networks.normalization import discriminate


@keras.saving.register_keras_serializable("tf_bigan")
class BiGAN(AdversarialModel):
    """An encoder and a generator that learn to invert each other by fooling one discriminator.

    D tells pairs (x, E(x)) from pairs (G(z), z); E and G together do the reverse (eq. 2):

        min_{G,E} max_D  E_x[log D(x, E(x))] + E_z[log(1 - D(G(z), z))]

    D minimises ½(softplus(-l(x, E(x))) + softplus(l(G(z), z))), E and G the same with the labels
    exchanged; both move in one simultaneous step, as in the official code.

    Networks: encoder x [B, H, W, C] -> z_hat [B, latent]; generator z -> x in [0, 1];
    discriminator [x, z] -> logits [B, 1].
    """

    players = {"D": ("discriminator",), "EG": ("encoder", "generator")}
    schedule = (("D", "EG"),)

    def player_losses(self, batch, z, training):
        x = batch["image"]
        z_hat = self.encoder(x, training=training)
        x_fake = self.generator(z, training=training)
        logits_real, logits_fake = discriminate(
            self.discriminator, [x, z_hat], [x_fake, z], training=training
        )
        losses = {
            "D": discriminator_loss(logits_real, logits_fake),
            "EG": inverted_loss(logits_real, logits_fake),
        }
        return losses, verdicts(logits_real, logits_fake)
