"""Exports a part of a trained model as a file that runs without this library.

model = tb.load("runs/mnist")
tb.export.export(model, "encoder.onnx", part="encoder")
"""

import dataclasses
import os
from pathlib import Path

import numpy as np
import tensorflow as tf

from tf_bigan.core.model import AdversarialModel
from tf_bigan.data.home import expanded
from tf_bigan.errors import UserError
from tf_bigan.export.checking import Agreement, check, inputs_to_check
from tf_bigan.export.formats import FORMATS, chosen_format
from tf_bigan.export.model_card import model_card, read_metrics
from tf_bigan.export.parts import PARTS, chosen_part, float32_networks
from tf_bigan.export.place import card_path, check_free, put_in_place
from tf_bigan.run.workdir import Workdir

__all__ = ["FORMATS", "PARTS", "Exported", "export"]


@dataclasses.dataclass(frozen=True)
class Exported:
    """The result of `export`.

    Attributes:
        path: the file, or the directory of a SavedModel.
        card: the model card.
        agreement: the comparison of the file with the model.
    """

    path: Path
    card: Path
    agreement: Agreement


def export(
    model: AdversarialModel,
    path: str | os.PathLike,
    part: str = "encoder",
    format: str | None = None,
    *,
    images: np.ndarray | None = None,
    workdir: str | os.PathLike | None = None,
    licence: str | None = None,
    overwrite: bool = False,
) -> Exported:
    """Writes a part of a trained model for another runtime, with a model card.

    Inputs are "image", uint8 [N, H, W, C] in 0..255, or "z", float32 [N, latent_dim]; N is free.
    Generated images are float32 in [0, 1]. The file contains float32 weights (the moving average
    if the model has one), the moving batch statistics and the conversion of the pixels.

    The file is loaded in its own runtime before it is moved to `path`. Its outputs must agree with
    those of Keras in float32 to 1e-4, relative for values above 1.

    Args:
        model: a trained model.
        path: the file to write. The card is written to the same path with ".md" appended.
        part: "encoder": E(x); "generator": G(z); "reconstructor": G(E(x)); "anomaly": the mean of
            |x - G(E(x))| over the pixels and channels of each image.
        format: "saved_model" (a directory, signature "serving_default"), "onnx" or "tflite".
            Default: by the suffix of the path.
        images: real images to compare on, [N, H, W, C], uint8 or float in [0, 1]. Default: random
            images.
        workdir: the model's run, whose configuration and metrics go into the card.
        licence: licence of the weights, for the card.
        overwrite: replace an existing file even if it is not an unchanged export.

    Raises:
        UserError: an unknown part or format, a part whose network the model lacks, a converter or
            runtime that is not installed, a path that must not be replaced, unreadable metrics of
            the run, images of a wrong shape or range, a network that cannot be converted, or
            outputs that do not agree. Nothing is written then.

    Example:
        written = tb.export.export(tb.load("runs/mnist"), "g.tflite", part="generator")
        print(written.card, written.agreement.difference)
    """
    path = expanded(path)
    kind = FORMATS[chosen_format(format, path)]
    kind.check_installed()
    chosen = chosen_part(part, model)
    check_free(path, overwrite)
    run = None if workdir is None else Workdir(workdir)
    metrics = None if run is None else read_metrics(run)
    inputs = inputs_to_check(chosen, model, images)
    networks = float32_networks(chosen, model)
    # On the CPU, because a GPU rounds products to TF32.
    with put_in_place(path) as (written, card), tf.device("CPU:0"):
        try:
            kind.write(chosen, networks, model, written)
            call = kind.load(written, chosen)
        except OSError:  # of the disk, which `put_in_place` explains
            raise
        except (tf.errors.ResourceExhaustedError, tf.errors.OutOfRangeError) as error:
            raise OSError(error.message.partition("\n")[0]) from error
        except Exception as error:  # from a converter that does not support the network
            reason = (str(error).strip() or type(error).__name__).partition("\n")[0][:200]
            raise UserError(f"{kind.name} does not support this {part}: {reason}") from error
        agreement = check(chosen, model, networks, call, inputs, given=images is not None)
        text = model_card(path.name, written, chosen, kind, model, agreement, run, metrics, licence)
        card.write_text(text, encoding="utf-8", errors="backslashreplace")
    return Exported(path, card_path(path), agreement)
