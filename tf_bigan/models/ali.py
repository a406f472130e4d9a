"""ALI: adversarially learned inference (Dumoulin et al., ICLR 2017)."""

import keras
import tensorflow as tf

from tf_bigan.core.model import AdversarialModel, Moves
from tf_bigan.priors import Prior


@keras.saving.register_keras_serializable("tf_bigan")
class ALI(AdversarialModel):
    """BiGAN with a stochastic encoder: z_hat = μ(x) + exp(log σ(x))·ε, ε ~ N(0, I).

    With the logits l of pairs, D and E with G minimise (algorithm 1)

        D:   E_x[softplus(-l(x, z_hat))] + E_z[softplus(l(G(z), z))]
        EG:  E_x[softplus(l(x, z_hat))] + E_z[softplus(-l(G(z), z))]

    in one simultaneous step. As in the official code, D gets real and generated pairs in one batch,
    so that its batch normalisation mixes both. `encode` gives the mean μ(x).

    Networks: encoder a `GaussianEncoder`, x [B, H, W, C] -> (μ, log σ), [B, latent_dim] each;
    generator z -> x in [0, 1]; discriminator [x, z] -> logits [B, 1].
    """

    players = {"D": ("discriminator",), "EG": ("encoder", "generator")}
    moves = (("D", "EG"),)
    network_methods = {"encoder": "distribution"}

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

    @classmethod
    def make_networks(cls, make, latent_dim, classes):
        return {
            "encoder": make("gaussian_encoder", latent_dim=latent_dim),
            "generator": make("generator", latent_dim=latent_dim),
            "discriminator": make("discriminator", latent_dim=latent_dim),
        }

    def player_losses(self, batch, z, training):
        x = batch["image"]
        z_hat = self.infer(x, training)
        x_fake = self.generator(z, training=training)
        return self.pair_losses([x, z_hat], [x_fake, z], training)

    def infer(self, x, training) -> tf.Tensor:
        """A reparametrised draw from q(z | x) for each image, [B, latent_dim]."""
        mean, log_sigma = self.encoder.distribution(x, training)
        return mean + tf.exp(log_sigma) * self.random.normal((self.prior.dim,))

    def pair_losses(self, real, fake, training):
        """(losses, logs) for real pairs [x, z_hat] and generated pairs [G(z), z]."""
        logits_real, logits_fake = self.judge(
            self.discriminator, real, fake, training=training, jointly=True
        )
        losses = {
            "D": self.adversarial_loss.discriminator(logits_real, logits_fake),
            "EG": self.adversarial_loss.encoder_generator(logits_real, logits_fake),
        }
        return losses, self.adversarial_loss.logs(logits_real, logits_fake)
