"""BiGAN: adversarial feature learning (Donahue, Krähenbühl & Darrell, ICLR 2017)."""

import keras

from tf_bigan.core.model import AdversarialModel, Moves
from tf_bigan.priors import Prior


@keras.saving.register_keras_serializable("tf_bigan")
class BiGAN(AdversarialModel):
    """An encoder and a generator that learn to invert each other by fooling one discriminator.

    D distinguishes pairs (x, E(x)) from pairs (G(z), z); E and G together oppose it (eq. 2):

        min_{G,E} max_D  E_x[log D(x, E(x))] + E_z[log(1 - D(G(z), z))]

    D minimises ½(softplus(-l(x, E(x))) + softplus(l(G(z), z))), E and G the same with swapped
    labels; both move in one simultaneous step, as in the official code.

    Networks: encoder x [B, H, W, C] -> z_hat [B, latent_dim]; generator z -> x in [0, 1];
    discriminator [x, z] -> logits [B, 1].

    Example:
        shape, latent_dim = (28, 28, 1), 16
        model = BiGAN(
            encoder=tb.networks.ConvEncoder(shape, latent_dim),
            generator=tb.networks.ConvGenerator(shape, latent_dim),
            discriminator=tb.networks.ConvDiscriminator(shape, latent_dim),
            prior=tb.priors.Normal(latent_dim),
        )
        model.compile(tb.optimizers.Adam(4e-4, beta_1=0.5), penalty="r1:gamma=0.2", ema=0.999)
        model.fit(images, batch_size=64, epochs=10)  # uint8 or float in [0, 1], [N, H, W, C]
        z = model.encode(images)  # [N, latent_dim]
    """

    players = {"D": ("discriminator",), "EG": ("encoder", "generator")}
    moves = (("D", "EG"),)

    def __init__(
        self,
        encoder: keras.Model,
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
            encoder=encoder,
            generator=generator,
            discriminator=discriminator,
        )

    def player_losses(self, batch, z, training):
        x = batch["image"]
        z_hat = self.encoder(x, training=training)
        x_fake = self.generator(z, training=training)
        logits_real, logits_fake = self.judge(
            self.discriminator, [x, z_hat], [x_fake, z], training=training
        )
        losses = {
            "D": 0.5 * self.adversarial_loss.discriminator(logits_real, logits_fake),
            "EG": 0.5 * self.adversarial_loss.encoder_generator(logits_real, logits_fake),
        }
        return losses, self.adversarial_loss.logs(logits_real, logits_fake)
