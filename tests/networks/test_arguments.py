"""Arguments of networks outside of their ranges: one line that names the argument."""

import pytest

from tf_bigan.errors import UserError
from tf_bigan.networks import (
    ConvDiscriminator,
    ConvEncoder,
    DCGANGenerator,
    MLPDiscriminator,
    MLPGenerator,
    Perceptron,
)
from tf_bigan.networks.dense import DenseDiscriminator

SHAPE = (8, 8, 1)


@pytest.mark.parametrize(
    ("make", "line"),
    [
        (lambda: ConvDiscriminator(SHAPE, 4, joint=-1), "joint=-1: "),
        (lambda: DenseDiscriminator(SHAPE, 4, joint=-1), "joint=-1: "),
        (lambda: MLPGenerator(SHAPE, 0), "latent_dim=0: "),
        (lambda: MLPDiscriminator(SHAPE, outputs=0), "outputs=0: "),
        (lambda: DCGANGenerator(SHAPE, 4, l2=-1.0), "l2=-1.0: "),
        (lambda: Perceptron(4, units=0), "units=0: "),
        (lambda: ConvEncoder((8, 8), 4), r"image_shape=\(8, 8\): .*\(H, W, C\)$"),
        (lambda: ConvEncoder((8, 8, 0), 4), r"image_shape=\(8, 8, 0\): "),
    ],
)
def test_a_size_out_of_range_is_named(make, line):
    with pytest.raises(UserError, match=f"^{line}"):
        make()


def test_zero_layers_are_possible():
    assert not Perceptron(4, hidden=0).dense
    assert not ConvDiscriminator(SHAPE, 4, width=4, hidden=8, joint=0).joint
