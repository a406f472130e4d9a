"""Families of networks that belong together."""

from collections.abc import Callable, Mapping
from functools import partial

import keras

from tf_bigan.errors import UserError, did_you_mean
from tf_bigan.networks.composite import AutoencoderNetwork, GaussianEncoder
from tf_bigan.networks.conv import ConvDiscriminator, ConvEncoder, ConvGenerator
from tf_bigan.networks.dcgan import DCGANDiscriminator, DCGANEncoder, DCGANGenerator
from tf_bigan.networks.dense import DenseDiscriminator
from tf_bigan.networks.lenet import LeNetFeatures
from tf_bigan.networks.mlp import MLPDiscriminator, MLPEncoder, MLPGenerator
from tf_bigan.networks.perceptron import Perceptron
from tf_bigan.networks.residual import (
    ResidualDiscriminator,
    ResidualEncoder,
    ResidualGenerator,
)


def _tutorial(network):
    """A network with the fixed sizes of the tutorial."""

    def make(image_shape, latent_dim: int, width: int | None = None, **arguments):
        if tuple(image_shape) != (28, 28, 1):
            raise UserError(
                f"networks=tutorial takes images of 28×28×1, not {image_shape}: "
                "use image_size=28 channels=1, or networks=dcgan"
            )
        if width is not None:
            raise UserError("networks=tutorial has a fixed width: leave width=N out")
        return network(latent_dim, **arguments)

    return make


FAMILIES = {
    "conv": {
        "encoder": ConvEncoder,
        "generator": ConvGenerator,
        "discriminator": ConvDiscriminator,
    },
    "residual": {
        "encoder": ResidualEncoder,
        "generator": ResidualGenerator,
        "discriminator": ResidualDiscriminator,
    },
    "mlp": {
        "encoder": MLPEncoder,
        "generator": MLPGenerator,
        "discriminator": DenseDiscriminator,
    },
    # The official networks. Their D is for pairs: of images alone it would not see contrast.
    "paper": {
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

# Roles that every family has, built from those above.
ROLES = (
    *("gaussian_encoder", "autoencoder", "image_discriminator", "classifier"),
    *("perceptron", "lenet"),
)


def networks_of(family: str) -> Mapping[str, Callable[..., keras.Model]]:
    """{role: the function that makes its network}. Raises UserError for an unknown family."""
    if family not in FAMILIES:
        raise UserError(f"networks={family} is unknown{did_you_mean(family, FAMILIES)}")
    return FAMILIES[family]


def make(family: str, role: str, **sizes) -> keras.Model:
    """Makes a family's network for a role: make("mlp", "encoder", image_shape=..., ...).

    Every role except perceptron takes image_shape (H, W, C), and may take width, l2 and dtype.

        encoder            x -> z_hat; latent_dim, squash, zero_init
        generator          z -> x; latent_dim
        discriminator      (x, z) -> logits; latent_dim, outputs, norm
        gaussian_encoder   x -> the mean of q(z | x), see `GaussianEncoder`; latent_dim
        autoencoder        x -> x through a code of latent_dim units
        image_discriminator  x -> logits; outputs, norm
        classifier         x -> logits of `classes` classes; norm
        perceptron         vectors -> vectors; inputs, outputs, units, hidden, norm
        lenet              x -> features, the same in every family

    Raises:
        UserError: an unknown family, a role that the family lacks, or an unsupported size.
    """
    roles = networks_of(family)
    if role in roles:
        return roles[role](**sizes)
    if role == "perceptron":
        return Perceptron(**{k: v for k, v in sizes.items() if k not in ("image_shape", "width")})
    if role == "lenet":
        return LeNetFeatures(**sizes)
    if role == "image_discriminator":
        return roles["discriminator"](**sizes | {"latent_dim": None})
    if role == "classifier":
        outputs = sizes.pop("classes")
        return roles["discriminator"](**sizes | {"latent_dim": None, "outputs": outputs})
    if role == "gaussian_encoder":
        sizes |= {"latent_dim": 2 * sizes["latent_dim"], "squash": False}
        return GaussianEncoder(roles["encoder"](**sizes), sizes["image_shape"])
    if role == "autoencoder":
        encoder = roles["encoder"](**sizes, squash=False)
        return AutoencoderNetwork(encoder, roles["generator"](**sizes), sizes["image_shape"])
    raise UserError(f"there is no role {role}{did_you_mean(role, [*roles, *ROLES])}")
