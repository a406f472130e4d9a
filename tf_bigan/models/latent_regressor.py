"""The latent regressor, a baseline of BiGAN (Donahue et al., ICLR 2017, section 4.1)."""

import keras
import tensorflow as tf

from tf_bigan.core.model import AdversarialModel, Moves
from tf_bigan.networks.normalization import discriminate
from tf_bigan.priors import Prior, Uniform


@keras.saving.register_keras_serializable("tf_bigan")
class LatentRegressor(AdversarialModel):
    """A GAN, and an encoder that learns to predict z from the samples G(z).

    D minimises ½(softplus(-l(x)) + softplus(l(G(z)))), G softplus(-l(G(z))), both means over the
    batch. With the logits e of E(G(z)), E minimises for the uniform prior on (-1, 1)

        mean of -t log σ(e) - (1 - t) log(1 - σ(e)),    t = (z + 1)/2,

    and for any other prior the mean of (e - z)², over the batch and the latent dimension. G does
    not see E's loss. All move in one simultaneous step, as in the official code.

    Networks: generator z [B, latent_dim] -> x [B, H, W, C] in [0, 1]; discriminator x -> logits
    [B, 1]; encoder x -> z_hat, whose `features` include the logits "e" of z_hat.
    """

    players = {"D": ("discriminator",), "G": ("generator",), "E": ("encoder",)}
    moves = (("D", "G", "E"),)
    network_methods = {"encoder": "features"}

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
            generator=generator,
            discriminator=discriminator,
            encoder=encoder,
        )

    @classmethod
    def make_networks(cls, make, latent_dim, classes):
        return {
            "generator": make("generator", latent_dim=latent_dim),
            "discriminator": make("image_discriminator"),
            "encoder": make("encoder", latent_dim=latent_dim, zero_init=True),
        }

    def player_losses(self, batch, z, training):
        x = batch["image"]
        x_fake = self.generator(z, training=training)
        logits_real, logits_fake = self.judge(self.discriminator, x, x_fake, training=training)
        # E sees x only for its batch statistics, because it will encode real images.
        _, features = discriminate(self.encoder.features, x, x_fake, training=training)
        losses = {
            "D": 0.5 * self.adversarial_loss.discriminator(logits_real, logits_fake),
            "G": self.adversarial_loss.generator(logits_real, logits_fake),
            "E": self.regression_loss(features["e"], z),
        }
        return losses, self.adversarial_loss.logs(logits_real, logits_fake)

    def regression_loss(self, logits, z) -> tf.Tensor:
        """The regression loss of E's logits [B, latent_dim] for z [B, latent_dim]: a scalar."""
        if isinstance(self.prior, Uniform):
            # The cross-entropy above is softplus(e) - t·e.
            return tf.reduce_mean(tf.nn.softplus(logits) - 0.5 * (z + 1.0) * logits)
        return tf.reduce_mean(tf.square(logits - z))
