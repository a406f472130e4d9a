"""A discriminator sees the contrast of images: it tells x from .2·x, in training mode.

Of a network without biases, each layer is linear but for its ReLUs, and separate batch statistics
or layer normalisation take the factor out again: it cannot tell a dark batch from a bright one.
"""

import numpy as np
import pytest
import tensorflow as tf

import tf_bigan as tb
from tests.models.conftest import make_batch, make_system
from tf_bigan.networks.normalization import discriminate

FAMILIES = ("mlp", "conv", "residual", "dcgan")
WITHOUT_DISCRIMINATOR = {"autoencoder", "dann"}
# D of the family "mlp" is of x alone here, and has no biases.
QUICK = {"bigan", "gan", "sgan", "vae_gan"}


def cases():
    """Slowly each system with two of the families, in turn; with all of them exhaustively."""
    for number, name in enumerate(n for n in tb.models.names() if n not in WITHOUT_DISCRIMINATOR):
        for place, family in enumerate(FAMILIES):
            if name in QUICK and family in ("mlp", "conv"):
                marks = ()
            else:
                in_turn = (place - number) % len(FAMILIES) < 2
                marks = pytest.mark.slow if in_turn else pytest.mark.exhaustive
            yield pytest.param(name, family, marks=marks)


def judgements(model, batch):
    """(function, real inputs, whether jointly) of each call of `judge` in a pass."""
    calls, judge = [], model.judge

    def recorded(function, *groups, **arguments):
        calls.append((function, groups[0], arguments.get("jointly", False)))
        return judge(function, *groups, **arguments)

    model.judge = recorded
    z, key = model._draw(batch, 0)
    model._begin(batch, key)
    model.player_losses(batch, z, training=True)
    return calls


def scores(function, *groups, jointly):
    """What D says of the rows of each group, [B] each."""
    outputs = discriminate(function, *groups, training=True, jointly=jointly)
    return [tf.nest.flatten(output)[0].numpy().ravel() for output in outputs]


@pytest.mark.parametrize(("name", "family"), list(cases()))
def test_a_discriminator_tells_a_dark_image_from_a_bright_one(name, family):
    """By a good part of the spread of what it says of different images with the same z."""
    model = make_system(name, options={"networks": family})
    of_images = 0
    for function, real, jointly in judgements(model, make_batch()):
        if not any(part.shape.rank == 4 for part in tf.nest.flatten(real)):
            continue  # of latents
        of_images += 1
        dark = tf.nest.map_structure(lambda v: 0.2 * v if v.shape.rank == 4 else v, real)
        same_z = tf.nest.map_structure(
            lambda v: v if v.shape.rank == 4 else tf.repeat(v[:1], len(v), 0), real
        )
        (of_images_alone,) = scores(function, same_z, jointly=jointly)
        spread = of_images_alone.std()
        of_bright, of_dark = scores(function, real, dark, jointly=jointly)
        assert of_bright.shape == (8,) and spread > 1e-6
        assert np.abs(of_bright - of_dark).mean() > 0.2 * spread
    assert of_images
