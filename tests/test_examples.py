"""The examples run, and the one-file BiGAN takes the library's step."""

import importlib.util
from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf

import tf_bigan as tb

EXAMPLES = Path(__file__).parent.parent / "examples"


def load(name: str):
    spec = importlib.util.spec_from_file_location(name, EXAMPLES / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def split(kernel, width):
    """The kernel of a layer on [h, z] as the kernels of one on h and one on z."""
    return [kernel[:width], kernel[width:]]


def test_one_file_takes_the_step_of_the_library():
    example = load("bigan_in_one_file")
    shape, latent, width = example.IMAGE_SHAPE, example.LATENT_DIM, example.WIDTH
    keras.utils.set_random_seed(3)
    simple = example.BiGAN()
    rng = np.random.default_rng(0)
    for network in (simple.E, simple.G, simple.D):  # weights large enough for steps that show
        for weight in network.trainable_variables:
            weight.assign(rng.normal(0, 0.1, weight.shape))

    networks = {
        role: tb.networks.make("paper", role, image_shape=shape, latent_dim=latent, width=width)
        for role in tb.models.BiGAN.network_names()
    }
    model = tb.models.BiGAN(prior=tb.priors.Uniform(latent), **networks)
    model.compile(tb.optimizers.Adam(example.LEARNING_RATE, beta_1=0.5, epsilon=1e-8))

    def as_library() -> list[np.ndarray]:
        """The example's weights in the order of the library's: D, then E, then G."""
        d = [v.numpy() for v in simple.D.trainable_variables]
        g = [v.numpy() for v in simple.G.trainable_variables]
        d = [d[0], *split(d[1], width), d[2]]
        g = [g[0], *split(g[1], width), g[2]]
        return [*d, *(v.numpy() for v in simple.E.trainable_variables), *g]

    mine = model.player_variables("D") + model.player_variables("EG")
    start = as_library()
    for variable, value in zip(mine, start, strict=True):
        variable.assign(value)
    images = example.load_digits()[: example.BATCH]
    for step in range(3):
        seed = tf.random.experimental.stateless_fold_in([0, step], 0)
        z = tf.random.stateless_uniform((len(images), latent), seed, -1, 1, alg="philox")
        simple.train_step(tf.constant(images), z)
    model.fit(tf.data.Dataset.from_tensors(images), epochs=3, verbose=0)
    for variable, expected, first in zip(mine, as_library(), start, strict=True):
        moved = np.abs(variable.numpy() - first).max()
        assert moved > 5e-4  # about three steps of 3e-4
        # Adam divides by |gradient|: where that is nearly zero, rounding decides the sign.
        difference = np.abs(variable.numpy() - expected)
        assert np.quantile(difference, 0.99) < 1e-6, variable.path
        assert difference.max() < 0.2 * moved, variable.path


def test_one_file_runs(capsys):
    example = load("bigan_in_one_file")
    images = example.load_digits()[:128]
    bigan = example.train(images, epochs=1)
    assert "epoch   1/1" in capsys.readouterr().out
    picture = example.picture(bigan, images)
    assert picture.dtype == np.uint8 and picture.ndim == 2


@pytest.mark.slow
def test_quick_tour_runs(tmp_path, capsys):
    load("quick_tour").main(epochs=1, directory=tmp_path)
    written = {path.name for path in tmp_path.iterdir()}
    pictures = {f"tour_{name}.png" for name in ("samples", "reconstructions", "interpolations")}
    assert written == {"tour.keras", *pictures}
    assert "NNC_e-" in capsys.readouterr().out
