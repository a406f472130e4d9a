"""Which networks belong together, by the name that --networks takes."""

from functools import partial

import keras

from tf_bigan.config import did_you_mean
from tf_bigan.errors import UserError
from tf_bigan.networks.dcgan import DCGANDiscriminator, DCGANEncoder, DCGANGenerator
from tf_bigan.networks.mlp import MLPDiscriminator, MLPEncoder, MLPGenerator


def _tutorial(network):
    """A network of the tutorial's sizes, which are fixed."""

    def make(image_shape, latent_dim: int, width: int | None = None, **arguments):
        if tuple(image_shape) != (28, 28, 1):
            raise UserError(
                f"--networks=tutorial takes images of 28×28×1, not {image_shape}: "
                "use --image_size=28 --channels=1, or --networks=dcgan"
            )
        if width is not None:
            raise UserError("--networks=tutorial has a fixed --width: leave it out")
        return network(latent_dim, **arguments)

    return make


FAMILIES = {
    "mlp": {
        "encoder": MLPEncoder,
        "generator": MLPGenerator,
        "discriminator": MLPDiscriminator,
    },
    "dcgan": {
        "encoder": DCGANEncoder,
        "generator": DCGANGenerator,
        "discriminator": DCGANDiscriminator,
    },
    "tutorial": {
        "encoder": _tutorial(partial(DCGANEncoder, (28, 28, 1), width=64)),
        "generator": _tutorial(DCGANGenerator.tutorial),
        "discriminator": _tutorial(partial(DCGANDiscriminator, (28, 28, 1), width=64)),
    },
}


def make(family: str, role: str, **arguments) -> keras.Model:
    """The network of a family for a role, as make("mlp", "encoder", image_shape=..., ...).

    Raises:
        UserError: an unknown family, a family without that role, or a size that it cannot take.
    """
    if family not in FAMILIES:
        raise UserError(f"--networks={family} is unknown{did_you_mean(family, FAMILIES)}")
    if role not in FAMILIES[family]:
        raise UserError(f"--networks={family} has no {role}")
    return FAMILIES[family][role](**arguments)
