"""A variational autoencoder with VAE-GAN's networks, the baseline of VAE-GAN."""

import keras
import tensorflow as tf

from tf_bigan.losses import squared_error
from tf_bigan.models.vae_gan import VAEGAN, kl_from_standard_normal


@keras.saving.register_keras_serializable("claims")
class VAE(VAEGAN):
    """Encoder and decoder together minimise KL(q(z | x) | N(0, I)) + ½ Σ (x - x_rec)² / σ².

    A Gaussian likelihood of pixels (Kingma & Welling 2014); the discriminator never moves.
    """

    moves = (("E", "G"),)

    def player_losses(self, batch, z, training):
        x = batch["image"]
        mean, log_sigma = self.encoder.distribution(x, training=training)
        z_hat = mean + tf.exp(log_sigma) * self.random.normal((self.prior.dim,))
        x_rec = self.generator(z_hat, training=training)
        reconstruction = 0.5 * tf.reduce_mean(squared_error(x, x_rec)) / self.sigma**2
        divergence = tf.reduce_mean(kl_from_standard_normal(mean, log_sigma))
        bound = reconstruction + divergence
        losses = {"E": bound, "G": bound, "D": tf.zeros(())}
        return losses, {"reconstruction": reconstruction, "kl": divergence}
