"""PyOD's neural detectors of images and tables, with their defaults.

Each standardises the columns itself: AutoEncoder and DeepSVDD by default, AnoGAN and ALAD in PyOD's
examples.
"""

import numpy as np
import torch
from pyod.models.alad import ALAD
from pyod.models.anogan import AnoGAN
from pyod.models.auto_encoder import AutoEncoder
from pyod.models.deep_svdd import DeepSVDD

DETECTORS = {  # of (number of columns, seed)
    "AnoGAN": lambda columns, seed: AnoGAN(preprocessing=True),
    "ALAD": lambda columns, seed: ALAD(preprocessing=True),
    "AutoEncoder": lambda columns, seed: AutoEncoder(random_state=seed, verbose=0),
    "DeepSVDD": lambda columns, seed: DeepSVDD(columns, random_state=seed, verbose=0),
}


def scores(name: str, train: np.ndarray, test: np.ndarray, seed: int) -> np.ndarray:
    """Anomaly scores [M] of the test rows, larger = more anomalous.

    Args:
        name: one of `DETECTORS`.
        train: normal rows [N, F].
        test: [M, F].
        seed: also of the global generators of NumPy and PyTorch, which PyOD draws from.
    """
    np.random.seed(seed)
    torch.manual_seed(seed)
    return DETECTORS[name](train.shape[1], seed).fit(train).decision_function(test)
