"""MAGAN: margin adaptation for generative adversarial networks (Wang et al. 2017)."""

import keras
import tensorflow as tf

from tf_bigan.constraints import Count
from tf_bigan.core.model import AdversarialModel, Moves
from tf_bigan.losses import squared_error
from tf_bigan.priors import Prior


@keras.saving.register_keras_serializable("tf_bigan")
class MAGAN(AdversarialModel):
    """EBGAN whose margin decreases with the energy of real images (Algorithm 1).

        D(x) = Σ (x - Dec(Enc(x)))²           over the pixels of an image
        L_D = D(x) + [m - D(G(z))]_+
        L_G = D(G(z))

    First D is pretrained on real images, while G is not trained; then m is the mean D(x) of the
    last period. After each further period, with X and Z the means of D(x) and D(G(z)) in it:

        m <- X   if  X < m,  X < Z,  and Z is larger than in the period before

    D moves first, then G with a new z. Adam replaces the paper's AdaMax.

    Hyperparameters:
        period: steps between updates of the margin; train.py uses an epoch, as in the paper.
        pretraining: periods in which only D learns: the paper's two; train.py uses one. A decaying
            learning rate of G starts after them, so that it does not reach its final value within
            the run.

    Networks: generator z [B, latent_dim] -> x [B, H, W, C] in [0, 1]; discriminator, an autoencoder
    x -> x whose code has latent_dim units.
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
        period: Count = 500,
        pretraining: Count = 2,
        moves: Moves | None = None,
        name: str | None = None,
    ):
        super().__init__(
            prior,
            moves=moves,
            name=name,
            generator=generator,
            discriminator=discriminator,
            period=period,
            pretraining=pretraining,
        )
        # The margin, the sums of this period, and Z of the period before (0 if there was none).
        self.margin, self.sum_real, self.sum_fake, self.fake_before = (
            self.add_weight(name=name, shape=(), initializer="zeros", trainable=False)
            for name in ("margin", "sum_real", "sum_fake", "fake_before")
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
        energy_real, energy_fake = self.judge(self._energy, x, x_fake, training=training)
        hinge = tf.nn.relu(self.margin - energy_fake)  # 0 while the margin is 0
        losses = {
            "D": tf.reduce_mean(energy_real + hinge),
            "G": tf.reduce_mean(energy_fake),
        }
        return losses, {
            "energy_real": energy_real,
            "energy_fake": energy_fake,
            "margin": self.margin,
        }

    def _energy(self, x, training):
        """‖x - D(x)‖², [B]."""
        return squared_error(x, self.discriminator(x, training=training))

    def is_active(self, player):
        """G is inactive while D is pretrained."""
        return player == "D" or self.step.value >= self.period * self.pretraining

    def adapt(self, logs):
        sum_real, sum_fake = (
            self.sum_real + logs["energy_real"],
            self.sum_fake + logs["energy_fake"],
        )
        steps = self.step.value + 1
        ends, number = tf.equal(steps % self.period, 0), steps // self.period
        real, fake = sum_real / self.period, sum_fake / self.period
        first = tf.equal(number, self.pretraining)
        rose = (self.fake_before > 0) & (fake > self.fake_before)
        falls = rose & (real < fake) & (real < self.margin)
        self.margin.assign(tf.where(ends & (first | falls), real, self.margin))
        alone = number <= self.pretraining
        before = tf.where(ends, tf.where(alone, 0.0, fake), self.fake_before)
        self.fake_before.assign(before)
        self.sum_real.assign(tf.where(ends, 0.0, sum_real))
        self.sum_fake.assign(tf.where(ends, 0.0, sum_fake))
        # Adam's bias correction must start with G's first move, not count its zero gradients.
        optimizer = self.optimizer_of("G")
        # Not `iterations`, which is no variable if gradients are accumulated.
        moves = getattr(optimizer, "inner_optimizer", optimizer)._iterations
        moves.assign(tf.where(self.is_active("G"), moves.value, tf.zeros_like(moves.value)))
