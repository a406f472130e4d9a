"""The joint latent regressor, a baseline of BiGAN (Donahue et al., ICLR 2017, section 4.1)."""

import keras

from tf_bigan.constraints import NonNegative
from tf_bigan.core.model import AdversarialModel, Moves
from tf_bigan.models.latent_regressor import LatentRegressor
from tf_bigan.priors import Prior


@keras.saving.register_keras_serializable("tf_bigan")
class JointLatentRegressor(LatentRegressor):
    """A latent regressor whose generator also minimises the regression loss.

    E and G together minimise G's loss + λ E's loss of the `LatentRegressor`; D its own. According
    to the official code, G's images are poor with λ = 1.

    Hyperparameters:
        weight: λ.

    Networks: the `LatentRegressor`'s.
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
        weight: NonNegative = 0.25,
        moves: Moves | None = None,
        name: str | None = None,
    ):
        # Skips the LatentRegressor's constructor, which has no weight.
        AdversarialModel.__init__(
            self,
            prior,
            moves=moves,
            name=name,
            generator=generator,
            discriminator=discriminator,
            encoder=encoder,
            weight=weight,
        )

    def player_losses(self, batch, z, training):
        losses, logs = super().player_losses(batch, z, training)
        joint = losses["G"] + self.weight * losses["E"]
        return {"D": losses["D"], "EG": joint}, logs | {"regression": losses["E"]}
