"""Trained models as scikit-learn's estimators."""

from tf_bigan.estimators.anomaly import BiGANDetector
from tf_bigan.estimators.features import BiGANFeatures

__all__ = ["BiGANDetector", "BiGANFeatures"]
