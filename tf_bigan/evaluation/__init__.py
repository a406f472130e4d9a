"""Metrics and pictures: plain arrays (or plain callables) in, numbers or a PNG out."""

from tf_bigan.evaluation.class_histogram import class_histogram, classes_covered
from tf_bigan.evaluation.classifier_score import classifier_score
from tf_bigan.evaluation.clustering import clustering_accuracy, matched_accuracy
from tf_bigan.evaluation.feature_classifier import (
    FeatureClassifier,
    fd_classifier,
    train_feature_classifier,
)
from tf_bigan.evaluation.few_labels import balanced_rows
from tf_bigan.evaluation.frechet import frechet_distance, gaussian_frechet_distance
from tf_bigan.evaluation.generation import (
    GENERATION_COLUMNS,
    GENERATION_METRICS,
    GenerationMetrics,
    generation_metrics,
)
from tf_bigan.evaluation.heat_map import heat_maps
from tf_bigan.evaluation.inversion import InversionError, inversion_error, to_uint8_levels
from tf_bigan.evaluation.kernel_distance import KernelDistance, kernel_distance
from tf_bigan.evaluation.knn import knn_accuracy
from tf_bigan.evaluation.latent_error import latent_error
from tf_bigan.evaluation.latent_map import latent_map
from tf_bigan.evaluation.line_chart import line_chart
from tf_bigan.evaluation.logistic_probe import logistic_probe_accuracy
from tf_bigan.evaluation.memorisation import Memorisation, memorisation
from tf_bigan.evaluation.modes import Modes, modes_covered
from tf_bigan.evaluation.neighbours import RunningNearest, nearest
from tf_bigan.evaluation.nnd import nnd
from tf_bigan.evaluation.official import OFFICIAL_METRICS, OfficialMetrics, official_metrics
from tf_bigan.evaluation.one_nn import one_nn_accuracy
from tf_bigan.evaluation.pca import pca_features
from tf_bigan.evaluation.pictures import (
    enlarged,
    image_grid,
    originals_over_reconstructions,
    png_bytes,
    save_png,
    shrunk,
)
from tf_bigan.evaluation.prdc import PRDC, prdc
from tf_bigan.evaluation.probe import linear_probe_accuracy
from tf_bigan.evaluation.report import report_png
from tf_bigan.evaluation.report_page import Figure, Section, Table, report_html
from tf_bigan.evaluation.representation import REPRESENTATION_METRICS, representation_metrics
from tf_bigan.evaluation.sliced_wasserstein import sliced_wasserstein
from tf_bigan.evaluation.table import csv_table, format_table, markdown_table

__all__ = [
    "GENERATION_COLUMNS",
    "GENERATION_METRICS",
    "OFFICIAL_METRICS",
    "PRDC",
    "REPRESENTATION_METRICS",
    "FeatureClassifier",
    "Figure",
    "GenerationMetrics",
    "InversionError",
    "KernelDistance",
    "Memorisation",
    "Modes",
    "OfficialMetrics",
    "RunningNearest",
    "Section",
    "Table",
    "balanced_rows",
    "class_histogram",
    "classes_covered",
    "classifier_score",
    "clustering_accuracy",
    "csv_table",
    "enlarged",
    "fd_classifier",
    "format_table",
    "frechet_distance",
    "gaussian_frechet_distance",
    "generation_metrics",
    "heat_maps",
    "image_grid",
    "inversion_error",
    "kernel_distance",
    "knn_accuracy",
    "latent_error",
    "latent_map",
    "line_chart",
    "linear_probe_accuracy",
    "logistic_probe_accuracy",
    "markdown_table",
    "matched_accuracy",
    "memorisation",
    "modes_covered",
    "nearest",
    "nnd",
    "official_metrics",
    "one_nn_accuracy",
    "originals_over_reconstructions",
    "pca_features",
    "png_bytes",
    "prdc",
    "report_html",
    "report_png",
    "representation_metrics",
    "save_png",
    "shrunk",
    "sliced_wasserstein",
    "to_uint8_levels",
    "train_feature_classifier",
]
