"""Anomaly detection: a scikit-learn outlier detector on a trained system, and its scores."""

from tf_bigan.estimators.anomaly.detector import BiGANDetector
from tf_bigan.estimators.anomaly.scores import CRITERIA

__all__ = ["CRITERIA", "BiGANDetector"]
