"""GAN: generative adversarial networks (Goodfellow et al. 2014; DCGAN: Radford et al. 2016)."""

import keras

from tf_bigan.core.model import AdversarialModel, Moves
from tf_bigan.priors import Prior


@keras.saving.register_keras_serializable("tf_bigan")
class GAN(AdversarialModel):
    """A generator that learns to fool a discriminator of images.

        min_G max_D  E_x[log D(x)] + E_z[log(1 - D(G(z)))]                              (eq. 1)

    D minimises softplus(-l(x)) + softplus(l(G(z))). G minimises softplus(-l(G(z))), which does not
    saturate (section 3); `compile(loss="minimax")` is eq. 1 itself. As in the usual DCGAN
    implementation D moves first, then G against the updated D with the same z;
    `moves=(("D", "G"),)` moves both at once.

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
        moves: Moves | None = None,
        name: str | None = None,
    ):
        super().__init__(
            prior,
            moves=moves,
            name=name,
            generator=generator,
            discriminator=discriminator,
        )

    @classmethod
    def make_networks(cls, make, latent_dim, classes):
        return {
            "generator": make("generator", latent_dim=latent_dim),
            "discriminator": make("image_discriminator"),
        }

    def player_losses(self, batch, z, training):
        x_fake = self.generator(z, training=training)
        logits_real, logits_fake = self.judge(
            self.discriminator, batch["image"], x_fake, training=training
        )
        losses = {
            "D": self.adversarial_loss.discriminator(logits_real, logits_fake),
            "G": self.adversarial_loss.generator(logits_real, logits_fake),
        }
        return losses, self.adversarial_loss.logs(logits_real, logits_fake)
