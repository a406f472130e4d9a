"""MAGAN: margin adaptation for generative adversarial networks (Wang et al. 2017)."""

import keras
import tensorflow as tf

from tf_bigan.core.model import AdversarialModel
from tf_bigan.errors import UserError
from tf_bigan.losses import squared_error
from tf_bigan.networks.normalization import discriminate


@keras.saving.register_keras_serializable("tf_bigan")
class MAGAN(AdversarialModel):
    """EBGAN whose margin follows the energy of real images downwards (Algorithm 1).

        D(x) = Σ (x - Dec(Enc(x)))²           over the pixels of an image
        L_D = D(x) + [m - D(G(z))]_+
        L_G = D(G(z))

    At first D learns to encode real images, while G stands still; m is then the mean D(x) of the
    last period. After each further period, with X and Z the means of D(x) and D(G(z)) in it:

        m <- X   if  X < m,  X < Z,  and Z has risen since the period before

    D moves first, then G with a new z. Adam stands in for the paper's AdaMax.

    Hyperparameters:
        period: steps between two looks at the margin; train.py takes an epoch, as in the paper.
        pretraining: periods in which D learns alone. A falling learning rate of G begins after
            them, and is not at its end when the run is.

    Networks: generator z [B, latent] -> x [B, H, W, C] in [0, 1]; discriminator, an autoencoder
    x -> x whose code has as many entries as z.
    """

    players = {"D": ("discriminator",), "G": ("generator",)}
    schedule = (("D",), ("G",))
    hyperparameters = {"period": 500, "pretraining": 2}
    limits = {"period": "[1, inf)", "pretraining": "[1, inf)"}
    defaults = {"prior": "normal", "learning_rate": 5e-4}

    def __init__(self, **parts):
        super().__init__(**parts)
        # The margin, the sums of this period, and Z of the one before (0: there was none).
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

    @classmethod
    def settings_of_run(cls, settings, steps_per_epoch, epochs):
        settings = {"period": steps_per_epoch} | settings
        periods = settings.get("pretraining", cls.hyperparameters["pretraining"])
        alone = settings["period"] * periods
        if alone >= steps_per_epoch * epochs:
            raise UserError(
                f"magan: D learns alone for {alone:,} steps, and the run has no more than "
                f"{steps_per_epoch * epochs:,}: raise --epochs, or --set=period=N,pretraining=N"
            )
        return settings

    def player_losses(self, batch, z, training):
        x = batch["image"]
        x_fake = self.generator(z, training=training)
        x_rec, x_fake_rec = discriminate(self.discriminator, x, x_fake, training=training)
        energy_real, energy_fake = squared_error(x, x_rec), squared_error(x_fake, x_fake_rec)
        hinge = tf.nn.relu(self.margin - energy_fake)  # 0 as long as the margin is
        losses = {
            "D": tf.reduce_mean(energy_real + hinge),
            "G": self._plays() * tf.reduce_mean(energy_fake),
        }
        return losses, {
            "energy_real": energy_real,
            "energy_fake": energy_fake,
            "margin": self.margin,
        }

    def _plays(self) -> tf.Tensor:
        """1.0 if G moves in this step, else 0.0."""
        return tf.cast(self.step.value >= self.period * self.pretraining, tf.float32)

    def _regularization(self, player):
        loss = super()._regularization(player)  # by itself it would move G under Adam
        return self._plays() * loss if player == "G" else loss

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
        # Moments of zeros are no moments: Adam's bias correction begins with G's first move.
        moves = self.optimizer_of("G").iterations
        moves.assign(tf.where(self._plays() > 0, moves.value, tf.zeros_like(moves.value)))
