"""The page of a detector, in Gradio. Everything is computed by the `DetectorExplorer`."""

import os

import gradio as gr
import numpy as np

from tf_bigan.explore.controls import answered, any_number, file_field, on_upload, read_and_delete
from tf_bigan.explore.detector import markup
from tf_bigan.explore.detector.explorer import DetectorExplorer


def build(explorer: DetectorExplorer) -> gr.Blocks:
    """The page of a detector."""

    def looked(x: np.ndarray, source: str, notes=()) -> str:
        return markup.finding(explorer, explorer.look(x), source, notes)

    def uploaded(path: str) -> str:
        picture = read_and_delete(path, explorer.fitting)
        return looked(picture.pixels, os.path.basename(path), picture.notes)

    def normal() -> str:
        return numbered(any_number() % len(explorer.references))

    def numbered(index: int) -> str:
        number = explorer.detector.reference_[index]
        return looked(explorer.references[index], f"Normal image #{number}")

    with gr.Blocks(title="Is it strange?", analytics_enabled=False, fill_width=True) as page:
        gr.HTML(markup.heading(explorer))
        with gr.Row():
            with gr.Column(scale=2, min_width=280):
                gr.Markdown("### Drop a picture")
                upload = file_field(200)
                if len(explorer.references):
                    gr.Markdown("### or choose a normal one")
                    random = gr.Button("A random normal image", size="sm")
            with gr.Column(scale=5, min_width=480):
                problem = gr.HTML(visible=False)
                result = gr.HTML(numbered(0) if len(explorer.references) else "")
        outputs = [problem, result]
        on_upload(upload, answered(uploaded, 1), outputs)
        if len(explorer.references):
            random.click(answered(normal, 1), None, outputs, show_progress="hidden")
    return page
