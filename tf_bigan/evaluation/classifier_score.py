"""Inception-Score-like: are samples recognisable, and of all classes?"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy.special import rel_entr

from tf_bigan.evaluation.checks import as_probabilities


def classifier_score(probabilities: npt.ArrayLike) -> float:
    """The Inception Score by a classifier of your own: exp of the mean KL(p(y|x) || p(y)).

    p(y) is the mean of p(y|x) (Salimans et al. 2016, section 4). From 1, when every sample gets
    the same probabilities, to the number of classes, when each is given one class with certainty
    and all classes are equally frequent. It does not see how the samples vary within a class, nor
    whether they look like the data. It is not comparable with scores by the Inception network.

    Args:
        probabilities: p(y|x) [N, K], rows summing to 1, K >= 2.

    Raises:
        Unmeasurable: another shape, values outside [0, 1], NaN, or rows that do not sum to 1.
    """
    probabilities = as_probabilities(probabilities, "probabilities")
    divergence = rel_entr(probabilities, probabilities.mean(axis=0)).sum(axis=1)
    return float(np.exp(divergence.mean()))
