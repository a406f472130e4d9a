"""Encoders, generators and discriminators."""

from tf_bigan.networks.composite import AutoencoderNetwork, GaussianEncoder
from tf_bigan.networks.conv import ConvDiscriminator, ConvEncoder, ConvGenerator
from tf_bigan.networks.dcgan import DCGANDiscriminator, DCGANEncoder, DCGANGenerator
from tf_bigan.networks.dense import DenseDiscriminator
from tf_bigan.networks.families import FAMILIES, make
from tf_bigan.networks.lenet import LeNetFeatures
from tf_bigan.networks.mlp import MLPDiscriminator, MLPEncoder, MLPGenerator
from tf_bigan.networks.network import Network
from tf_bigan.networks.normalization import (
    BatchNormalization,
    batch_groups,
    discriminate,
    make_normalization,
)
from tf_bigan.networks.perceptron import Perceptron
from tf_bigan.networks.residual import (
    ResidualDiscriminator,
    ResidualEncoder,
    ResidualGenerator,
)

__all__ = [
    "FAMILIES",
    "AutoencoderNetwork",
    "BatchNormalization",
    "ConvDiscriminator",
    "ConvEncoder",
    "ConvGenerator",
    "DCGANDiscriminator",
    "DCGANEncoder",
    "DCGANGenerator",
    "DenseDiscriminator",
    "GaussianEncoder",
    "LeNetFeatures",
    "MLPDiscriminator",
    "MLPEncoder",
    "MLPGenerator",
    "Network",
    "Perceptron",
    "ResidualDiscriminator",
    "ResidualEncoder",
    "ResidualGenerator",
    "batch_groups",
    "discriminate",
    "make",
    "make_normalization",
]
