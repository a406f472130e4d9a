"""Which networks belong together, by the name that --networks takes."""

import keras

from tf_bigan.config import did_you_mean
from tf_bigan.errors import UserError
from tf_bigan.networks.dcgan import DCGANDiscriminator, DCGANEncoder, DCGANGenerator
from tf_bigan.networks.mlp import MLPDiscriminator, MLPEncoder, MLPGenerator

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
