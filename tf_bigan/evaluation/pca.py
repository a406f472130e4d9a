"""Principal components, a baseline for representations."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from sklearn.decomposition import PCA

from tf_bigan.constraints import Count, check
from tf_bigan.evaluation.checks import Unmeasurable, as_features, as_rows, check_same_width


def pca_features(
    train: npt.ArrayLike, *others: npt.ArrayLike, components: Count = 50
) -> tuple[np.ndarray, ...]:
    """Projects rows on the principal components of the training rows.

    Args:
        train: [N, ...] numbers, which determine the components.
        *others: other arrays [M, ...] with the same row size, for example test images.
        components: number of components, from 1 to min(N, D).

    Returns:
        Features [N, components] of `train`, then [M, components] of each of the others.

    Raises:
        Unmeasurable: empty, constant or non-finite input, unequal widths, or fewer rows or columns
            than components.
        UserError: `components` is below 1.
    """
    check("components", components, Count)
    train = as_features(train, "train")
    if components > min(train.shape):
        raise Unmeasurable(f"train: expected at least components={components} rows and columns")
    rest = [as_rows(other, f"others[{i}]") for i, other in enumerate(others)]
    for i, rows in enumerate(rest):
        check_same_width(train, "train", rows, f"others[{i}]")
    pca = PCA(components, random_state=0).fit(train)
    return tuple(pca.transform(rows) for rows in (train, *rest))
