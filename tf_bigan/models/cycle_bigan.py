"""BiGAN with a cycle loss, the deterministic case of ALICE (Li et al., NeurIPS 2017)."""

import keras
import tensorflow as tf

from tf_bigan.constraints import NonNegative, Rate
from tf_bigan.core.model import AdversarialModel, Moves
from tf_bigan.losses import squared_error
from tf_bigan.networks.normalization import discriminate, unchanged_statistics
from tf_bigan.priors import Prior


@keras.saving.register_keras_serializable("tf_bigan")
class CycleBiGAN(AdversarialModel):
    """BiGAN whose E and G also minimise the reconstruction errors of images and of z.

    The adversarial loss alone makes E and G inverses only at its optimum. Before, x and E(x) may
    fool D without G(E(x)) being close to x. Li et al. (section 3) bound the entropy of x given z
    by a reconstruction error. With a deterministic E, the loss of E and G is BiGAN's plus

        λ E_x[Σ (x - G(E(x ⊙ m)))²] + λ_z E_z[Σ (z - E(G(z)))²].

    The mask m sets each pixel to 0 with probability `mask_rate`, only in E's input of the image
    cycle (denoising autoencoders, Vincent et al., ICML 2008), so that images close to x get a z
    close to E(x). D sees unmasked images.

    Hyperparameters:
        cycle: λ, the weight of the image cycle.
        latent_cycle: λ_z, the weight of the latent cycle; 0 disables it.
        mask_rate: mask rate, the probability of masking a pixel; 0 disables the mask.

    Networks: those of BiGAN.
    """

    players = {"D": ("discriminator",), "EG": ("encoder", "generator")}
    moves = (("D", "EG"),)

    def __init__(
        self,
        encoder: keras.Model,
        generator: keras.Model,
        discriminator: keras.Model,
        prior: Prior,
        *,
        cycle: NonNegative = 0.02,
        latent_cycle: NonNegative = 0.0,
        mask_rate: Rate = 0.0,
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
            cycle=cycle,
            latent_cycle=latent_cycle,
            mask_rate=mask_rate,
        )

    def player_losses(self, batch, z, training):
        x = batch["image"]
        x_fake = self.generator(z, training=training)
        z_hat, z_cycle, z_rec = self._encode(x, x_fake, training)
        with unchanged_statistics(self.generator):  # keep the statistics of samples
            x_rec = self.generator(z_cycle, training=training)
        logits_real, logits_fake = self.judge(
            self.discriminator, [x, z_hat], [x_fake, z], training=training
        )
        error = tf.reduce_mean(squared_error(x, x_rec))
        losses = {
            "D": 0.5 * self.adversarial_loss.discriminator(logits_real, logits_fake),
            "EG": 0.5 * self.adversarial_loss.encoder_generator(logits_real, logits_fake)
            + self.cycle * error,
        }
        logs = self.adversarial_loss.logs(logits_real, logits_fake) | {"reconstruction": error}
        if self.latent_cycle:
            latent_error = tf.reduce_mean(squared_error(z, z_rec))
            losses["EG"] += self.latent_cycle * latent_error
            logs["latent_reconstruction"] = latent_error
        return losses, logs

    def _encode(self, x, x_fake, training):
        """E(x) for D, E(masked x) for the image cycle, E(x_fake) or None without latent cycle.

        All are computed in one batch with x first, whose batch statistics E keeps.
        """
        inputs = {"image": x}
        if self.mask_rate:
            seen = self.random.uniform((*x.shape[1:3], 1)) >= self.mask_rate
            inputs["masked"] = tf.where(seen, x, tf.zeros_like(x))
        if self.latent_cycle:
            inputs["sample"] = x_fake
        codes = discriminate(self.encoder, *inputs.values(), training=training)
        codes = dict(zip(inputs, codes, strict=True))
        return codes["image"], codes.get("masked", codes["image"]), codes.get("sample")
