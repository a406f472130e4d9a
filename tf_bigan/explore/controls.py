"""The upload field and the error messages that the pages share."""

import os
from collections.abc import Callable
from functools import wraps

import gradio as gr
import numpy as np

from tf_bigan.errors import UserError
from tf_bigan.explore import markup
from tf_bigan.explore.fitting import Fitting
from tf_bigan.explore.reading import Picture


def file_field(height: int = 130) -> gr.File:
    return gr.File(show_label=False, type="filepath", height=height)


def on_upload(field: gr.File, function: Callable, outputs: list):
    """Calls `function` with the file's path, and clears the upload field."""

    @wraps(function)  # Gradio's API has its name
    def call(path):
        return *function(path), None

    field.upload(call, field, [*outputs, field], show_progress="hidden")


def read_and_delete(path: str, fitting: Fitting) -> Picture:
    """Reads an uploaded file and deletes it, even if it is not an image."""
    try:
        return fitting.read(path)
    finally:
        os.unlink(path)


def any_number() -> int:
    return int(np.random.default_rng().integers(2**31))


def answered(function: Callable, outputs: int) -> Callable:
    """Adds an error message as the first output; after an error the other outputs are kept."""

    @wraps(function)
    def call(*arguments):
        try:
            results = function(*arguments)
        except UserError as error:
            return gr.HTML(markup.notice(f"{error}"), visible=True), *[gr.skip()] * outputs
        return gr.HTML(visible=False), *(results if outputs > 1 else [results])

    return call
