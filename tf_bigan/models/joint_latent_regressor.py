"""The joint latent regressor, a baseline of BiGAN (Donahue et al., ICLR 2017, section 4.1)."""

import keras

from tf_bigan.models.latent_regressor import LatentRegressor


@keras.saving.register_keras_serializable("tf_bigan")
class JointLatentRegressor(LatentRegressor):
    """A latent regressor whose generator helps: G's samples must also tell which z they are of.

    E and G together minimise G's loss + λ E's loss of the `LatentRegressor`; D its own. With λ = 1
    the generator gives up on images, says the official code.

    Hyperparameters:
        weight: λ.

    Networks: the `LatentRegressor`'s.
    """

    players = {"D": ("discriminator",), "EG": ("encoder", "generator")}
    schedule = (("D", "EG"),)
    hyperparameters = {"weight": 0.25}

    def player_losses(self, batch, z, training):
        losses, logs = super().player_losses(batch, z, training)
        joint = losses["G"] + self.weight * losses["E"]
        return {"D": losses["D"], "EG": joint}, logs | {"regression": losses["E"]}
