"""VAE-GAN: autoencoding beyond pixels using a learned similarity metric (Larsen et al. 2016)."""

from typing import Literal

import keras
import tensorflow as tf

from tf_bigan import losses
from tf_bigan.constraints import NonNegative, Positive
from tf_bigan.core.model import AdversarialModel, Moves
from tf_bigan.errors import UserError
from tf_bigan.losses import Logistic, squared_error
from tf_bigan.networks.normalization import discriminate
from tf_bigan.priors import Normal, Prior


@keras.saving.register_keras_serializable("tf_bigan")
class VAEGAN(AdversarialModel):
    """A variational autoencoder whose decoder is a GAN's generator: three players, three losses.

        z̃ = μ(x) + σ(x) ε,   x_rec = G(z̃),   x_fake = G(z)
        E minimises  KL(q(z | x) | N(0, I)) + R                                 (eq. 5 and 7)
        G minimises  γ R + A,   A = -log D(x_fake) - log D(x_rec)
        D minimises  -log D(x) - log(1 - D(x_fake)) - log(1 - D(x_rec))

    with all losses from one pass, as in Algorithm 1. `kind` selects R and D:

        features     R = ½ Σ (D_l(x) - D_l(x_rec))² / σ² in D's last hidden layer (eq. 7, where σ
                     is 1); D's weights learn only from D's loss
        pixels       R = ½ Σ (x - x_rec)² / σ², the combination of a VAE and a GAN
        three_class  the same R; D has the classes real, generated and reconstructed, and minimises
                     the cross entropy of all three; D(x) in A is the probability of "real"

    A is the non-saturating form of the paper's -L_GAN.

    Hyperparameters:
        kind: as above.
        gamma: γ, the weight of reconstruction in G's loss.
        sigma: σ of a pixel, for the kinds that reconstruct pixels.
        feature_sigma: σ of a feature. With a penalty on D its features differ little, and against
            the divergence only a smaller σ lets z keep what there is to see in x.

    Networks: encoder, a GaussianEncoder x -> (μ, log σ); generator z [B, latent_dim] ->
    x [B, H, W, C] in [0, 1]; discriminator x -> logits [B, 3] through `features` and `head`; with
    two classes only the first logit is used.
    """

    players = {"E": ("encoder",), "G": ("generator",), "D": ("discriminator",)}
    moves = (("E", "G", "D"),)
    network_methods = {"encoder": "distribution", "discriminator": "features"}

    def __init__(
        self,
        encoder: keras.Model,
        generator: keras.Model,
        discriminator: keras.Model,
        prior: Prior,
        *,
        kind: Literal["features", "pixels", "three_class"] = "features",
        gamma: NonNegative = 0.01,
        sigma: Positive = 0.15,
        feature_sigma: Positive = 1.0,
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
            kind=kind,
            gamma=gamma,
            sigma=sigma,
            feature_sigma=feature_sigma,
        )

    @classmethod
    def check_options(cls, prior, *, kind="features", loss=None, **options):
        super().check_options(prior, kind=kind, loss=loss, **options)
        if not isinstance(prior, Normal):
            raise UserError("vae_gan measures the divergence from a Gaussian: use prior=normal")
        chosen = losses.get(loss or str(cls.default_loss))
        if kind == "three_class" and (type(chosen) is not Logistic or chosen.label_smoothing):
            raise UserError(
                "vae_gan: with kind=three_class D has a loss of its own: use loss=logistic"
            )

    @classmethod
    def make_networks(cls, make, latent_dim, classes):
        return {
            "encoder": make("gaussian_encoder", latent_dim=latent_dim),
            "generator": make("generator", latent_dim=latent_dim),
            "discriminator": make("image_discriminator", outputs=3),
        }

    def player_losses(self, batch, z, training):
        x = batch["image"]
        mean, log_sigma = self.encoder.distribution(x, training=training)
        z_hat = mean + tf.exp(log_sigma) * self.random.normal((self.prior.dim,))
        x_fake, x_rec = discriminate(self.generator, z, z_hat, training=training)
        # One set of batch statistics for all three, as in the official code: with separate ones a
        # D without biases cannot see contrast.
        judged = self.judge(self._judgement, x, x_fake, x_rec, training=training, jointly=True)
        (logits_real, logits_fake, logits_rec), classes, features = zip(*judged, strict=True)
        if self.kind == "features":
            error, sigma = squared_error(features[0], features[2]), self.feature_sigma
        else:
            error, sigma = squared_error(x, x_rec), self.sigma
        reconstruction = 0.5 * tf.reduce_mean(error) / sigma**2
        fooled = self.adversarial_loss.generator(logits_real, logits_fake, logits_rec)
        divergence = tf.reduce_mean(kl_from_standard_normal(mean, log_sigma))
        losses = {
            "E": divergence + reconstruction,
            "G": self.gamma * reconstruction + fooled,
            "D": self._discriminator_loss(classes, logits_real, logits_fake, logits_rec),
        }
        return losses, self.adversarial_loss.logs(logits_real, logits_fake) | {
            "logits_rec": logits_rec,
            "reconstruction": reconstruction,
            "kl": divergence,
        }

    def _judgement(self, x, training):
        """log D / (1 - D) [B], the logits [B, 3], the last hidden layer [B, F]."""
        features = self.discriminator.features(x, training=training)
        logits = self.discriminator.head(features)
        real = logits[:, 0]
        if self.kind == "three_class":
            real -= tf.reduce_logsumexp(logits[:, 1:], -1)
        return real, logits, features

    def _discriminator_loss(self, classes, real, fake, rec):
        if self.kind == "three_class":  # Σ over the three groups of -log p(group)
            return -sum(tf.reduce_mean(tf.nn.log_softmax(c)[:, i]) for i, c in enumerate(classes))
        return self.adversarial_loss.discriminator(real, fake, rec)


def kl_from_standard_normal(mean: tf.Tensor, log_sigma: tf.Tensor) -> tf.Tensor:
    """KL(N(μ, σ²) | N(0, I)) = ½ Σ (μ² + σ² - 1 - 2 log σ), [B, latent_dim] twice -> [B]."""
    terms = mean**2 + tf.exp(2.0 * log_sigma) - 1.0 - 2.0 * log_sigma
    return 0.5 * tf.reduce_sum(terms, -1)
