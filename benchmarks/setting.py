"""The setting of a comparison: networks, batch, data, and equal weights for all variants."""

from dataclasses import dataclass

import numpy as np

ADAM = {"learning_rate": 2e-4, "beta_1": 0.5, "beta_2": 0.999, "epsilon": 1e-8}
# MNIST's size, because the cost of shuffling in the peers' pipelines depends on it.
EXAMPLES = 60_000


@dataclass(frozen=True)
class Setting:
    """One comparison.

    name: its name for `--only`.  title: its heading.
    networks: "paper" or "dcgan", as in `tf_bigan.networks`.
    batch: rows per step.  image_shape: (H, W, C).  latent: latent dimension.
    width: units of the MLP's layers, or channels of the DCGAN's largest feature map.
    hidden: units of the layer in the DCGAN's discriminator that joins z and x.
    """

    name: str
    title: str
    networks: str
    batch: int
    image_shape: tuple[int, int, int] = (28, 28, 1)
    latent: int = 50
    width: int = 1024
    hidden: int = 512


SETTINGS = (
    Setting("mlp128", "The paper's MLP nets, 28×28×1, batch 128", "paper", 128),
    Setting("mlp512", "The paper's MLP nets, 28×28×1, batch 512", "paper", 512),
    Setting("dcgan128", "DCGAN nets, 28×28×1, batch 128", "dcgan", 128, width=32),
)


def images(setting: Setting, examples: int = EXAMPLES) -> np.ndarray:
    """uint8 [examples, H, W, C] random pixels, sparse like handwriting."""
    rng = np.random.default_rng(0)
    pixels = rng.integers(0, 256, (examples, *setting.image_shape), np.uint8)
    return pixels * (rng.random(pixels.shape, np.float32) < 0.2)


def random_weights(shapes: list[tuple[int, ...]], seed: int) -> list[np.ndarray]:
    """float32 arrays of the shapes, with the scale of trained weights.

    Initial weights are not suitable to compare losses: the MLP's logit starts at zero, so that
    every loss is ln 2.
    """
    rng = np.random.default_rng(seed)
    # Vectors are biases, and scales of batch norm, which must not be 0.
    return [
        rng.normal(0.0, 0.05, shape).astype(np.float32) + (0.5 if len(shape) == 1 else 0.0)
        for shape in shapes
    ]
