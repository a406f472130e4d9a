"""WGAN-GP: improved training of Wasserstein GANs (Gulrajani et al., NeurIPS 2017)."""

import keras

from tf_bigan.models.gan import GAN


@keras.saving.register_keras_serializable("tf_bigan")
class WGANGP(GAN):
    """A generator against a critic with slope 1, instead of a classifier.

    If the critic is 1-Lipschitz, its mean difference between real and generated images estimates
    their Wasserstein distance. D minimises (eq. 3)

        E_z[D(G(z))] - E_x[D(x)] + λ E[(‖∇D(x̂)‖₂ - 1)²],    x̂ = t·x + (1 - t)·G(z), t ~ U(0, 1),

    and G minimises -E_z[D(G(z))]. As in algorithm 1 the critic moves five times, each time with
    new z and t, and then G once; `moves` says how often. The moves of a step share its images. λ is
    an argument of the penalty: `compile(penalty="gradient:gamma=10")`.

    Networks: generator z [B, latent_dim] -> x [B, H, W, C] in [0, 1]; discriminator x -> scores
    [B, 1], without batch statistics: the penalty is on each image's own gradient (section 4).
    """

    moves = (("D",),) * 5 + (("G",),)
    fresh_z = True
    default_loss = "wasserstein"
    default_penalty = "gradient"

    @classmethod
    def make_networks(cls, make, latent_dim, classes):
        return {
            "generator": make("generator", latent_dim=latent_dim),
            "discriminator": make("image_discriminator", norm=None),
        }
