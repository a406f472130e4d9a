"""Real images and samples in one feature space, and how alike they are."""

from __future__ import annotations

import dataclasses
from functools import cached_property

import numpy as np

from tf_bigan.evaluation.frechet import frechet_distance
from tf_bigan.evaluation.kernel_distance import KernelDistance, kernel_distance
from tf_bigan.evaluation.prdc import PRDC, prdc


@dataclasses.dataclass(frozen=True, eq=False)
class Comparison:
    """The metrics of two sets of features; each is computed on first use.

    Args:
        real: features of real images [N, D].
        fake: features of samples [M, D].
        seed: random seed of the kernel distance.
    """

    real: np.ndarray
    fake: np.ndarray
    seed: int = 0

    @cached_property
    def frechet_distance(self) -> float:
        """The FID-like Fréchet distance."""
        return frechet_distance(self.real, self.fake)

    @cached_property
    def kernel_distance(self) -> KernelDistance:
        """The KID-like kernel distance."""
        return kernel_distance(self.real, self.fake, seed=self.seed)

    @cached_property
    def prdc(self) -> PRDC:
        """Precision, recall, density and coverage."""
        return prdc(self.real, self.fake)
