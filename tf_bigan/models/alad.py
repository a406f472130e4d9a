"""ALAD: adversarially learned anomaly detection (Zenati et al., ICDM 2018)."""

import keras
import tensorflow as tf

from tf_bigan.core.model import AdversarialModel, Moves
from tf_bigan.networks.normalization import discriminate, unchanged_statistics
from tf_bigan.priors import Prior


@keras.saving.register_keras_serializable("tf_bigan")
class ALAD(AdversarialModel):
    """BiGAN with a cycle in x and one in z, each judged by a discriminator of pairs.

        D_xz tells  (x, E(x))  from  (G(z), z)
        D_xx tells  (x, x)     from  (x, G(E(x)))
        D_zz tells  (z, z)     from  (z, E(G(z)))

    With the logits l of real and of generated pairs, player D minimises the sum over the three of
    E[softplus(-l_real)] + E[softplus(l_fake)]; E and G together minimise it with swapped labels.
    D moves first, then E and G with a new z. The discriminators are spectrally normalised; in the
    paper E is so too.

    The anomaly score of x is ‖f(x, x) - f(x, G(E(x)))‖₁, where f is the last hidden layer of D_xx
    (`pair_features`).

    Networks: encoder x [B, H, W, C] -> z_hat [B, latent_dim]; generator z -> x in [0, 1];
    discriminator_xz [x, z], discriminator_xx of two images joined along channels [B, H, W, 2·C],
    discriminator_zz of two concatenated latents [B, 2·latent_dim] -> logits [B, 1].
    """

    players = {
        "D": ("discriminator_xz", "discriminator_xx", "discriminator_zz"),
        "EG": ("encoder", "generator"),
    }
    moves = (("D",), ("EG",))

    def __init__(
        self,
        encoder: keras.Model,
        generator: keras.Model,
        discriminator_xz: keras.Model,
        discriminator_xx: keras.Model,
        discriminator_zz: keras.Model,
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
            discriminator_xz=discriminator_xz,
            discriminator_xx=discriminator_xx,
            discriminator_zz=discriminator_zz,
        )

    @classmethod
    def make_networks(cls, make, latent_dim, classes):
        generator = make("generator", latent_dim=latent_dim)
        *size, channels = generator(tf.zeros((1, latent_dim))).shape[1:]
        pair = (*size, 2 * channels)
        return {
            "encoder": make("encoder", latent_dim=latent_dim),
            "generator": generator,
            "discriminator_xz": make("discriminator", latent_dim=latent_dim, norm="spectral"),
            "discriminator_xx": make("image_discriminator", image_shape=pair, norm="spectral"),
            "discriminator_zz": make("perceptron", inputs=2 * latent_dim, norm="spectral"),
        }

    def player_losses(self, batch, z, training):
        x = batch["image"]
        x_fake = self.generator(z, training=training)
        z_hat, z_rec = discriminate(self.encoder, x, x_fake, training=training)
        with unchanged_statistics(self.generator):  # keep the statistics of samples
            x_rec = self.generator(z_hat, training=training)
        pairs = {
            "xz": (self.discriminator_xz, [x, z_hat], [x_fake, z]),
            "xx": (self.discriminator_xx, _pair(x, x), _pair(x, x_rec)),
            "zz": (self.discriminator_zz, _pair(z, z), _pair(z, z_rec)),
        }
        logits = {name: self.judge(*pair, training=training) for name, pair in pairs.items()}
        loss = self.adversarial_loss
        losses = {
            "D": tf.add_n([loss.discriminator(*pair) for pair in logits.values()]),
            "EG": tf.add_n([loss.encoder_generator(*pair) for pair in logits.values()]),
        }
        logs = {f"logits_real_{name}": real for name, (real, _) in logits.items()}
        logs |= {f"logits_fake_{name}": fake for name, (_, fake) in logits.items()}
        real, fake = loss.margins(*logits["xz"])
        return losses, logs | {"accuracy_real": real > 0, "accuracy_fake": fake < 0}

    def pair_features(self, x, x_rec, training=False) -> tf.Tensor:
        """D_xx's last hidden layer for pairs of images [B, H, W, C]: [B, F]."""
        return self.discriminator_xx.features(_pair(x, x_rec), training)


def _pair(a: tf.Tensor, b: tf.Tensor) -> tf.Tensor:
    """Joins two images along channels, or two latents."""
    return tf.concat([a, tf.cast(b, a.dtype)], -1)
