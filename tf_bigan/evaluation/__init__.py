"""Metrics and pictures: plain arrays (or plain callables) in, numbers or a PNG out."""

from tf_bigan.evaluation.inversion import InversionError, inversion_error, to_uint8_levels
from tf_bigan.evaluation.neighbours import RunningNearest, nearest
from tf_bigan.evaluation.nnd import nnd
from tf_bigan.evaluation.official import OFFICIAL_METRICS, OfficialMetrics, official_metrics
from tf_bigan.evaluation.one_nn import one_nn_accuracy
from tf_bigan.evaluation.pictures import (
    enlarged,
    image_grid,
    originals_over_reconstructions,
    save_png,
)
from tf_bigan.evaluation.probe import linear_probe_accuracy
from tf_bigan.evaluation.report import report_png
from tf_bigan.evaluation.table import format_table

__all__ = [
    "OFFICIAL_METRICS",
    "InversionError",
    "OfficialMetrics",
    "RunningNearest",
    "enlarged",
    "format_table",
    "image_grid",
    "inversion_error",
    "linear_probe_accuracy",
    "nearest",
    "nnd",
    "official_metrics",
    "one_nn_accuracy",
    "originals_over_reconstructions",
    "report_png",
    "save_png",
    "to_uint8_levels",
]
