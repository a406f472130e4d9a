"""Encoders, generators and discriminators."""

from tf_bigan.networks.dcgan import DCGANDiscriminator, DCGANEncoder, DCGANGenerator
from tf_bigan.networks.families import FAMILIES, make
from tf_bigan.networks.mlp import MLPDiscriminator, MLPEncoder, MLPGenerator
from tf_bigan.networks.network import Network
from tf_bigan.networks.normalization import BatchNormalization, batch_groups, discriminate

__all__ = [
    "FAMILIES",
    "BatchNormalization",
    "DCGANDiscriminator",
    "DCGANEncoder",
    "DCGANGenerator",
    "MLPDiscriminator",
    "MLPEncoder",
    "MLPGenerator",
    "Network",
    "batch_groups",
    "discriminate",
    "make",
]
