"""EBGAN: energy-based generative adversarial network (Zhao, Mathieu & LeCun, ICLR 2017)."""

import keras
import tensorflow as tf

from tf_bigan.constraints import NonNegative
from tf_bigan.core.model import AdversarialModel, Moves
from tf_bigan.losses import squared_error
from tf_bigan.priors import Prior


@keras.saving.register_keras_serializable("tf_bigan")
class EBGAN(AdversarialModel):
    """D is an autoencoder. Its reconstruction error is an energy, which is low on real images.

        D(x) = Σ (x - Dec(Enc(x)))²           over the pixels of an image
        L_D = D(x) + [m - D(G(z))]_+                                                    (eq. 1)
        L_G = D(G(z)) + weight · PT(Enc(G(z)))                                     (eq. 2, 4)
        PT(S) = 1 / (N (N - 1)) Σ_{i≠j} (S_i·S_j / |S_i||S_j|)²    the pulling-away term

    The pulling-away term makes the codes of generated images differ; only G minimises it. D moves
    first, then G with a new z.

    Hyperparameters:
        margin: m, in the units of D(x).
        pulling_away: the weight of PT; 0.1 is the paper's EBGAN-PT, 0 is EBGAN.

    Networks: generator z [B, latent_dim] -> x [B, H, W, C] in [0, 1]; discriminator, an autoencoder
    x -> x with `code_and_reconstruction`, with a code of latent_dim units.
    """

    players = {"D": ("discriminator",), "G": ("generator",)}
    moves = (("D",), ("G",))
    default_loss = None

    def __init__(
        self,
        generator: keras.Model,
        discriminator: keras.Model,
        prior: Prior,
        *,
        margin: NonNegative = 10.0,
        pulling_away: NonNegative = 0.1,
        moves: Moves | None = None,
        name: str | None = None,
    ):
        super().__init__(
            prior,
            moves=moves,
            name=name,
            generator=generator,
            discriminator=discriminator,
            margin=margin,
            pulling_away=pulling_away,
        )

    @classmethod
    def make_networks(cls, make, latent_dim, classes):
        return {
            "generator": make("generator", latent_dim=latent_dim),
            "discriminator": make("autoencoder", latent_dim=latent_dim),
        }

    def player_losses(self, batch, z, training):
        x = batch["image"]
        x_fake = self.generator(z, training=training)
        (energy_real, _), (energy_fake, code_fake) = self.judge(
            self._energy_and_code, x, x_fake, training=training
        )
        hinge = tf.nn.relu(self.margin - energy_fake)
        pulling_away = pulling_away_term(code_fake)
        losses = {
            "D": tf.reduce_mean(energy_real + hinge),
            "G": tf.reduce_mean(energy_fake) + self.pulling_away * pulling_away,
        }
        return losses, {
            "energy_real": energy_real,
            "energy_fake": energy_fake,
            "pulling_away": pulling_away,
        }

    def _energy_and_code(self, x, training):
        """‖x - Dec(Enc(x))‖² [B], and the code [B, code]."""
        code, x_rec = self.discriminator.code_and_reconstruction(x, training=training)
        return squared_error(x, x_rec), code


def pulling_away_term(codes: tf.Tensor) -> tf.Tensor:
    """PT, the mean squared cosine over pairs of different rows, in [0, 1]; codes [N, code].

    Each replica uses its own rows, so that the result depends on the number of replicas.
    """
    directions = tf.math.l2_normalize(codes, axis=-1)
    squares = tf.matmul(directions, directions, transpose_b=True) ** 2
    n = codes.shape[0]
    return (tf.reduce_sum(squares) - tf.linalg.trace(squares)) / max(n * (n - 1), 1)
