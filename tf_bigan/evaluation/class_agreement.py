"""Class agreement: do reconstructions keep the class of the image?"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from tf_bigan.evaluation.checks import Unmeasurable, as_probabilities


def class_agreement(probabilities: npt.ArrayLike, probabilities_rec: npt.ArrayLike) -> float:
    """% of images whose reconstruction gets the class that a classifier gives to the image itself.

    The classes are those with the largest probability, right or wrong: a wrong class of an image
    that its reconstruction gets too counts as kept. So a perfect inversion has 100 with any
    classifier. Reconstructions that ignore their image have about the sum of the squared shares of
    the classes or less, that is, 10 for ten classes of equal size.

        _, probabilities = classifier(x)
        _, probabilities_rec = classifier(model.reconstruct(x))
        class_agreement(probabilities, probabilities_rec)

    Args:
        probabilities: p(y|x) [N, K] of the images, rows summing to 1, K >= 2.
        probabilities_rec: p(y|G(E(x))) [N, K], in the same order.

    Returns:
        Percent, in [0, 100].

    Raises:
        Unmeasurable: a wrong shape, unequal shapes, values outside [0, 1], NaN, or rows that do not
            sum to 1.
    """
    probabilities = as_probabilities(probabilities, "probabilities")
    probabilities_rec = as_probabilities(probabilities_rec, "probabilities_rec")
    if probabilities.shape != probabilities_rec.shape:
        raise Unmeasurable(
            f"probabilities_rec: expected the shape of probabilities, {probabilities.shape}, "
            f"got {probabilities_rec.shape}"
        )
    kept = probabilities.argmax(axis=1) == probabilities_rec.argmax(axis=1)
    return 100 * float(np.mean(kept))
