"""Mode coverage (mode collapse): which modes of a ring and a grid of Gaussians systems cover."""

from functools import partial
from typing import NamedTuple

import keras
import numpy as np
import tensorflow as tf

from benchmarks.claims.claim import Check, Claim, Lab
from tf_bigan import evaluation, models, priors
from tf_bigan.networks import GaussianEncoder, Perceptron
from tf_bigan.optimizers import Adam
from tf_bigan.penalties import R1R2, GradientPenalty
from tf_bigan.run import presets

SIGMAS = {"ring": 0.02, "grid": 0.05}
UNITS = {"ring": 2.0, "grid": 4.0}  # the networks' unit of length: the outermost modes are at 1
VIEWS = {"ring": 3.0, "grid": 5.5}  # half the side of the plotted square
EXTENT = 3.0  # coordinates from -1.5 to 1.5 units are pixels from 0 to 1
# Distances of images are distances in units / EXTENT; gradients are EXTENT times as large.
SYSTEMS = {
    "gan": {},
    "gan, R1R2": {},
    "wgan_gp": {},
    "loss_sensitive_gan": {"margin": EXTENT},
    "bigan": {},
    "bigan, R1R2": {},
    "ali": {},
    "alice": {"weight": EXTENT**2},
    "vae_gan": {},
}
WITH_PENALTY = ("gan, R1R2", "bigan, R1R2")
LATENT, POINTS, SAMPLES = 2, 100_000, 2500
UNIFORM = "uniform noise"


class Training(NamedTuple):
    """The hidden layers of each network, the sines of coordinates in its input, the number of
    steps and the rows of each."""

    layers: int
    frequencies: tuple[float, ...]
    steps: int
    batch: int


PLAIN = Training(3, (2.0, 4.0), 8000, 128)
# A sharper D and more steps, with which a game without these penalties keeps a mode or two. Larger
# batches, or some modes of the grid get too few samples.
LONG = Training(4, (2.0, 4.0, 8.0, 16.0), 24_000, 256)


def game(name: str) -> dict:
    """The arguments of `compile` besides the optimizer."""
    if name == "wgan_gp":
        return {"penalty": GradientPenalty(10.0 / EXTENT)}
    if name not in WITH_PENALTY:
        return {}
    penalty = R1R2(0.1 / EXTENT**2, every_row=1, half_life=3000)
    return {"loss": "relativistic", "penalty": penalty, "ema": 0.998}


def centres(kind: str) -> np.ndarray:
    """[modes, 2] in the plane: 8 on a circle of radius 2, or a 5 × 5 grid with spacing 2."""
    if kind == "ring":
        angles = np.arange(8) * np.pi / 4
        return 2.0 * np.stack([np.cos(angles), np.sin(angles)], -1)
    places = np.arange(-4.0, 5.0, 2.0)
    return np.stack(np.meshgrid(places, places), -1).reshape(-1, 2)


def points(kind: str, n: int, seed: int = 0) -> np.ndarray:
    """n draws from the mixture, [n, 2] in the plane."""
    random, middles = np.random.default_rng(seed), centres(kind)
    chosen = middles[random.integers(len(middles), size=n)]
    return chosen + SIGMAS[kind] * random.standard_normal((n, 2))


def to_images(plane: np.ndarray, kind: str) -> np.ndarray:
    """[n, 2] in the plane -> float32 [n, 1, 1, 2] in [0, 1]."""
    return (plane / UNITS[kind] / EXTENT + 0.5).astype(np.float32)[:, None, None]


def to_units(images):
    """[n, 1, 1, 2 · images] -> [n, 2 · images] in units; times UNITS[kind], in the plane."""
    return (images[:, 0, 0] - 0.5) * EXTENT


@keras.saving.register_keras_serializable("claims")
class PointNetwork(Perceptron):
    """A perceptron of points, or of points and z; a point u is the input u, sin 2u, cos 2u, ...

    With u only, it learns slowly to distinguish modes from the space between them.
    """

    def __init__(self, *arguments, frequencies: tuple[float, ...], **others):
        super().__init__(*arguments, **others)
        self.frequencies = frequencies

    def features(self, inputs, training=False):
        image, *rest = inputs if isinstance(inputs, (list, tuple)) else [inputs]
        if len(image.shape) == 4:
            units = to_units(image)
            waves = [wave(f * units) for f in self.frequencies for wave in (tf.sin, tf.cos)]
            image = tf.concat([units, *waves], -1)
        return super().features([image, *rest], training)

    def get_config(self):
        return super().get_config() | {"frequencies": self.frequencies}


@keras.saving.register_keras_serializable("claims")
class PointEncoder(PointNetwork):
    """x -> z_hat, with features named as in other encoders."""

    def features(self, x, training=False):
        hidden = super().features(x, training)
        return {"e-": hidden, "e": self.head(hidden)}

    def call(self, x, training=False):
        return self.features(x, training)["e"]


@keras.saving.register_keras_serializable("claims")
class PointGenerator(Perceptron):
    """z -> x [B, 1, 1, 2], around 0.5 and unbounded."""

    def call(self, z, training=False):
        return (super().call(z, training=training) / EXTENT + 0.5)[:, None, None]


def make(
    role: str,
    latent_dim: int | None = None,
    image_shape=(1, 1, 2),
    outputs=1,
    norm=None,
    training: Training = PLAIN,
):
    """The network of a role, like `tf_bigan.networks.make` for images."""
    sizes, entries = {"units": 128, "hidden": training.layers}, image_shape[-1]
    inputs = (1 + 2 * len(training.frequencies)) * entries
    if role == "generator":
        return PointGenerator(latent_dim, outputs=entries, **sizes)
    of_points = sizes | {"frequencies": training.frequencies}
    if role == "encoder":
        return PointEncoder(inputs, outputs=latent_dim, **of_points)
    if role == "gaussian_encoder":
        encoder = make("encoder", latent_dim=2 * latent_dim, training=training)
        return GaussianEncoder(encoder, image_shape)
    if role == "discriminator":
        inputs += latent_dim
    return PointNetwork(inputs, outputs=outputs, **of_points)


def make_system(name: str):
    """The system of a row, with these networks."""
    system = models.find(_module(name))
    networks = system.make_networks(partial(make, training=training_of(name)), LATENT, None)
    return system(prior=priors.Normal(LATENT), **networks, **SYSTEMS[name])


def training_of(name: str) -> Training:
    return LONG if name in WITH_PENALTY else PLAIN


def _module(name: str) -> str:
    return name.split(",")[0]  # before the game


def trained(lab: Lab, name: str, kind: str, seed: int):
    """A system trained on the points of a mixture."""
    keras.utils.set_random_seed(seed)
    model = make_system(name)
    training = training_of(name)
    rate = keras.optimizers.schedules.CosineDecay(1e-3, training.steps)
    # The gradient penalty needs 0, as in its paper.
    beta_1 = presets.system(_module(name)).options.get("beta_1", 0.5)
    model.compile(
        Adam(rate, beta_1=beta_1),
        **game(name),
        seed=seed,
        jit_compile=True,
        steps_per_execution=500,
    )
    images = to_images(points(kind, POINTS), kind)
    lab.fit(model, images, batch_size=training.batch, epochs=1, steps_per_epoch=training.steps)
    return model


def measure(lab: Lab, seed: int):
    numbers, arrays = {}, {}
    for kind, view in VIEWS.items():
        arrays[f"{kind}_{UNIFORM}"] = np.random.default_rng(1).uniform(-view, view, (SAMPLES, 2))
        for name in SYSTEMS:
            images = trained(lab, name, kind, seed).sample(SAMPLES, seed=1)
            arrays[f"{kind}_{name}"] = UNITS[kind] * to_units(images)
    for row, samples in arrays.items():
        kind = row.split("_")[0]
        modes = evaluation.modes_covered(samples, centres(kind), SIGMAS[kind])
        numbers |= {row: modes.covered, f"{row}_near": modes.high_quality}
    return numbers, arrays


def draw(arrays, path: str):
    from matplotlib import pyplot

    columns = [*SYSTEMS, UNIFORM]
    figure, axes = pyplot.subplots(2, len(columns), figsize=(1.7 * len(columns), 3.9))
    for row, (kind, view) in zip(axes, VIEWS.items(), strict=True):
        for axis, name in zip(row, columns, strict=True):
            axis.scatter(*centres(kind).T, s=45, facecolors="none", edgecolors="tab:orange", lw=0.7)
            axis.scatter(*arrays[f"{kind}_{name}"].T, s=0.5, alpha=0.4)
            axis.set(xticks=[], yticks=[], xlim=(-view, view), ylim=(-view, view), aspect=1)
            axis.set_title(name, fontsize=7)
    figure.tight_layout(pad=0.4)
    figure.savefig(path, dpi=120)
    pyplot.close(figure)


# VEEGAN's table 1: the modes covered by a GAN and by ALI.
PUBLISHED = {"ring_gan": "1", "ring_ali": "2.8", "grid_gan": "3.3", "grid_ali": "15.8"}

CLAIM = Claim(
    title="Modes covered: a ring of 8 and a grid of 25 Gaussians",
    settings=(
        f"VEEGAN's protocol: {SAMPLES:,} samples; a sample within 3 σ of its nearest mode is near "
        "it, and a mode with a sample near it is covered. The ring has radius 2 and σ .02, the "
        "grid spacing 2 and σ .05; the networks' units of length are 2 and 4; the input of D and E "
        "for a point u is u, and the sine and cosine of 2u and of 4u. All systems have three "
        "layers of 128, an unbounded G, z ~ N(0, I) with latent dimension "
        f"{LATENT}, Adam with a cosine "
        f"decay from 1e-3 to 0 and β1 .5 (WGAN-GP: 0, as published), {PLAIN.steps:,} steps "
        f"with batches of {PLAIN.batch}. R1R2: relativistic average logits, R1 and R2 on all rows "
        "with γ = .1 (in units), which halves every 3,000 steps, weight averaging with .998, four "
        f"layers, also the sines and cosines of 8u and 16u, and {LONG.steps:,} steps with batches "
        f"of {LONG.batch}. Uniform noise is "
        f"{SAMPLES:,} points in the square of the picture. The published figures are those of "
        "VEEGAN's table, with its own networks and z."
    ),
    checks=tuple(
        Check(
            what,
            f"{kind}_{name}{suffix}",
            PUBLISHED.get(f"{kind}_{name}{suffix}", ""),
            least=least if name in WITH_PENALTY else None,
            digits=0,
        )
        for kind, modes, enough in (("ring", 8, 8), ("grid", 25, 24))
        for name in (*SYSTEMS, UNIFORM)
        for what, suffix, least in (
            (f"`{name}`, {kind}: modes of {modes}", "", enough),
            (f"`{name}`, {kind}: samples near a mode, %", "_near", 80),
        )
    ),
    measure=measure,
    draw=draw,
)
