"""Reconstructs images with a trained encoder and generator.

usage: tf-bigan reconstruct --workdir=RUN --out=DIR [--name=value ...]

examples:
  tf-bigan reconstruct --workdir=runs/mnist --data=pictures --out=reconstructed
  tf-bigan reconstruct --workdir=runs/mnist --split=test --out=reconstructed

Writes DIR/images with a picture of each image x beside G(E(x)), DIR/grid.png with the first of
them, and DIR/errors.csv with the mean over pixels and channels of |x - G(E(x))| and of its square,
with x in [0, 1]. Images are resized and converted to grey or colour as for the training. The output
appears only when it is complete. Defaults are in [brackets].
"""

from pathlib import Path, PurePosixPath

import numpy as np
from absl import flags

from tf_bigan.core.model import AdversarialModel
from tf_bigan.errors import UserError
from tf_bigan.report import pictures
from tf_bigan.run.flags import define_trained_flags, trained_path
from tf_bigan.run.given import Given, define_data_flags, given
from tf_bigan.run.output import CsvFile, check_finite, check_new, made_anew
from tf_bigan.run.trained import load_with

_GRID = 32  # pairs in grid.png

FLAGS = flags.FlagValues()
define_trained_flags(FLAGS)
define_data_flags(FLAGS)
OUT = flags.DEFINE_string(
    "out",
    None,
    "the directory to write, new or empty",
    flag_values=FLAGS,
    module_name="output",
)


def main() -> int:
    out = check_new(OUT.value)
    model, source = load_with(trained_path(FLAGS), "encoder", "generator")
    if model.image_shape[-1] not in (1, 3, 4):
        raise UserError(f"images of {model.image_shape[-1]} channels cannot be shown")
    images = given(FLAGS, source, model)
    with made_anew(out, directory=True) as directory:
        error = write(directory, model, images)
    print(
        f"wrote {len(images):,} reconstructions of {source} to {out}: mean absolute error "
        f"{error:.4f}"
    )
    return 0


def write(directory: Path, model: AdversarialModel, images: Given) -> float:
    """Reconstructs and writes batch by batch, and returns the mean absolute error.

    Raises:
        UserError: a reconstruction is not finite.
    """
    place = dict(zip(images.names, picture_names(images.names), strict=True))
    first, total = [], 0.0
    with CsvFile(directory / "errors.csv") as file:
        for columns, chunk in images.chunks():
            x = chunk.as_float()
            x_rec = model.reconstruct(x)
            check_finite("reconstructions", x_rec)
            for name, pair in zip(columns["name"], np.stack([x, x_rec], 1), strict=True):
                path = directory / "images" / place[name]
                path.parent.mkdir(parents=True, exist_ok=True)
                picture = pictures.image_grid(pictures.enlarged(pair), columns=2)
                path.write_bytes(pictures.png_bytes(picture))
            if sum(len(pair[0]) for pair in first) < _GRID:
                first.append((x, x_rec))
            difference = (x - x_rec).reshape(len(x), -1).astype(np.float64)
            absolute, squared = np.abs(difference).mean(1), np.square(difference).mean(1)
            total += absolute.sum()
            file.add(**columns, mean_absolute_error=absolute, mean_squared_error=squared)
    shown = [pictures.enlarged(np.concatenate(part)[:_GRID]) for part in zip(*first, strict=True)]
    grid = pictures.originals_over_reconstructions(shown[0], shown[1])
    (directory / "grid.png").write_bytes(pictures.png_bytes(grid))
    return total / len(images)


def picture_names(names: np.ndarray) -> list[str]:
    """NAME.png instead of NAME.jpg; or NAME.jpg.png, where two names differ only in their ends,
    or one would be that of a folder."""
    changed = [PurePosixPath(name).with_suffix(".png") for name in names]
    folders = {folder for path in changed for folder in path.parents}
    if len(set(changed)) < len(changed) or folders & set(changed):
        return [f"{name}.png" for name in names]
    return [str(path) for path in changed]
