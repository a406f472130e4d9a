"""Families by name, and the tutorial's fixed sizes."""

import keras
import pytest

from tf_bigan.errors import UserError
from tf_bigan.networks import FAMILIES, make
from tf_bigan.networks.families import ROLES


def roles(side: int) -> dict[str, tuple[dict, list, tuple]]:
    """role -> what it is given beside image_shape, the shapes of its inputs, that of its output"""
    x, z = (side, side, 1), (6,)
    return {
        "encoder": ({"latent_dim": 6}, [x], z),
        "generator": ({"latent_dim": 6}, [z], x),
        "discriminator": ({"latent_dim": 6}, [x, z], (1,)),
        "gaussian_encoder": ({"latent_dim": 6}, [x], z),
        "autoencoder": ({"latent_dim": 6}, [x], x),
        "image_discriminator": ({"outputs": 3}, [x], (3,)),
        "classifier": ({"classes": 4}, [x], (4,)),
        "perceptron": ({"inputs": 6, "outputs": 2, "units": 8}, [z], (2,)),
        "lenet": ({"width": 8}, [x], (side // 4 * (side // 4) * 12,)),
    }


SLOWLY = [pytest.param(f, marks=pytest.mark.slow if f != "conv" else ()) for f in FAMILIES]


@pytest.mark.parametrize("family", SLOWLY)
def test_every_family_makes_every_role(family):
    side = 28 if family == "tutorial" else 8
    assert set(roles(side)) == {*FAMILIES[family], *ROLES}
    common = {"image_shape": (side, side, 1), "l2": 0.1}
    common |= {} if family == "tutorial" else {"width": 8}
    for role, (sizes, inputs, output) in roles(side).items():
        network = make(family, role, **common | sizes)
        inputs = [keras.Input(shape) for shape in inputs]
        result = network(inputs if len(inputs) > 1 else inputs[0])
        assert tuple(result.shape) == (None, *output) and result.dtype == "float32", role
        assert network.built and len(network.losses) > 1, role  # l2 has reached it


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


def test_unsupported_requests_to_a_family_are_named():
    with pytest.raises(UserError, match="networks=dcgam is unknown; did you mean dcgan"):
        make("dcgam", "encoder")
    with pytest.raises(UserError, match="no role clasifier; did you mean classifier"):
        make("mlp", "clasifier")
    with pytest.raises(UserError, match="28×28×1, not .*32, 32, 3.*image_size=28"):
        make("tutorial", "generator", image_shape=(32, 32, 3), latent_dim=4)
    with pytest.raises(UserError, match="fixed width"):
        make("tutorial", "encoder", image_shape=(28, 28, 1), latent_dim=4, width=8)
