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
    networks: "paper", "dcgan" or "conv", as in `tf_bigan.networks`.
    batch: rows per step.  image_shape: (H, W, C).  latent: latent dimension.
    width: units of the MLP's layers, or channels of the largest feature map.
    hidden: units of the dense hidden layers of convolutional networks.
    examples: images in memory.
    """

    name: str
    title: str
    networks: str
    batch: int
    image_shape: tuple[int, int, int] = (28, 28, 1)
    latent: int = 50
    width: int = 1024
    hidden: int = 512
    examples: int = EXAMPLES

    def maps(self) -> list[tuple[int, int, int]]:
        """(H, W, C) of the maps of the networks "conv", from the largest to the smallest."""
        (height, width, _), found = self.image_shape, []
        while not found or min(height, width) > 8:
            height, width = -(-height // 2), -(-width // 2)
            found.append((height, width, self.width * min(2 ** len(found), 8)))
        return found


SETTINGS = (
    Setting("mlp128", "The paper's MLP nets, 28×28×1, batch 128", "paper", 128),
    Setting("mlp512", "The paper's MLP nets, 28×28×1, batch 512", "paper", 512),
    Setting("dcgan128", "DCGAN nets, 28×28×1, batch 128", "dcgan", 128, width=32),
    Setting("conv28", "The default conv nets, 28×28×1, batch 64", "conv", 64, latent=16, width=16),
    Setting(
        "conv64",
        "The default conv nets, 64×64×3, batch 64",
        "conv",
        64,
        (64, 64, 3),
        latent=16,
        width=32,
        examples=10_000,  # in the bytes of a small data set of colours
    ),
)


def images(setting: Setting, examples: int | None = None) -> np.ndarray:
    """uint8 [examples, H, W, C] random pixels, sparse like handwriting."""
    rng = np.random.default_rng(0)
    pixels = rng.integers(0, 256, (examples or setting.examples, *setting.image_shape), np.uint8)
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
