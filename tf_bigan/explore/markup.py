"""The parts of the page as HTML. Pictures are embedded, so nothing is written to disk."""

import base64
import io
import math
from collections.abc import Iterable, Sequence
from html import escape

import numpy as np
from PIL import Image

from tf_bigan.callbacks.pictures import visible
from tf_bigan.explore.explorer import Explorer, Look
from tf_bigan.priors import Prior
from tf_bigan.report.heat_map import heat_maps

_FIRST = 8  # number of values of E(x) shown as text
_BINS = 48

CSS = """
.html-container { padding: 0 !important; }
.gradio-container > main { max-width: 1280px !important; margin: 0 auto; }
.tb-row { display: flex; flex-wrap: wrap; gap: 14px; align-items: flex-start; }
.tb-line { flex-wrap: nowrap; gap: 10px; }
.tb-tile { margin: 0; max-width: 100%; min-width: 0; }
.tb-tile img, .tb-pad canvas { display: block; border: 1px solid var(--border-color-primary);
  border-radius: 4px; }
.tb-tile img { width: 100%; }
.tb-tile figcaption { font-size: 13px; line-height: 1.35; margin-top: 5px;
  overflow-wrap: anywhere; }
.tb-faint { opacity: 0.72; font-size: 13px; line-height: 1.45; }
.tb-row + .tb-faint { margin-top: 8px; }
.tb-block { margin-bottom: 22px; }
.tb-block h3 { font-size: 15px; font-weight: 600; margin: 0 0 8px; }
.tb-block svg { display: block; width: 100%; max-width: 700px; overflow: visible; }
.tb-values { font-family: var(--font-mono); font-size: 13px; }
.tb-missing { margin-top: 8px; padding: 10px 14px; border-left: 4px solid #b7791f;
  background: #fdf6e3; color: #6b4a0f; border-radius: 4px; }
.tb-notice { border-left: 4px solid #c62828; background: #fdecea; color: #7a1b14;
  padding: 10px 14px; border-radius: 4px; overflow-wrap: anywhere; }
.tb-verdict { display: flex; flex-wrap: wrap; gap: 4px 14px; align-items: baseline;
  padding: 10px 14px; margin-bottom: 16px; border-left: 4px solid; border-radius: 4px; }
.tb-verdict b { font-size: 20px; color: inherit; }
.tb-verdict span { color: inherit; }
.tb-usual { border-color: #2e7d32; background: #e9f5ea; color: #1d4f20; }
.tb-strange { border-color: #c62828; background: #fdecea; color: #7a1b14; }
.tb-parts { width: 100%; max-width: 700px; margin: 10px 0; border: 0 !important;
  border-collapse: collapse; font-size: 13px; }
.tb-parts tr { border: 0 !important; }
.tb-parts th { text-align: left; font-weight: normal; opacity: 0.72; }
.tb-parts th, .tb-parts td { padding: 5px 10px 5px 0 !important; border: 0 !important;
  border-bottom: 1px solid var(--border-color-primary) !important; white-space: nowrap; }
.tb-parts td:first-child { white-space: normal; }
.tb-parts td:nth-child(3) { width: 30%; }
.tb-bar { height: 10px; background: #d1603d; border-radius: 2px; }
.tb-pad canvas { background: #fff; touch-action: none; cursor: crosshair; max-width: 100%; }
.tb-pad .tb-tools { display: flex; gap: 12px; align-items: center; margin-top: 8px; }
.tb-pad button { padding: 4px 16px; border: 1px solid var(--border-color-primary);
  border-radius: 6px; background: var(--button-secondary-background-fill); cursor: pointer; }
"""


def picture_uri(image: np.ndarray) -> str:
    """An image [H, W, C] in [0, 1] as a data: URI (PNG); only channel 0 if C is not 1 or 3."""
    pixels = np.rint(np.clip(visible(image), 0, 1) * 255).astype(np.uint8)
    png = io.BytesIO()
    Image.fromarray(pixels[..., 0] if pixels.shape[-1] == 1 else pixels).save(png, "PNG")
    return f"data:image/png;base64,{base64.b64encode(png.getvalue()).decode()}"


def tile(image: np.ndarray, width: int, caption: str = "", *faint: str) -> str:
    """An image, enlarged to `width` without smoothing, with lines of text below."""
    lines = [f"<b>{escape(caption)}</b>"] if caption else []
    lines += [f'<span class="tb-faint">{escape(line)}</span>' for line in faint]
    text = f"<figcaption>{'<br>'.join(lines)}</figcaption>" if lines else ""
    rendering = "pixelated" if width >= image.shape[1] else "auto"
    return (
        f'<figure class="tb-tile" style="width:{width}px"><img src="{picture_uri(image)}" '
        f'style="image-rendering:{rendering}" alt="{escape(caption)}">{text}</figure>'
    )


def row(tiles: Iterable[str]) -> str:
    """Tiles side by side, wrapped into lines."""
    return f'<div class="tb-row">{"".join(tiles)}</div>'


def line(tiles: Iterable[str]) -> str:
    """Tiles side by side on one line, shrunk to fit."""
    return f'<div class="tb-row tb-line">{"".join(tiles)}</div>'


def block(title: str, body: str, faint: str = "") -> str:
    """A part of the page with a title and a line of explanation."""
    explained = f'<div class="tb-faint">{escape(faint)}</div>' if faint else ""
    headed = f"<h3>{escape(title)}</h3>" if title else ""
    return f'<div class="tb-block">{headed}{body}{explained}</div>'


def notice(text: str) -> str:
    """An error message."""
    return f'<div class="tb-notice" role="alert">{escape(text)}</div>'


def code_bars(code: np.ndarray) -> str:
    """E(x) as a bar chart (SVG)."""
    largest = max(float(np.abs(code).max()), 1e-6)
    step = 600 / len(code)
    bars = "".join(
        f'<rect x="{i * step:.2f}" y="{50 - 48 * max(v, 0) / largest:.2f}" '
        f'width="{0.8 * step:.2f}" height="{48 * abs(v) / largest:.2f}" '
        f'fill="{"#3d6fb6" if v > 0 else "#d1603d"}"><title>{i + 1}: {v:.3f}</title></rect>'
        for i, v in enumerate(map(float, code))
    )
    zero = '<line x1="0" x2="600" y1="50" y2="50" stroke="currentColor" stroke-opacity="0.4"/>'
    return f'<svg viewBox="0 0 600 100" role="img" aria-label="E(x)">{bars}{zero}</svg>'


def histogram(values: np.ndarray, value: float, threshold: float | None = None) -> str:
    """A histogram of `values` [N], ascending, with a line at `value`, dashed at `threshold`."""
    marks = [value] if threshold is None else [value, threshold]
    low, high = min(float(values[0]), *marks), max(float(values[-1]), *marks)
    high = max(high, low + 1e-6 * max(1.0, abs(low)))
    counts, _ = np.histogram(values.astype(np.float64), _BINS, (low, high))
    step = 600 / _BINS
    bars = "".join(
        f'<rect x="{i * step:.2f}" y="{70 - 66 * count / counts.max():.2f}" '
        f'width="{0.9 * step:.2f}" height="{66 * count / counts.max():.2f}" fill="#9db4d3"/>'
        for i, count in enumerate(counts)
    )
    lines = ('stroke="#d1603d" stroke-width="3"', 'stroke="currentColor" stroke-dasharray="4 3"')
    drawn = "".join(
        f'<line x1="{at:.1f}" x2="{at:.1f}" y1="0" y2="70" {style}/>'
        for at, style in zip((600 * (m - low) / (high - low) for m in marks), lines, strict=False)
    )
    text = 'font-size="12" fill="currentColor" fill-opacity="0.7"'
    scale = (
        f'<text x="0" y="86" {text}>{low:.3g}</text>'
        f'<text x="600" y="86" text-anchor="end" {text}>{high:.3g}</text>'
    )
    return f'<svg viewBox="0 0 600 90" role="img" aria-label="histogram">{bars}{drawn}{scale}</svg>'


def pad(height: int, width: int, channels: int, paper: str) -> str:
    """A canvas to draw on, with a colour to choose unless the model is grey."""
    dark = paper != "transparent" and np.mean([*bytes.fromhex(paper[1:])]) < 128
    pen = "#ffffff" if dark else "#000000"
    colour = f'<label>Pen <input type="color" value="{pen}"></label>' if channels >= 3 else ""
    return (
        f'<div class="tb-pad"><canvas width="{width}" height="{height}" data-paper="{paper}" '
        f'data-pen="{pen}"></canvas><div class="tb-tools"><button type="button">Clear</button>'
        f"{colour}</div></div>"
    )


def heading(explorer: Explorer) -> str:
    """The model, its data, and its missing networks."""
    model, (height, width, channels) = explorer.model, explorer.model.image_shape
    name, step = type(model).__name__, int(model.step.numpy())
    facts = (
        f"Trained for {step:,} steps on {len(explorer.train):,} images of {height} × {width} × "
        f"{channels}; {len(explorer.held_out):,} held out; latent dimension {model.prior.dim}."
    )
    missing = ""
    if not explorer.encodes:
        missing = (
            f"{name} has no encoder E: there are no reconstructions, anomaly scores, nearest "
            "images or interpolations between images. Its generator can be explored."
        )
    elif not explorer.generates:
        missing = (
            f"{name} has no generator G: there are no reconstructions, anomaly scores, samples or "
            "moves in latent space. E(x) and the nearest images can be explored."
        )
    title = escape(f"{name} on {explorer.train.name}")
    return f'<h2>{title}</h2><div class="tb-faint">{facts}</div>' + (
        f'<div class="tb-missing">{escape(missing)}</div>' if missing else ""
    )


def look(explorer: Explorer, look: Look, source: str, notes: Sequence[str]) -> str:
    """A `Look`: the image, its reconstruction and heat map, error, code and neighbours."""
    height, width, _ = look.x.shape
    done = f"{source}: {'; '.join(notes)}." if notes else f"{source}, unchanged."
    tiles = [tile(look.x, 190, "x", f"the model's input, {height}×{width}")]
    if look.reconstruction is not None:
        heat = heat_maps(look.x[None], look.reconstruction[None], scale=1.0)[0]
        tiles += [
            tile(look.reconstruction, 190, "G(E(x))", "the reconstruction"),
            tile(heat, 190, "|x − G(E(x))|", "black is 0, pale yellow is 1"),
        ]
    parts = [block("The image", row(tiles), done)]
    if look.percentile is not None and look.error is not None:
        parts.append(
            block(
                f"Reconstruction error above {math.floor(look.percentile)} % of held-out images",
                histogram(explorer.errors, look.error),
                f"The sum of |x − G(E(x))| is {look.error:.1f}, the line. The bars are those of "
                f"{len(explorer.errors):,} held-out images.",
            )
        )
    values = ", ".join(f"{value:.2f}" for value in look.code[:_FIRST])
    more = ", …" if len(look.code) > _FIRST else ""
    parts.append(
        block(
            f"E(x), {len(look.code)} values",
            code_bars(look.code) + f'<div class="tb-values">{values}{more}</div>',
        )
    )
    near = line(
        tile(
            explorer.train.as_float(n.index),
            76,
            *([] if n.label is None else [n.label]),
            f"{n.distance:.2f}",
            f"#{n.index}",
        )
        for n in look.neighbours
    )
    parts.append(
        block(
            "Nearest training images",
            near,
            f"By the distance between codes E(x), among {len(explorer.codes):,} images. Below "
            f"each: {'' if explorer.train.labels is None else 'class, '}distance, index.",
        )
    )
    return "".join(parts)


def moved(start: np.ndarray, now: np.ndarray) -> str:
    """G(z) before and after moving the sliders."""
    return row([tile(start, 120, "G(z)", "the start"), tile(now, 264, "G(z moved)")])


def about_directions(explorer: Explorer) -> str:
    """An explanation of the sliders."""
    if explorer.encodes:
        text = (
            f"The principal components of E(x) over {len(explorer.codes):,} training images, with "
            "their share of the variance. Units: standard deviations from the start."
        )
    else:
        text = "The first dimensions of z. Units: standard deviations of the prior."
    return f'<div class="tb-faint">{text} Images of z far from the prior mean little.</div>'


def strip(images: np.ndarray, prior: Prior) -> str:
    """Two images, and the interpolations between them."""
    captions = ["from", "G(E(from))", *[""] * (len(images) - 4), "G(E(to))", "to"]
    tiles = (tile(image, 84, caption) for image, caption in zip(images, captions, strict=True))
    return block("Interpolation", line(tiles), f"From E(from) to E(to); path: {prior.path}.")


def samples(images: np.ndarray) -> str:
    """Samples G(z), [N, H, W, C]."""
    return block("G(z) for draws of the prior", row(tile(image, 84) for image in images))
