"""Families by name, and the tutorial's fixed sizes."""

import pytest

from tf_bigan.errors import UserError
from tf_bigan.networks import FAMILIES, make


@pytest.mark.parametrize("family", FAMILIES)
def test_every_family_makes_every_role(family):
    for role in ("encoder", "generator", "discriminator"):
        network = make(family, role, image_shape=(28, 28, 1), latent_dim=6, l2=0.0)
        assert network.built and network.count_params() > 0


def test_tutorial_layers():
    """13-DCGAN: G dense 3·3·512, T-conv 256 k3, 128 k4, 1 k4; D conv 64, 128, 256 k4."""
    generator = make("tutorial", "generator", image_shape=(28, 28, 1), latent_dim=100)
    kernels = [tuple(conv.kernel.shape) for conv in generator.convs]
    assert kernels == [(3, 3, 256, 512), (4, 4, 128, 256), (4, 4, 1, 128)]
    assert tuple(generator.project.kernel.shape) == (100, 3 * 3 * 512)
    tower = make("tutorial", "discriminator", image_shape=(28, 28, 1), latent_dim=100)
    assert [tuple(conv.kernel.shape) for conv in tower.convs] == [
        (4, 4, 1, 64),
        (4, 4, 64, 128),
        (4, 4, 128, 256),
    ]


def test_what_a_family_cannot_do_is_named():
    with pytest.raises(UserError, match="--networks=dcgam is unknown; did you mean dcgan"):
        make("dcgam", "encoder")
    with pytest.raises(UserError, match="no role clasifier; did you mean classifier"):
        make("mlp", "clasifier")
    with pytest.raises(UserError, match="28×28×1, not .*32, 32, 3.*--image_size=28"):
        make("tutorial", "generator", image_shape=(32, 32, 3), latent_dim=4)
    with pytest.raises(UserError, match="fixed --width"):
        make("tutorial", "encoder", image_shape=(28, 28, 1), latent_dim=4, width=8)
