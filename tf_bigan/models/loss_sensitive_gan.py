"""LS-GAN: loss-sensitive generative adversarial networks (Qi 2017); not the least-squares GAN."""

from typing import Annotated, Literal

import keras
import tensorflow as tf

from tf_bigan.constraints import Fraction, NonNegative
from tf_bigan.core.model import AdversarialModel, Moves
from tf_bigan.losses import absolute_error, squared_error
from tf_bigan.priors import Prior


@keras.saving.register_keras_serializable("tf_bigan")
class LossSensitiveGAN(AdversarialModel):
    """A loss function L that is lower on a real image than on a generated one, by a margin Δ.

    The margin grows with the distance of the two images: similar images may have similar losses.

        Δ(x, G(z)) = margin · Σ|x - G(z)|     l1, or l2: margin · Σ(x - G(z))²
                                              over the pixels; a constant to both players
        L's loss:  γ E[L(x)] + E[C(Δ(x, G(z)) + L(x) - L(G(z)))],   C(a) = max(a, slope · a)
        G's loss:  E[L(G(z))]

    C with slope 0 is the hinge of LS-GAN; other slopes give the generalised LS-GAN: 1 is the
    Wasserstein GAN's loss, -1 gives |a|. D moves first, then G against the updated D with the same
    z, as in the official code.

    Hyperparameters:
        margin: margin per unit of distance (λ). The official 2e-4 is for the ℓ1 distance of
            64×64×3 pixels in [-1, 1].
        distance: l1, as in the official code, or l2, the squared error. Both are sums: for the
            mean squared error divide the margin by H·W·C.
        gamma: the weight of the separate term L(x).
        slope: slope of the cost C below 0.
        leak: slope of L's last activation below 0. 0 is the ReLU of LS-GAN's official code, where
            L may become 0 everywhere if margins are large; 1 is linear, as in the generalised one.

    Networks: generator z [B, latent_dim] -> x [B, H, W, C] in [0, 1]; discriminator (L) x ->
    [B, 1].
    """

    players = {"D": ("discriminator",), "G": ("generator",)}
    moves = (("D",), ("G",))
    default_loss = None
    fresh_z = False

    def __init__(
        self,
        generator: keras.Model,
        discriminator: keras.Model,
        prior: Prior,
        *,
        margin: NonNegative = 0.01,
        distance: Literal["l1", "l2"] = "l1",
        gamma: NonNegative = 0.0,
        slope: Annotated[float, "(-inf, 1]"] = 0.0,
        leak: Fraction = 0.2,
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
            distance=distance,
            gamma=gamma,
            slope=slope,
            leak=leak,
        )

    @classmethod
    def make_networks(cls, make, latent_dim, classes):
        return {
            "generator": make("generator", latent_dim=latent_dim),
            # With separate batch statistics L recognised the two batches, and G did not learn.
            "discriminator": make("image_discriminator", norm=None),
        }

    def player_losses(self, batch, z, training):
        x = batch["image"]
        x_fake = self.generator(z, training=training)
        # Not tf.nn.relu: its gradient at 0 is 0, so that D, which starts at 0, would not learn.
        loss_real, loss_fake = (
            tf.maximum(logits[:, 0], self.leak * logits[:, 0])
            for logits in self.judge(self.discriminator, x, x_fake, training=training)
        )
        delta = self.margin * self._distance(x, tf.stop_gradient(x_fake))
        excess = delta + loss_real - loss_fake
        cost = tf.maximum(excess, self.slope * excess)
        losses = {
            "D": tf.reduce_mean(self.gamma * loss_real + cost),
            "G": tf.reduce_mean(loss_fake),
        }
        return losses, {
            "loss_real": loss_real,
            "loss_fake": loss_fake,
            "delta": delta,
            "violated": excess > 0,
        }

    def _distance(self, x, x_fake) -> tf.Tensor:
        """The distance of each pair of images, [B]."""
        error = squared_error if self.distance == "l2" else absolute_error
        return error(x, x_fake)
