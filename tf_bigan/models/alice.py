"""ALICE: ALI with cycle losses that bound conditional entropies (Li et al., NeurIPS 2017)."""

from typing import Literal

import keras
import tensorflow as tf

from tf_bigan.constraints import NonNegative
from tf_bigan.core.model import AdversarialModel, Moves
from tf_bigan.errors import UserError
from tf_bigan.losses import reconstruction_loss
from tf_bigan.models.ali import ALI
from tf_bigan.networks.normalization import unchanged_statistics
from tf_bigan.priors import Prior


@keras.saving.register_keras_serializable("tf_bigan")
class ALICE(ALI):
    """ALI whose E and G must also reconstruct images and z.

    ALI's loss alone does not determine which z belongs to which x. The cycles do: x_rec = G(z_hat)
    with z_hat drawn from E(x) bounds the conditional entropy H(x | z), and z_rec drawn from E(G(z))
    bounds H(z | x). The explicit forms of the cycle of x add to the loss of E and G

        l2:  λ E_x[Σ (x - x_rec)²]        l1:  λ E_x[Σ |x - x_rec|],

    and the adversarial form adds λ E_x[softplus(-c(x, x_rec))], with the logits c of a second
    discriminator C. C minimises E_x[softplus(-c(x, x)) + softplus(c(x, x_rec))]. The cycle of z
    adds, in every form,

        λ_z E_z[Σ (z - z_rec)²].

    z_rec is a draw, as in the official programs, so that the term is E_z[Σ (z - μ)² + Σ σ²] with
    E's μ and σ of G(z): it also makes E sure of itself. These programs weight both cycles equally,
    as means over pixels and over entries of z; here both are sums.

    Hyperparameters:
        cycle: l2, l1 or adversarial. C is trained only in the adversarial form.
        weight: λ of the explicit forms.
        latent_weight: λ_z; 0 leaves the cycle of z out.
        adversarial_weight: λ of the adversarial form.

    Networks: ALI's, and discriminator_xx of two images joined along channels, [B, H, W, 2·C] ->
    logits [B, 1].
    """

    players = {
        "D": ("discriminator",),
        "C": ("discriminator_xx",),
        "EG": ("encoder", "generator"),
    }
    moves = (("D", "C", "EG"),)

    def __init__(
        self,
        encoder: keras.Model,
        generator: keras.Model,
        discriminator: keras.Model,
        discriminator_xx: keras.Model,
        prior: Prior,
        *,
        cycle: Literal["l2", "l1", "adversarial"] = "l2",
        weight: NonNegative = 0.04,
        latent_weight: NonNegative = 0.01,
        adversarial_weight: NonNegative = 1.0,
        moves: Moves | None = None,
        name: str | None = None,
    ):
        if moves is None and cycle != "adversarial":
            moves = ALI.moves
        # Skips ALI's constructor, which has no C.
        AdversarialModel.__init__(
            self,
            prior,
            moves=moves,
            name=name,
            encoder=encoder,
            generator=generator,
            discriminator=discriminator,
            discriminator_xx=discriminator_xx,
            cycle=cycle,
            weight=weight,
            latent_weight=latent_weight,
            adversarial_weight=adversarial_weight,
        )
        self.c_plays = any("C" in group for group in self.moves)

    @classmethod
    def check_options(cls, prior, *, cycle="l2", moves=None, **options):
        super().check_options(prior, cycle=cycle, moves=moves, **options)
        if cycle == "adversarial" and not any("C" in group for group in moves or cls.moves):
            raise UserError("cycle=adversarial needs C to move, as in moves=D+C+EG")

    @classmethod
    def make_networks(cls, make, latent_dim, classes):
        networks = super().make_networks(make, latent_dim, classes)
        *size, channels = networks["generator"](tf.zeros((1, latent_dim))).shape[1:]
        pair = (*size, 2 * channels)
        # Without batch statistics, which need no updates then if C is not trained.
        return networks | {
            "discriminator_xx": make("image_discriminator", image_shape=pair, norm=None)
        }

    def player_losses(self, batch, z, training):
        x = batch["image"]
        z_hat = self.infer(x, training)
        x_fake = self.generator(z, training=training)
        with unchanged_statistics(self.generator):  # keep the statistics of samples
            x_rec = self.generator(z_hat, training=training)
        losses, logs = self.pair_losses([x, z_hat], [x_fake, z], training)
        if self.cycle != "adversarial":
            losses["EG"] += self.weight * reconstruction_loss(x, x_rec, self.cycle)
        if self.c_plays:
            pairs = [tf.concat([x, tf.cast(other, x.dtype)], -1) for other in (x, x_rec)]
            same, cycled = self.judge(self.discriminator_xx, *pairs, training=training, player="C")
            losses["C"] = self.adversarial_loss.discriminator(same, cycled)
            if self.cycle == "adversarial":
                fooled = self.adversarial_loss.generator(same, cycled)
                losses["EG"] += self.adversarial_weight * fooled
                logs |= {"logits_same": same, "logits_cycled": cycled}
        if self.latent_weight:
            with unchanged_statistics(self.encoder):  # keep the statistics of images
                z_rec = self.infer(x_fake, training)
            logs["latent_reconstruction"] = reconstruction_loss(z, z_rec, "l2")
            losses["EG"] += self.latent_weight * logs["latent_reconstruction"]
        return losses, logs | {"reconstruction": reconstruction_loss(x, x_rec, "l2")}
