"""What a detector says, as HTML."""

import math
from collections.abc import Sequence
from html import escape

import numpy as np
from matplotlib import colormaps

from tf_bigan.callbacks.pictures import visible
from tf_bigan.explore.detector.explorer import DetectorExplorer, Finding
from tf_bigan.explore.markup import block, histogram, line, row, tile

_GREY = np.array([0.299, 0.587, 0.114], np.float32)
_COVER = 0.8  # of the picture where it is strangest

MEANINGS = {
    "reconstruction": "reconstruction error Σ|x − G(E(x))|",
    "relative": "the same, relative to the brightness Σ|x|",
    "feature_matching": "reconstruction error, also in features of D",
    "cross_entropy": "reconstruction error, and D's loss for the reconstruction",
    "alad": "reconstruction error in features of D(x, x)",
    "latent_distance": "distance of E(x) to the 3 nearest normal codes",
    "latent_density": "how sparse the codes are around E(x), compared with around its neighbours",
    "pixel_distance": "distance of the pixels to the 3 nearest normal images",
    "pixel_density": "how sparse the images are around x, compared with around its neighbours",
    "patch_distance": "the most unusual patch",
    "patch_mean": "the mean over small patches, as in the heat map",
    "hog_distance": "distance of the edges to those of the 3 nearest normal images",
    "hog_density": "how sparse images with such edges are, compared with around their neighbours",
    "principal": "what the principal components leave out",
    "combined": "the mean evidence of several scores",
}


def heading(explorer: DetectorExplorer) -> str:
    """The detector, and what it was fitted on."""
    detector, (height, width, channels) = explorer.detector, explorer.detector.image_shape_
    facts = (
        f"BiGANDetector with {type(detector.model_).__name__}, fitted on "
        f"{len(detector.decision_scores_):,} normal images of {height} × {width} × {channels}, "
        f"{len(detector.held_out_scores_):,} of them held out. Outliers have a score above "
        f"{detector.threshold_:.3g}."
    )
    return f'<h2>Is it strange?</h2><div class="tb-faint">{escape(facts)}</div>'


def overlay(x: np.ndarray, heat: np.ndarray, scale: float) -> np.ndarray:
    """x [H, W, C] in grey, from yellow to dark red where heat [H, W] is up to `scale`."""
    shown = visible(x)
    grey = shown @ _GREY if shown.shape[-1] == 3 else shown[..., 0]
    strength = np.clip(heat / max(scale, 1e-12), 0.0, 1.0)[..., None]
    colour = colormaps["YlOrRd"](strength[..., 0])[..., :3]
    cover = _COVER * strength
    return ((1 - cover) * grey[..., None] + cover * colour).astype(np.float32)


def finding(explorer: DetectorExplorer, found: Finding, source: str, notes: Sequence[str]) -> str:
    """A `Finding`: the verdict, the image with its heat map, the score, its parts, neighbours."""
    done = f"{source}: {'; '.join(notes)}." if notes else f"{source}, unchanged."
    height, width, _ = found.x.shape
    tiles = [tile(found.x, 230, "The picture", f"as the detector sees it, {height}×{width}")]
    faint = done
    if found.heat is not None:
        seen = overlay(found.x, found.heat, explorer.scale)
        tiles.append(tile(seen, 230, "Where it is strange", f"up to {found.heat.max():.3g}"))
        faint += (
            " Colours: how far patches are from all normal patches at the same place; dark red is "
            f"{explorer.scale:.3g} and above, the most in normal images."
        )
    parts = [verdict(explorer, found), block("", row(tiles), faint), score(explorer, found)]
    if found.neighbours:
        kind = "edges" if "hog_distance" in found.parts else "pixels"
        near = line(
            tile(explorer.references[n.index], 76, f"{n.distance:.3g}", f"#{n.label}")
            for n in found.neighbours
        )
        parts.append(
            block(
                "The nearest normal images",
                near,
                f"By the distance between {kind}, among {len(explorer.references):,}. Below each: "
                "distance, number of the row of fit. An image at distance 0 is the picture itself, "
                "and does not count in the score.",
            )
        )
    return "".join(parts)


def verdict(explorer: DetectorExplorer, found: Finding) -> str:
    """Outlier or not, in one line."""
    kind, title = ("strange", "Outlier") if found.is_outlier else ("usual", "Normal")
    text = (
        f"score {found.score:.3g}, threshold {explorer.detector.threshold_:.3g}; probability "
        f"{found.probability:.4g}, the rank among {len(explorer.detector.held_out_scores_):,} "
        "held-out normal images"
    )
    return f'<div class="tb-verdict tb-{kind}"><b>{title}</b><span>{escape(text)}</span></div>'


def score(explorer: DetectorExplorer, found: Finding) -> str:
    """The score among those of held-out normal images, and its parts by name."""
    detector = explorer.detector
    chart = histogram(detector.held_out_scores_, found.score, detector.threshold_)
    others = [name for name in found.values if name not in (*found.parts, "combined")]
    explained = "Bars: held-out normal images; line: the picture; dashed: the threshold."
    is_combined = "combined" in found.values
    if is_combined:
        explained += " P: the share of normal images with at least this value."
    if others:
        listed = ", ".join(f"{name} {found.values[name]:.3g}" for name in others)
        explained += f" Not in the score: {listed}."
    title = f"Score {found.score:.3g}"
    if is_combined:
        title += f", the mean of −ln P of {len(found.parts)} scores"
    most = max(*found.parts.values(), detector.threshold_, 1e-12)
    lines = "".join(
        f'<tr><td><b>{name}</b><div class="tb-faint">{escape(MEANINGS[name])}</div></td>'
        f"<td>{found.values[name]:.3g}</td>"
        + (
            f'<td><div class="tb-bar" style="width:{100 * max(part, 0) / most:.1f}%"></div></td>'
            f"<td>{part:.2f}</td><td>{escape(_percent(part))}</td>"
            if is_combined
            else ""
        )
        + "</tr>"
        for name, part in found.parts.items()
    )
    head = "<th>score</th><th>value</th>"
    if is_combined:
        head += '<th colspan="2">−ln P</th><th>P</th>'
    table = f'<table class="tb-parts"><tr>{head}</tr>{lines}</table>'
    return block(title, chart + table, explained)


def _percent(evidence: float) -> str:
    """P = exp(-evidence)."""
    percent = 100 * math.exp(-evidence)
    return "< 0.0001 %" if percent < 1e-4 else f"{percent:.2g} %" if percent < 99.5 else "100 %"
