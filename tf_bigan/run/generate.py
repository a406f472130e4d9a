"""Generates images with a trained generator.

usage: tf-bigan generate --workdir=RUN --out=DIR [--name=value ...]

examples:
  tf-bigan generate --workdir=runs/mnist --count=1000 --out=samples
  tf-bigan generate --workdir=runs/mnist --count=50000 --format=npz --truncation=0.7 --out=samples
  tf-bigan generate --workdir=runs/mnist-triple_gan --classes=3,5 --out=samples

Writes DIR/images/000000.png, ... (in a subfolder for each class, if the system has classes),
DIR/grid.png with the first of them, and DIR/samples.npz with `images` (uint8), `z` and `labels`.
--dataset=folder:DIR/images and --dataset=npz:DIR/samples.npz read them. The output appears only
when it is complete. Defaults are in [brackets].
"""

import contextlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import tensorflow as tf
from absl import flags
from tqdm import tqdm

from tf_bigan.constraints import Count, Seed, check
from tf_bigan.core.model import AdversarialModel
from tf_bigan.errors import UserError, did_you_mean
from tf_bigan.priors import Prior
from tf_bigan.report import pictures
from tf_bigan.run.flags import define_trained_flags, definer, trained_path
from tf_bigan.run.output import NpzFile, check_finite, check_new, made_anew
from tf_bigan.run.trained import load_with

FORMATS = ("png", "grid", "npz")
BATCH = 256  # images in memory at once
_GRID = 64  # images in grid.png

FLAGS = flags.FlagValues()
define_trained_flags(FLAGS)
_define = definer(FLAGS)
_string, _integer = flags.DEFINE_string, flags.DEFINE_integer
COUNT = _define(_integer, "count", 1000, "number of images [1000]", "images")
SEED = _define(_integer, "seed", 0, "random seed of z [0]", "images")
TRUNCATION = _define(
    flags.DEFINE_float,
    "truncation",
    None,
    "draw z closer to the middle of the prior, for better but less diverse images, as 0.7 [no]",
    "images",
)
CLASSES = _define(
    _string,
    "classes",
    None,
    "the classes to generate in turn, as 3 or 0,1,2: values of the prior's last categorical part "
    "[drawn at random]",
    "images",
)
OUT = _define(_string, "out", None, "the directory to write, new or empty", "output")
FORMAT = _define(
    _string,
    "format",
    ",".join(FORMATS),
    "what to write, separated by commas [png,grid,npz]",
    "output",
)


def main() -> int:
    out, formats = check_new(OUT.value), chosen_formats(FORMAT.value or "")
    check("count", COUNT.value, Count)
    check("seed", SEED.value, Seed)
    model, source = load_with(trained_path(FLAGS), "generator")
    if model.image_shape[-1] not in (1, 3, 4) and formats != {"npz"}:
        raise UserError(f"images of {model.image_shape[-1]} channels have no PNG: use --format=npz")
    z, labels, columns = draw(model.prior)
    with made_anew(out, directory=True) as directory:
        write(directory, formats, model, z, labels, columns)
    print(f"wrote {len(z):,} images of {source} to {out}")
    return 0


def chosen_formats(text: str) -> set[str]:
    """--format as a set. Raises UserError for an unknown one."""
    chosen = text.split(",")
    for name in chosen:
        if name not in FORMATS:
            shown = name or "an empty name"
            raise UserError(f"format={text}: {shown} is unknown{did_you_mean(name, FORMATS)}")
    return set(chosen)


def draw(prior: Prior) -> tuple[tf.Tensor, np.ndarray | None, int | None]:
    """(z [N, latent_dim] as `model.sample` draws it, its classes [N] or None, those in turn).

    Raises:
        UserError: --truncation or --classes does not fit the prior.
    """
    z, turn = prior.sample(COUNT.value, SEED.value, TRUNCATION.value), None
    if CLASSES.value is not None:
        parts = CLASSES.value.split(",")
        if not all(part.strip().isdecimal() for part in parts):
            raise UserError(f"classes={CLASSES.value}: give numbers from 0 on, as 3 or 0,1,2")
        turn = len(parts)
        try:
            z = prior.with_classes(z, np.resize(np.array(parts, np.int64), len(z)))
        except UserError as error:
            raise UserError(f"classes={CLASSES.value}: {error}") from None
        except (OverflowError, ValueError):  # not an int64
            raise UserError(f"classes={CLASSES.value}: there is no such class") from None
    return z, None if prior.classes is None else prior.classes_of(z), turn


def write(
    directory: Path,
    formats: set[str],
    model: AdversarialModel,
    z: tf.Tensor,
    labels: np.ndarray | None,
    columns: int | None,
) -> None:
    """Generates and writes batch by batch. Raises UserError for an image that is not finite."""
    places = image_places(directory / "images", len(z), labels) if "png" in formats else None
    for folder in {Path(places(i)).parent for i in range(len(z))} if places else ():
        folder.mkdir(parents=True)
    shown = columns * max(1, _GRID // columns) if columns else _GRID
    first = []
    with contextlib.ExitStack() as stack:
        npz = stack.enter_context(NpzFile(directory / "samples.npz")) if "npz" in formats else None
        bar = stack.enter_context(tqdm(total=len(z), unit=" images", leave=False, disable=None))
        for start in range(0, len(z), BATCH):
            images = model.generate(z[start : start + BATCH])
            check_finite("images", images)
            pixels = np.rint(images * 255).astype(np.uint8)
            if places is not None:
                for number, picture in enumerate(pixels, start):
                    places(number).write_bytes(pictures.png_bytes(picture))
            if npz is not None:
                chosen = slice(start, start + BATCH)
                classes = {} if labels is None else {"labels": labels[chosen]}
                npz.add(images=pixels, z=np.asarray(z[chosen]), **classes)
            if start < shown:
                first.append(images[: shown - start])
            bar.update(len(pixels))
    if "grid" in formats:
        grid = pictures.image_grid(pictures.enlarged(np.concatenate(first)), columns)
        (directory / "grid.png").write_bytes(pictures.png_bytes(grid))


def image_places(root: Path, count: int, labels: np.ndarray | None) -> Callable[[int], Path]:
    """The path of each image, by its number."""
    digits = max(6, len(str(count - 1)))

    def place(number: int) -> Path:
        folder = root if labels is None else root / str(labels[number])
        return folder / f"{number:0{digits}}.png"

    return place
