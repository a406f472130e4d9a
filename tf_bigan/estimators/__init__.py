"""scikit-learn estimators: features of a trained encoder, and an anomaly detector."""

from tf_bigan.estimators.anomaly.detector import BiGANDetector
from tf_bigan.estimators.features import BiGANFeatures

__all__ = ["BiGANDetector", "BiGANFeatures"]
