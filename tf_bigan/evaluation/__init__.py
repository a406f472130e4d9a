"""Metrics as functions of arrays (or callables), independent of models."""

from tf_bigan.evaluation.checks import NotFinite, Unmeasurable
from tf_bigan.evaluation.class_agreement import class_agreement
from tf_bigan.evaluation.class_histogram import class_histogram, classes_covered
from tf_bigan.evaluation.classifier_score import classifier_score
from tf_bigan.evaluation.clustering import (
    Clustering,
    clustering,
    clustering_accuracy,
    matched_accuracy,
)
from tf_bigan.evaluation.comparison import Comparison
from tf_bigan.evaluation.feature_classifier import (
    FeatureClassifier,
    fd_classifier,
    train_feature_classifier,
)
from tf_bigan.evaluation.frechet import frechet_distance, gaussian_frechet_distance
from tf_bigan.evaluation.inputs import Inputs
from tf_bigan.evaluation.inversion import InversionError, inversion_error, to_uint8_levels
from tf_bigan.evaluation.kernel_distance import KernelDistance, kernel_distance
from tf_bigan.evaluation.knn import knn_accuracy
from tf_bigan.evaluation.latent_error import latent_error
from tf_bigan.evaluation.logistic_probe import logistic_probe_accuracy
from tf_bigan.evaluation.memorisation import Memorisation, memorisation
from tf_bigan.evaluation.modes import Modes, modes_covered
from tf_bigan.evaluation.neighbours import nearest
from tf_bigan.evaluation.one_nn import one_nn_accuracy
from tf_bigan.evaluation.pca import pca_features
from tf_bigan.evaluation.prdc import PRDC, prdc
from tf_bigan.evaluation.probe import linear_probe_accuracy
from tf_bigan.evaluation.random_features import random_features
from tf_bigan.evaluation.registry import METRICS, Metric, compute
from tf_bigan.evaluation.sliced_wasserstein import sliced_wasserstein

__all__ = [
    "Clustering",
    "Comparison",
    "FeatureClassifier",
    "Inputs",
    "InversionError",
    "KernelDistance",
    "METRICS",
    "Memorisation",
    "Metric",
    "Modes",
    "NotFinite",
    "PRDC",
    "Unmeasurable",
    "class_agreement",
    "class_histogram",
    "classes_covered",
    "classifier_score",
    "clustering",
    "clustering_accuracy",
    "compute",
    "fd_classifier",
    "frechet_distance",
    "gaussian_frechet_distance",
    "inversion_error",
    "kernel_distance",
    "knn_accuracy",
    "latent_error",
    "linear_probe_accuracy",
    "logistic_probe_accuracy",
    "matched_accuracy",
    "memorisation",
    "modes_covered",
    "nearest",
    "one_nn_accuracy",
    "pca_features",
    "prdc",
    "random_features",
    "sliced_wasserstein",
    "to_uint8_levels",
    "train_feature_classifier",
]
