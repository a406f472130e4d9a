"""Principal components: features that a representation should beat."""

import numpy as np

from tf_bigan.evaluation.checks import as_features, as_rows, check_count, check_same_width


def pca_features(train, *others, components: int = 50) -> tuple[np.ndarray, ...]:
    """Projects rows on the principal components of the training rows.

    Args:
        train: [N, ...] numbers, which alone decide on the components.
        *others: further arrays [M, ...] of the same size a row, such as the test images.
        components: how many, from 1 to min(N, D).

    Returns:
        Features [N, components] of `train`, then [M, components] of each of the others.

    Raises:
        ValueError: for empty, constant or non-finite input, unequal widths, or a number of
            components that the training rows do not allow.
    """
    from sklearn.decomposition import PCA

    train = as_features(train, "train")
    check_count(components, "components", 1, min(train.shape))
    rest = [as_rows(other, f"others[{i}]") for i, other in enumerate(others)]
    for i, rows in enumerate(rest):
        check_same_width(train, "train", rows, f"others[{i}]")
    pca = PCA(components, random_state=0).fit(train)
    return tuple(pca.transform(rows) for rows in (train, *rest))
