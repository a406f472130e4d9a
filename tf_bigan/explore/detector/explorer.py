"""Asks a fitted detector everything about one image."""

import os
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import joblib
import numpy as np

from tf_bigan.data.decoding import RESIZES, colour
from tf_bigan.data.home import expanded
from tf_bigan.errors import UserError
from tf_bigan.estimators import BiGANDetector
from tf_bigan.explore.explorer import Neighbour
from tf_bigan.explore.fitting import Fitting

_SCALED_BY = 256  # normal images, whose heat maps set the scale of colours


@dataclass(frozen=True)
class Finding:
    """What a detector says about an image x.

    x: [H, W, C] in [0, 1].
    score: -`score_samples`, larger is stranger.
    probability: of an outlier, by `predict_proba`.
    is_outlier: whether `predict` is -1.
    values: `anomaly_scores`, by name.
    parts: `score_parts`, by name; their mean is the score.
    heat: `heat_map`, [H, W]; None if the detector makes none.
    neighbours: the nearest reference images, nearest first; their indices are those in `references`
        of the explorer, their labels the numbers of the rows of `fit`.
    """

    x: np.ndarray
    score: float
    probability: float
    is_outlier: bool
    values: dict[str, float]
    parts: dict[str, float]
    heat: np.ndarray | None
    neighbours: list[Neighbour]


class DetectorExplorer:
    """A detector of images with its normal images.

    Args:
        detector: fitted on images.
        progress: called with a line of text before a long calculation.

    Attributes:
        references: the normal images to compare with, float32 [M, H, W, C]; M = 0 if the detector
            keeps none.
        scale: the largest value of the heat maps of some of them, 0 if there are none.

    Raises:
        UserError: the detector is for tables, or for images that no picture file can be; or its
            `reading_` says more than resize and background, or something unknown of them.
    """

    def __init__(
        self, detector: BiGANDetector, progress: Callable[[str], None] = lambda line: None
    ):
        height, width, channels = detector.image_shape_
        if height == width == 1:
            raise UserError("the detector was fitted on tables: the page is for images")
        if channels not in (1, 3, 4):
            raise UserError(
                f"the detector is for images of {channels} channels: pictures have 1, 3 or 4"
            )
        self.detector = detector
        self.fitting = _fitting(detector)
        self.references = np.empty((0, height, width, channels), np.float32)
        self.scale = 0.0
        if detector.keeps_images:
            self.references = detector.reference_images()
            chosen = self.references[:_SCALED_BY]
            progress(f"heat maps of {len(chosen)} normal images")
            self.scale = float(detector.heat_map(chosen).max())

    def look(self, x: np.ndarray, neighbours: int = 8) -> Finding:
        """All about an image [H, W, C], uint8 or float in [0, 1]."""
        detector, row = self.detector, x[None]
        heat, near = None, []
        if detector.keeps_images:
            heat = detector.heat_map(row)[0]
            found = zip(*(part[0, :neighbours] for part in detector.kneighbors(row)), strict=True)
            near = [Neighbour(int(i), str(detector.reference_[i]), float(d)) for d, i in found]
        values = detector.anomaly_scores(row)  # once: the rest follows from it
        parts = detector.parts_of(values)
        (score,) = values["combined"] if "combined" in values else next(iter(parts.values()))
        return Finding(
            x if x.dtype == np.float32 else x.astype(np.float32) / np.float32(255),
            float(score),
            float(detector.ranks([score])[0]),
            bool(score > detector.threshold_),
            {name: float(value[0]) for name, value in values.items()},
            {name: float(part[0]) for name, part in parts.items()},
            heat,
            near,
        )


def _fitting(detector: BiGANDetector) -> Fitting:
    """How pictures become rows like those of `fit`."""
    how: dict[str, Any] = {"resize": "crop", "background": "white"} | detector.reading_
    if len(how) > 2 or how["resize"] not in RESIZES:
        raise UserError(
            f"reading_={detector.reading_}: it can have resize, one of {', '.join(RESIZES)}, and "
            "background, a colour"
        )
    colour(how["background"])
    return Fitting(detector.image_shape_, None, **how)


def load(path: str | os.PathLike) -> BiGANDetector:
    """A fitted detector from a file that joblib or pickle wrote. Runs the code in the file.

    Raises:
        UserError: the file cannot be read, or holds no fitted detector of this version.
    """
    path = expanded(path)
    try:
        found = joblib.load(path)
    except OSError as error:
        raise UserError(f"cannot read detector={path}: {error.strerror or error}") from None
    except Exception as error:  # a damaged or foreign pickle raises anything
        reason = " ".join(f"{type(error).__name__}: {error}".split())
        raise UserError(
            f"detector={path} is not a pickled BiGANDetector of this version ({reason}): write one "
            "with tf-bigan detect --pickle=FILE, or joblib.dump(detector, FILE)"
        ) from error
    if not isinstance(found, BiGANDetector) or not hasattr(found, "offset_"):
        kind = type(found).__name__
        what = f"a {kind} that is not fitted" if isinstance(found, BiGANDetector) else f"a {kind}"
        raise UserError(f"detector={path} holds {what}, not a fitted BiGANDetector")
    if not (hasattr(found, "reference_") and hasattr(found, "reading_")):
        raise UserError(
            f"detector={path} holds a BiGANDetector that an older version fitted: fit it again, "
            "as with tf-bigan detect --pickle=FILE"
        )
    return found
