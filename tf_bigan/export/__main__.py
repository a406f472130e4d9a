"""Exports a part of a trained model as a file that runs without this library.

usage: tf-bigan export --workdir=DIR [--name=value ...]
       tf-bigan export --model=FILE.keras [--name=value ...]

The file is loaded in its own runtime, and its outputs must agree with the Keras model. A model card
is written too. Input images are uint8 in 0..255, output images float32 in [0, 1]. Defaults are in
[brackets].
"""

import sys

import numpy as np
from absl import flags

from tf_bigan.core.model import AdversarialModel
from tf_bigan.data.home import expanded
from tf_bigan.errors import UserError
from tf_bigan.export import FORMATS, export
from tf_bigan.export.checking import MOST_INPUTS
from tf_bigan.export.formats import chosen_format
from tf_bigan.export.parts import chosen_part
from tf_bigan.export.place import check_free
from tf_bigan.run import build
from tf_bigan.run.flags import command, definer, trained_path
from tf_bigan.run.trained import load_trained, run_of
from tf_bigan.run.workdir import Workdir

FLAGS = flags.FlagValues()
_define = definer(FLAGS)
_string, _boolean = flags.DEFINE_string, flags.DEFINE_boolean
WORKDIR = _define(_string, "workdir", None, "the run: its model, or its newest checkpoint", "model")
MODEL = _define(_string, "model", None, "a .keras file, in a run or not", "model")
PART = _define(
    _string,
    "part",
    "encoder",
    "E(x), G(z), G(E(x)), or the mean of |x - G(E(x))| per image "
    "(encoder | generator | reconstructor | anomaly) [encoder]",
    "file",
)
FORMAT = _define(
    _string,
    "format",
    None,
    "its format (saved_model | onnx | tflite) [by the suffix of --output, else saved_model]",
    "file",
)
OUTPUT = _define(
    _string,
    "output",
    None,
    "the file to write [export/PART in the workdir, or beside the model]",
    "file",
)
OVERWRITE = _define(
    _boolean, "overwrite", False, "replace a file that is not an unchanged export", "file"
)
LICENCE = _define(_string, "licence", None, "licence of the weights, for the model card", "file")


def main() -> int:
    trained = expanded(trained_path(FLAGS))
    part = chosen_part(PART.value)
    output = expanded(OUTPUT.value) if OUTPUT.value else None
    kind = FORMATS[chosen_format(FORMAT.value, output)]
    kind.check_installed()
    beside = (trained.parent if trained.is_file() else trained) / "export"
    path = output or beside / (part.name + kind.suffix)
    check_free(path, OVERWRITE.value)
    model, source = load_trained(trained)
    run = run_of(trained) if trained.is_file() else Workdir(trained)
    written = export(
        model,
        path,
        part.name,
        kind.name,
        images=held_out(run, model) if part.input == "image" and run else None,
        workdir=run and run.root,
        licence=LICENCE.value,
        overwrite=OVERWRITE.value,
    )
    print(
        f"{kind.version()} agrees with {source} on {written.agreement.inputs}: "
        f"largest difference {written.agreement.difference:.1e}"
    )
    print(f"wrote {written.path} and {written.card}")
    return 0


def held_out(run: Workdir, model: AdversarialModel) -> np.ndarray | None:
    """Held-out images of the run, uint8; None, with a line on stderr, if they cannot be loaded."""
    config = run.read_config()
    try:
        images = build.load_held_out(config, build.held_out_split(config))
        few = build.picks(images, MOST_INPUTS).converted(channels=model.image_shape[-1])
    except UserError as error:
        print(f"checking on random images: {error}", file=sys.stderr)
        return None
    return few.images


if __name__ == "__main__":
    command(main, ["tf-bigan export", *sys.argv[1:]], __doc__, FLAGS)
