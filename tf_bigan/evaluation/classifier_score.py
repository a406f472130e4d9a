"""Classifier score: are samples recognisable, and of all classes?"""

import numpy as np

from tf_bigan.evaluation.checks import as_probabilities


def classifier_score(probabilities) -> float:
    """exp of the mean KL(p(y|x) || p(y)), p(y) being the mean of p(y|x) (Salimans et al. 2016).

    From 1, when every sample gets the same probabilities, to the number of classes, when each is
    given one class with certainty and all classes are equally frequent. It does not see how the
    samples vary within a class, nor whether they look like the data.

    Args:
        probabilities: p(y|x) [N, K], rows summing to 1, K >= 2.

    Raises:
        ValueError: for another shape, values outside [0, 1], NaN, or rows that do not sum to 1.
    """
    from scipy.special import rel_entr

    probabilities = as_probabilities(probabilities, "probabilities")
    divergence = rel_entr(probabilities, probabilities.mean(axis=0)).sum(axis=1)
    return float(np.exp(divergence.mean()))
