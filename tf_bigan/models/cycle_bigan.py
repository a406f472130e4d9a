"""BiGAN with a cycle, the deterministic case of ALICE (Li et al., NeurIPS 2017)."""

import keras
import tensorflow as tf

from tf_bigan.losses import discriminator_loss, inverted_loss, squared_error, verdicts
from tf_bigan.models.bigan import BiGAN
from tf_bigan.networks.normalization import discriminate


@keras.saving.register_keras_serializable("tf_bigan")
class CycleBiGAN(BiGAN):
    """BiGAN whose E and G also answer for what becomes of an image, and of a z, on the way back.

    D's game alone makes E and G inverses of each other at its optimum; on the way there a pair may
    look right and belong to two different images. Li et al. (section 3) bound the entropy of
    x given z by a reconstruction error. With a deterministic E, the loss of E and G is BiGAN's plus

        λ E_x[Σ (x - G(E(x ⊙ m)))²] + λ_z E_z[Σ (z - E(G(z)))²].

    The mask m hides pixels, each with a probability of `hidden`, from E alone and on this way alone
    (denoising autoencoders, Vincent et al., ICML 2008): what is next to x is to have a z next to
    E(x). D sees pairs of whole images.

    Hyperparameters:
        cycle: λ, of the images' way there and back.
        latent_cycle: λ_z, of the way of z; 0 leaves it out.
        hidden: the share of pixels that E does not see on the way there; 0 leaves m out.

    Networks: those of BiGAN.
    """

    hyperparameters = {"cycle": 0.02, "latent_cycle": 0.0, "hidden": 0.0}
    limits = {"hidden": "[0, 1)"}

    def player_losses(self, batch, z, training):
        x = batch["image"]
        z_hat, z_there, z_back = self._encode(x, z, training)
        # The draws first: their rows are those whose statistics G keeps for generating.
        x_fake, x_rec = discriminate(self.generator, z, z_there, training=training)
        logits_real, logits_fake = discriminate(
            self.discriminator, [x, z_hat], [x_fake, z], training=training
        )
        error = tf.reduce_mean(squared_error(x, x_rec))
        losses = {
            "D": discriminator_loss(logits_real, logits_fake),
            "EG": inverted_loss(logits_real, logits_fake) + self.cycle * error,
        }
        logs = verdicts(logits_real, logits_fake) | {
            "reconstruction": error,
        }
        if self.latent_cycle:
            latent_error = tf.reduce_mean(squared_error(z, z_back))
            losses["EG"] += self.latent_cycle * latent_error
            logs["latent_reconstruction"] = latent_error
        return losses, logs

    def _encode(self, x, z, training):
        """E(x) for D, what the way back to x begins at, and E(G(z)), or None where it is not asked.

        All in one batch with x first, whose statistics E keeps.
        """
        groups = [x]
        if self.hidden:
            seen = self.random.uniform(x.shape[1:]) >= self.hidden
            groups.append(tf.where(seen, x, tf.zeros_like(x)))
        if self.latent_cycle:
            groups.append(self.generator(z, training=training))
        codes = discriminate(self.encoder, *groups, training=training)
        return codes[0], codes[bool(self.hidden)], codes[-1] if self.latent_cycle else None
