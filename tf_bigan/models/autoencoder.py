"""The autoencoder, a baseline of BiGAN (Donahue et al., ICLR 2017, section 4.1)."""

from typing import Literal

import keras

from tf_bigan.core.model import AdversarialModel, Moves
from tf_bigan.losses import reconstruction_loss
from tf_bigan.priors import Prior


@keras.saving.register_keras_serializable("tf_bigan")
class Autoencoder(AdversarialModel):
    """An encoder and a generator that reconstruct images, x_rec = G(E(x)), without a discriminator.

    They minimise E_x[Σ |x - x_rec|] (l1) or E_x[Σ (x - x_rec)²] (l2). No loss matches E(x) to the
    prior, so that G(z) with z from the prior need not look like an image.

    Hyperparameters:
        norm: l1 or l2.

    Networks: encoder x [B, H, W, C] -> z_hat [B, latent_dim]; generator z -> x in [0, 1].
    """

    players = {"EG": ("encoder", "generator")}
    moves = (("EG",),)
    default_loss = None
    default_penalty = None

    def __init__(
        self,
        encoder: keras.Model,
        generator: keras.Model,
        prior: Prior,
        *,
        norm: Literal["l1", "l2"] = "l2",
        moves: Moves | None = None,
        name: str | None = None,
    ):
        super().__init__(
            prior,
            moves=moves,
            name=name,
            encoder=encoder,
            generator=generator,
            norm=norm,
        )

    def player_losses(self, batch, z, training):
        x = batch["image"]
        x_rec = self.generator(self.encoder(x, training=training), training=training)
        return {"EG": reconstruction_loss(x, x_rec, self.norm)}, {}
