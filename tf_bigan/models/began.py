"""BEGAN: boundary equilibrium generative adversarial networks (Berthelot et al. 2017)."""

import keras
import tensorflow as tf

from tf_bigan.constraints import Count, Fraction, NonNegative
from tf_bigan.core.model import AdversarialModel, Moves
from tf_bigan.priors import Prior


@keras.saving.register_keras_serializable("tf_bigan")
class BEGAN(AdversarialModel):
    """An autoencoding discriminator, kept in balance with the generator (section 3.4).

        L(v) = mean |v - D(v)|                over the pixels of an image
        L_D = L(x) - k L(G(z))
        L_G = L(G(z))
        k <- min(max(k + λ (γ L(x) - L(G(z))), 0), 1),   k = 0 at first
        M = L(x) + |γ L(x) - L(G(z))|         the convergence measure, logged as m_global

    Both move at once. The learning rates are halved every `halve_every` steps down to
    `lowest_rate`, unless the optimisers use a schedule.

    Hyperparameters:
        gamma: γ, the diversity ratio: the target of L(G(z)) / L(x).
        lambda_k: λ, the learning rate of k. The paper's .001 is for images in [-1, 1]. In [0, 1]
            both errors are half as large, and .002 moves k as far.
        halve_every: number of steps between two halvings of the learning rates.
        lowest_rate: lower bound of the learning rates.

    Networks: generator z [B, latent_dim] -> x [B, H, W, C] in [0, 1]; discriminator, an autoencoder
    x -> x with a code of latent_dim units.
    """

    players = {"D": ("discriminator",), "G": ("generator",)}
    moves = (("D", "G"),)
    default_loss = None

    def __init__(
        self,
        generator: keras.Model,
        discriminator: keras.Model,
        prior: Prior,
        *,
        gamma: Fraction = 0.5,
        lambda_k: NonNegative = 0.002,
        halve_every: Count = 100_000,
        lowest_rate: NonNegative = 2e-5,
        moves: Moves | None = None,
        name: str | None = None,
    ):
        super().__init__(
            prior,
            moves=moves,
            name=name,
            generator=generator,
            discriminator=discriminator,
            gamma=gamma,
            lambda_k=lambda_k,
            halve_every=halve_every,
            lowest_rate=lowest_rate,
        )
        self.k = self.add_weight(name="k", shape=(), initializer="zeros", trainable=False)

    @classmethod
    def make_networks(cls, make, latent_dim, classes):
        return {
            "generator": make("generator", latent_dim=latent_dim),
            "discriminator": make("autoencoder", latent_dim=latent_dim),
        }

    def player_losses(self, batch, z, training):
        x = batch["image"]
        x_fake = self.generator(z, training=training)
        energies = self.judge(self._energy, x, x_fake, training=training)
        loss_real, loss_fake = (tf.reduce_mean(energy) for energy in energies)
        losses = {"D": loss_real - self.k * loss_fake, "G": loss_fake}
        return losses, {
            "loss_real": loss_real,
            "loss_fake": loss_fake,
            "m_global": loss_real + tf.abs(self.gamma * loss_real - loss_fake),
            "k": self.k,
        }

    def _energy(self, x, training):
        """L(x), the mean of |x - D(x)| over the pixels of each image, [B]."""
        x_rec = tf.cast(self.discriminator(x, training=training), tf.float32)
        return tf.reduce_mean(tf.abs(tf.cast(x, tf.float32) - x_rec), (1, 2, 3))

    def adapt(self, logs):
        balance = self.gamma * logs["loss_real"] - logs["loss_fake"]
        self.k.assign(tf.clip_by_value(self.k + self.lambda_k * balance, 0.0, 1.0))
        due = tf.equal((self.step.value + 1) % self.halve_every, 0)
        for rate in (self.optimizer_of(player).learning_rate for player in self.players):
            if isinstance(rate, keras.Variable):  # not a schedule
                halved = tf.maximum(rate / 2, tf.minimum(rate, self.lowest_rate))
                rate.assign(tf.where(due, halved, rate))
