"""Encodes images with a trained encoder.

usage: tf-bigan encode --workdir=RUN --out=FILE [--name=value ...]

examples:
  tf-bigan encode --workdir=runs/mnist --data=pictures --out=codes.csv
  tf-bigan encode --workdir=runs/mnist --data=npz:images.npz --layer=e- --out=codes.npz
  tf-bigan encode --workdir=runs/mnist --split=test --out=codes.npz

Writes the columns `name` (the file, or a number), `label` (if there are labels), `z` (E(x), for a
Gaussian encoder its mean) and the layer: as arrays of an .npz file, or as columns z_0, z_1, ... of
a .csv file. Images are resized and converted to grey or colour as for the training. The output
appears only when it is complete. Defaults are in [brackets].
"""

from pathlib import Path

import numpy as np
from absl import flags

from tf_bigan.core.model import AdversarialModel
from tf_bigan.run.flags import define_trained_flags, trained_path
from tf_bigan.run.given import Given, define_data_flags, given
from tf_bigan.run.output import CsvFile, NpzFile, check_finite, check_new, made_anew
from tf_bigan.run.trained import load_with

FLAGS = flags.FlagValues()
define_trained_flags(FLAGS)
define_data_flags(FLAGS)
LAYER = flags.DEFINE_string(
    "layer",
    None,
    "also a layer of the encoder, flattened: e-, the last hidden one, or map1, map2, ... [none]",
    flag_values=FLAGS,
    module_name="output",
)
OUT = flags.DEFINE_string(
    "out",
    None,
    "the file to write, FILE.npz or FILE.csv",
    flag_values=FLAGS,
    module_name="output",
)


def main() -> int:
    out = check_new(OUT.value, ".npz", ".csv")
    model, source = load_with(trained_path(FLAGS), "encoder")
    if LAYER.value is not None:
        check_layer(model, LAYER.value)
    images = given(FLAGS, source, model)
    with made_anew(out) as temporary:
        write(temporary, model, images, LAYER.value)
    print(f"wrote {len(images):,} codes of {source} to {out}")
    return 0


def check_layer(model: AdversarialModel, layer: str) -> None:
    """Raises UserError if the encoder has no such features."""
    model.features(np.zeros((1, *model.image_shape), np.float32), layers=[layer])


def write(path: Path, model: AdversarialModel, images: Given, layer: str | None) -> None:
    """Encodes and writes batch by batch. Raises UserError for codes that are not finite."""
    with (NpzFile if path.suffix == ".npz" else CsvFile)(path) as file:
        for columns, chunk in images.chunks():
            columns["z"] = model.encode(chunk.images)
            if layer is not None:
                features = model.features(chunk.images, layers=[layer])[layer]
                columns[layer] = features.reshape(len(chunk), -1)
            check_finite("codes", columns["z"])
            file.add(**columns)
