"""A trained network as a file that runs without this library."""

import dataclasses
import os
from pathlib import Path

import numpy as np

from tf_bigan.data.home import expanded
from tf_bigan.errors import UserError
from tf_bigan.export.checking import Agreement, check, inputs_to_check
from tf_bigan.export.formats import FORMATS, chosen_format, native_stderr_dropped
from tf_bigan.export.model_card import model_card, read_metrics
from tf_bigan.export.parts import PARTS, chosen_part, float32_networks
from tf_bigan.export.place import card_path, check_free, put_in_place
from tf_bigan.run.workdir import Workdir

__all__ = ["FORMATS", "PARTS", "Exported", "export"]


@dataclasses.dataclass(frozen=True)
class Exported:
    """What `export` wrote.

    Attributes:
        path: the file, or the directory of a SavedModel.
        card: the model card.
        agreement: how well the file agrees with the model.
    """

    path: Path
    card: Path
    agreement: Agreement


def export(
    model,
    path: str | os.PathLike,
    what: str = "encoder",
    format: str | None = None,
    *,
    images: np.ndarray | None = None,
    workdir: str | os.PathLike | None = None,
    licence: str | None = None,
    overwrite: bool = False,
) -> Exported:
    """Writes a part of a trained model for another runtime, and a model card beside it.

    The file holds float32 weights (the moving average's, where the model has one), the moving batch
    statistics and the pixel range: images go in as uint8 [N, H, W, C], 0..255, named "image", and
    codes as float32 [N, latent], named "z", for any N; images come out as float32 in [0, 1]. Before
    the file gets its name its own runtime loads it, and must agree with Keras in float32 to 1e-4,
    relative for values above 1.

    Args:
        model: an `AdversarialModel`.
        path: where to write; the card's name is this one and ".md".
        what: "encoder": E(x); "generator": G(z); "reconstructor": G(E(x)); "anomaly": the mean of
            |x - G(E(x))| over the pixels and channels of each image.
        format: "saved_model" (a directory; its signature is "serving_default"), "onnx" or "tflite";
            None goes by the ending of the path.
        images: real ones to compare on, [N, H, W, C], uint8 or floats in [0, 1]; None for random
            ones.
        workdir: the model's run, whose configuration and metrics the card then tells.
        licence: of the weights, for the card.
        overwrite: replace what is at the path even if no export wrote it.

    Raises:
        UserError: an unknown part or format, one that the model has no network for, a converter or
            runtime that is not installed, a path that is taken, metrics of the run that cannot be
            read, images of another shape or range, a network that cannot be converted, or outputs
            that disagree. Nothing is written then.
    """
    import tensorflow as tf  # takes seconds: not for a wrong flag

    path = expanded(path)
    kind = FORMATS[chosen_format(format, path)]
    kind.need()
    part = chosen_part(what, model)
    check_free(path, overwrite)
    run = None if workdir is None else Workdir(workdir)
    metrics = None if run is None else read_metrics(run)
    inputs = inputs_to_check(part, model, images)
    networks = float32_networks(part, model)
    with put_in_place(path) as (written, card):
        try:
            with native_stderr_dropped(), tf.device("CPU:0"):  # a GPU rounds products to TF32
                kind.write(part, networks, model, written)
                call = kind.load(written, part)
                agreement = check(part, model, networks, call, inputs, given=images is not None)
        except UserError:
            raise
        except Exception as error:  # a network of the user's may hold anything
            reason = (str(error).strip() or type(error).__name__).partition("\n")[0][:200]
            raise UserError(f"{kind.name} cannot hold the {part.name}: {reason}") from error
        text = model_card(
            path.name,
            written,
            part,
            kind,
            model,
            agreement,
            run,
            metrics,
            licence,
        )
        card.write_text(text, encoding="utf-8", errors="backslashreplace")
    return Exported(path, card_path(path), agreement)
