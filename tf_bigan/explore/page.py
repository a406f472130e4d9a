"""The page of a model, in Gradio. Everything is computed by the `Explorer`."""

import base64
import os
from collections.abc import Callable

import gradio as gr
import numpy as np

from tf_bigan.errors import UserError
from tf_bigan.explore import markup
from tf_bigan.explore.controls import answered, any_number, file_field, on_upload, read_and_delete
from tf_bigan.explore.explorer import Explorer, label_of
from tf_bigan.explore.reading import Picture, read_bytes

_SLIDERS, _SAMPLES, _STEPS = 8, 48, 10
_REACH = 3.0  # range of the sliders, in standard deviations
_PNG = "data:image/png;base64,"

# For pen, mouse or finger. After each stroke the canvas is sent to the server as a PNG.
_PAD_JS = """
const canvas = element.querySelector("canvas"), colour = element.querySelector("input");
const pen = canvas.getContext("2d");
let last = null;
const clear = () => {
  pen.clearRect(0, 0, canvas.width, canvas.height);
  pen.fillStyle = canvas.dataset.paper;
  pen.fillRect(0, 0, canvas.width, canvas.height);
};
const draw = (event) => {
  const box = canvas.getBoundingClientRect(), scale = canvas.width / box.width;
  const to = [(event.clientX - box.left) * scale, (event.clientY - box.top) * scale];
  pen.lineWidth = Math.max(canvas.width, canvas.height) / 13;
  pen.lineCap = pen.lineJoin = "round";
  pen.strokeStyle = colour ? colour.value : canvas.dataset.pen;
  pen.beginPath();
  pen.moveTo(...(last || to));
  pen.lineTo(...to);
  pen.stroke();
  last = to;
};
canvas.addEventListener("pointerdown", (event) => {
  canvas.setPointerCapture(event.pointerId);
  draw(event);
});
canvas.addEventListener("pointermove", (event) => { if (last) draw(event); });
canvas.addEventListener("pointercancel", () => { last = null; });
canvas.addEventListener("pointerup", () => {
  last = null;
  props.value = canvas.toDataURL("image/png");
  trigger("submit");
});
element.querySelector("button").addEventListener("click", clear);
clear();
"""


def build(explorer: Explorer) -> gr.Blocks:
    """The page of a model."""
    name = type(explorer.model).__name__
    title = f"{name} on {explorer.train.name}"
    with gr.Blocks(title=title, analytics_enabled=False, fill_width=True) as page:
        gr.HTML(markup.heading(explorer))
        image = gr.State(explorer.held_out.as_float(0))  # the image shown last
        if explorer.encodes:
            with gr.Tab("Look at an image"):
                _look_tab(explorer, image)
        if explorer.generates:
            with gr.Tab("Move in latent space"):
                _move_tab(explorer, image)
        if explorer.inverts:
            with gr.Tab("Interpolate"):
                _between_tab(explorer)
        if explorer.generates:
            with gr.Tab("Samples"):
                _samples_tab(explorer)
    return page


def _look_tab(explorer: Explorer, image: gr.State):
    def look_at(x: np.ndarray, source: str, notes=()) -> tuple:
        return markup.look(explorer, explorer.look(x), source, notes), x

    def drawn(png: str | None):
        data = base64.b64decode((png or "").removeprefix(_PNG))
        shape = (pad_height, pad_width, 4) if channels == 4 else None  # keeps what is transparent
        fitted = explorer.fitting.drawing(read_bytes(data, "the drawing", shape))
        return look_at(_floats(fitted), "Your drawing", fitted.notes)

    def uploaded(path: str):
        fitted = read_and_delete(path, explorer.fitting)
        return look_at(_floats(fitted), os.path.basename(path), fitted.notes)

    def numbered(number: int | None):
        return look_at(*_held_out(explorer, number))

    height, width, channels = explorer.fitting.shape
    pad_height, pad_width = (round(side * 300 / max(height, width)) for side in (height, width))
    with gr.Row():
        with gr.Column(scale=2, min_width=320):
            gr.Markdown("### Draw")
            html = markup.pad(pad_height, pad_width, channels, explorer.fitting.paper)
            pad = gr.HTML(html_template=html, js_on_load=_PAD_JS)
            gr.Markdown("### or upload an image file")
            upload = file_field()
            gr.Markdown(f"### or choose a held-out image, 0 to {len(explorer.held_out) - 1}")
            number, random = _number(0)
        with gr.Column(scale=5, min_width=480):
            problem = gr.HTML(visible=False)
            result = gr.HTML(numbered(0)[0])
    outputs = [problem, result, image]
    pad.submit(answered(drawn, 2), pad, outputs, show_progress="hidden")
    on_upload(upload, answered(uploaded, 2), outputs)
    random.click(_random(explorer), None, number)
    _on_number(number, answered(numbered, 2), outputs)


def _move_tab(explorer: Explorer, image: gr.State):
    directions = explorer.directions(_SLIDERS)
    count = len(directions.names)

    def shown(z, *steps):
        return markup.moved(explorer.picture_of(z), explorer.picture_of(directions.moved(z, steps)))

    def start(z):
        return z, shown(z, *[0.0] * count), *[0.0] * count

    def from_image(x):
        return start(explorer.model.encode(x[None])[0])

    def from_prior():
        return start(explorer.draw(any_number()))

    first = explorer.draw(0)
    if explorer.encodes:
        first = explorer.model.encode(explorer.held_out.as_float(slice(1)))[0]
    z = gr.State(first)
    with gr.Row():
        with gr.Column(scale=4, min_width=400):
            picture = gr.HTML(shown(first, *[0.0] * count))
            with gr.Row():
                if explorer.encodes:
                    code = gr.Button("From the image", size="sm")
                random = gr.Button("From a random z", size="sm")
                back = gr.Button("Back to the start", size="sm")
        with gr.Column(scale=5, min_width=400):
            gr.HTML(markup.about_directions(explorer))
            sliders = []
            for pair in np.array_split(np.arange(count), -(-count // 2)):
                with gr.Row():
                    sliders += [
                        gr.Slider(-_REACH, _REACH, 0.0, step=0.05, label=directions.names[i])
                        for i in pair
                    ]
    outputs = [z, picture, *sliders]
    if explorer.encodes:
        code.click(from_image, image, outputs, show_progress="hidden")
        image.change(from_image, image, outputs, show_progress="hidden")
    random.click(from_prior, None, outputs, show_progress="hidden")
    back.click(start, z, outputs, show_progress="hidden")
    gr.on(
        [slider.input for slider in sliders],
        shown,
        [z, *sliders],
        picture,
        show_progress="hidden",
        trigger_mode="always_last",
    )


def _between_tab(explorer: Explorer):
    def uploaded(path):
        return _floats(read_and_delete(path, explorer.fitting))

    def numbered(number):
        return _held_out(explorer, number)[0]

    def interpolated(a, b):
        return markup.strip(explorer.between(a, b, _STEPS), explorer.model.prior)

    ends, sources, last = [], [], len(explorer.held_out) - 1
    with gr.Row():
        for title, i in (("From", 0), ("To", min(1, last))):
            ends.append(gr.State(explorer.held_out.as_float(i)))
            with gr.Column():
                gr.Markdown(f"### {title} a held-out image, 0 to {last}, or an image file")
                sources.append((*_number(i), file_field()))
    problem = gr.HTML(visible=False)
    picture = gr.HTML(interpolated(*(end.value for end in ends)))
    for end, (number, random, upload) in zip(ends, sources, strict=True):
        random.click(_random(explorer), None, number)
        _on_number(number, answered(numbered, 1), [problem, end])
        on_upload(upload, answered(uploaded, 1), [problem, end])
        end.change(interpolated, ends, picture, show_progress="hidden")


def _samples_tab(explorer: Explorer):
    def next_seed(seed):
        return seed + 1

    def samples(seed):
        return markup.samples(explorer.model.sample(_SAMPLES, seed))

    seed = gr.State(0)
    more = gr.Button("Draw again", scale=0, size="sm")
    picture = gr.HTML(samples(0))
    more.click(next_seed, seed, seed).then(samples, seed, picture)


def _number(start: int) -> tuple[gr.Number, gr.Button]:
    with gr.Row():
        number = gr.Number(start, precision=0, label="Number", container=False, min_width=100)
        return number, gr.Button("Random", min_width=80)


def _on_number(number: gr.Number, function: Callable, outputs: list):
    gr.on([number.change, number.submit], function, number, outputs, show_progress="hidden")


def _random(explorer: Explorer) -> Callable[[], int]:
    def any_held_out() -> int:
        return any_number() % len(explorer.held_out)

    return any_held_out


def _held_out(explorer: Explorer, number: int | None) -> tuple[np.ndarray, str]:
    """A held-out image by its number, and a description."""
    if number is None or not 0 <= number < len(explorer.held_out):
        raise UserError(f"number={number}: choose one from 0 to {len(explorer.held_out) - 1}")
    label = label_of(explorer.held_out, number)
    kind = "" if label is None else f", of class {label}"
    return explorer.held_out.as_float(number), f"Held-out image {number}{kind}"


def _floats(picture: Picture) -> np.ndarray:
    return picture.pixels.astype(np.float32) / np.float32(255)
