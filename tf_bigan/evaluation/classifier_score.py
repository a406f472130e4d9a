"""Classifier score, Inception-Score-like: are samples recognisable and of all classes?"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy.special import rel_entr

from tf_bigan.evaluation.checks import as_probabilities


def classifier_score(probabilities: npt.ArrayLike) -> float:
    """Inception-Score-like, with any classifier: exp of the mean KL(p(y|x) || p(y)).

    p(y) is the mean of p(y|x) (Salimans et al. 2016, section 4). The range is from 1, if all
    samples have equal probabilities, to the number of classes, if each sample has one certain
    class and all classes are equally frequent. It does not measure the diversity within a class,
    nor the similarity to the data. It is not comparable with the Inception Score of the Inception
    network.

    All N samples are one split. The usual program gives the mean over ten splits of N / 10.

    Few samples bias it downwards. Their own mean p(y) fits them better than that of the generator
    does: a single sample has score 1, and the expected logarithm increases with N. It is too small
    by about Σ_y Var(p(y|x)) / (2 N p(y)), which is at most (K - 1) / (2 N): with ten classes and
    1,000 samples the score is at most .5 % too low. Compare only equal N.

    Args:
        probabilities: p(y|x) [N, K], rows summing to 1, K >= 2.

    Raises:
        Unmeasurable: a wrong shape, values outside [0, 1], NaN, or rows that do not sum to 1.
    """
    probabilities = as_probabilities(probabilities, "probabilities")
    divergence = rel_entr(probabilities, probabilities.mean(axis=0)).sum(axis=1)
    return float(np.exp(divergence.mean()))
