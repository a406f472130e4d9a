"""Scores the pictures of a folder by how unusual they are among normal ones.

usage: tf-bigan detect --normal=DIR --data=DIR [--out=scores.csv] [--name=value ...]

Fits a BiGANDetector on the pictures of --normal, then writes a score for each of --data (larger is
stranger), a heat map of each, and a page of the strangest and the most usual. Pictures are found,
read and resized as for `tf-bigan train`, but subfolders are not taken for parts or classes.
Defaults are in [brackets].
"""

import os
import sys
from pathlib import Path

import joblib
import numpy as np
from absl import flags

from tf_bigan import models
from tf_bigan.atomic import atomically, remove_at_once
from tf_bigan.data.folder import Folder, open_folder
from tf_bigan.data.home import expanded
from tf_bigan.data.images import ImageData
from tf_bigan.data.listing import printable
from tf_bigan.detect.page import TITLE, coloured, report
from tf_bigan.errors import UserError
from tf_bigan.estimators import BiGANDetector
from tf_bigan.estimators.anomaly.detector import LEAST_ROWS
from tf_bigan.export.formats import ONNX
from tf_bigan.report.page import report_html
from tf_bigan.report.pictures import png_bytes
from tf_bigan.run.config import LARGEST_SEED, Config
from tf_bigan.run.flags import command, define_options, definer
from tf_bigan.run.output import CsvFile
from tf_bigan.run.workdir import Workdir, real

FLAGS = flags.FlagValues()
SMALLEST = 8  # side of an image in pixels
COLUMNS = "file,score,probability,is_outlier"  # of the scores
HEAT_MAP = ".heat_map.png"  # after a picture's name
LONGEST = 255  # bytes of a file's name
MARKED = 1000  # bytes in which an earlier output is recognised
READING = ("channels", "resize", "background", "strict_data")  # as for training
_define = definer(FLAGS)
_string, _integer = flags.DEFINE_string, flags.DEFINE_integer
NORMAL = _define(
    _string, "normal", None, "a folder of normal pictures, or a zip or tar file of one", "data"
)
DATA = _define(_string, "data", None, "the same for the pictures to score", "data")
IMAGE_SIZE = _define(
    _string, "image_size", "32", "resize images to SIDE or HxW pixels [32]", "data"
)
define_options(FLAGS, READING)
OUT = _define(
    _string,
    "out",
    "scores.csv",
    "the file of scores; the page and the folder of heat maps are beside it [scores.csv]",
    "output",
)
HEAT_MAPS = _define(
    flags.DEFINE_boolean,
    "heat_maps",
    True,
    "write heat maps; without them, those of an earlier run with the same --out are removed [true]",
    "output",
)
SAVED_MODEL = _define(
    _string,
    "saved_model",
    None,
    "also write the detector to this path, as a SavedModel, or if it ends in .onnx an ONNX file",
    "output",
)
PICKLE = _define(
    _string, "pickle", None, "also pickle it to this file, for tf-bigan explore", "output"
)
MODEL = _define(_string, "model", "cycle_bigan", "the system to train [cycle_bigan]", "detector")
EPOCHS = _define(
    _integer, "epochs", None, "passes over the normal pictures [500 steps]", "detector",
    lower_bound=1,
)  # fmt: skip
FALSE_ALARMS = _define(
    flags.DEFINE_float,
    "false_alarm_rate",
    0.05,
    "about this fraction of normal pictures are called outliers [0.05]",
    "detector",
)
SEED = _define(
    _integer, "seed", 0, "random seed [0]", "detector", lower_bound=0, upper_bound=LARGEST_SEED
)


def main() -> int:
    if not (NORMAL.value and DATA.value):
        raise UserError("give --normal=DIR, normal pictures, and --data=DIR, pictures to score")
    given = {name: FLAGS[name].value for name in READING if FLAGS[name].present}
    how = Config(image_size=IMAGE_SIZE.value, **given)
    size = how.size
    if size is None or min(size) < SMALLEST:
        raise UserError(f"image_size={how.image_size}: give sides of at least {SMALLEST} pixels")
    out = expanded(OUT.value)
    heat_maps = out.with_name(f"{out.stem}-heat_maps")
    as_onnx = bool(SAVED_MODEL.value) and expanded(SAVED_MODEL.value).suffix == ONNX.suffix
    _check_outputs(out, heat_maps, as_onnx)
    detector = BiGANDetector(
        MODEL.value,
        options={"precision": "float32"} if as_onnx else None,
        epochs=EPOCHS.value,
        false_alarm_rate=FALSE_ALARMS.value,
        random_state=SEED.value,
        verbose=1 if sys.stdout.isatty() else 2,
    )
    models.find(MODEL.value)
    detector.check_parameters()  # before the pictures are read
    folders = [
        open_folder(path, how.strict_data, how.background, structured=False)
        for path in (NORMAL.value, DATA.value)
    ]
    names = [file.relative for file in folders[1].files]
    if HEAT_MAPS.value:
        _check_names(names)
    channels = how.channels or max(folder.channels for folder in folders)
    if (found := len(folders[0].files)) < LEAST_ROWS:
        raise UserError(
            f"normal={NORMAL.value} is too small ({found} usable): give at least "
            f"{LEAST_ROWS} pictures, better hundreds"
        )
    normal, images = (_pixels(folder, size, channels, how.resize) for folder in folders)
    if (normal == normal[0]).all():
        raise UserError(
            f"normal={NORMAL.value}: all {found} pictures are the same, as they are read"
        )
    print(f"{len(normal):,} normal pictures, {len(images):,} to score, {size[0]}x{size[1]}")
    detector.fit(normal)
    scores = -detector.score_samples(images)
    outliers = scores > detector.threshold_
    probabilities = detector.ranks(scores)
    maps = detector.heat_map(images)
    with atomically(out) as temporary, CsvFile(Path(temporary)) as file:
        columns = {"score": scores, "probability": probabilities}
        file.add(file=np.array(names), **columns, is_outlier=outliers.astype(int))
    settings: dict[str, object] = {
        name: printable(str(folder.root))
        for name, folder in zip(("normal", "data"), folders, strict=True)
    }
    settings |= {"threshold": detector.threshold_, "channels": channels, "resize": how.resize}
    settings |= {name: FLAGS[name].value for name in ("model", "image_size", "seed")}
    content = report(images / np.float32(255), scores, outliers, maps, settings)
    report_html(out.with_suffix(".html"), content)
    if HEAT_MAPS.value:
        _write_heat_maps(heat_maps, names, maps)
    elif _are_heat_maps(heat_maps):
        remove_at_once(heat_maps)  # of an earlier run, whose scores are replaced
    if PICKLE.value:
        detector.reading_ = {"resize": how.resize, "background": how.background}
        with atomically(expanded(PICKLE.value)) as temporary:
            joblib.dump(detector, temporary)
    if SAVED_MODEL.value:
        detector.save_model(expanded(SAVED_MODEL.value))
    print(f"{int(outliers.sum())} of {len(images)} are outliers: {out}, {out.stem}.html")
    return 0


def _check_outputs(out: Path, heat_maps: Path, as_onnx: bool) -> None:
    """Raises UserError if an output cannot be written or would replace something else."""
    if out.suffix != ".csv":
        raise UserError(f"out={OUT.value}: the file of scores must end in .csv")
    for path, mark in {out: COLUMNS, out.with_suffix(".html"): f"<title>{TITLE}"}.items():
        if path.is_dir():
            raise UserError(f"out={OUT.value}: {path} is a directory")
        if path.exists() and mark.encode() not in path.read_bytes()[:MARKED]:
            raise UserError(
                f"out={OUT.value}: {path} exists, but detect did not write it: give another name"
            )
    if HEAT_MAPS.value:
        _check_heat_maps(heat_maps)
        for folder in (NORMAL.value, DATA.value):
            if real(heat_maps).is_relative_to(real(expanded(folder))):
                raise UserError(
                    f"out={OUT.value}: the heat maps would lie among the pictures of {folder}: "
                    "give a file outside of it, or --noheat_maps"
                )
    others = {"pickle": PICKLE.value, "saved_model": SAVED_MODEL.value}
    others = {name: expanded(value) for name, value in others.items() if value}
    for file in (out, *others.values()):
        Workdir(file.parent).check_writable()
    written = {"out": [out, out.with_suffix(".html"), heat_maps]}
    for name, path in others.items():
        for earlier, paths in written.items():
            if any(_one_in_the_other(real(path), real(other)) for other in paths):
                raise UserError(
                    f"{name}={path} is also written by --{earlier}: give each a path of its own"
                )
        written[name] = [path]
    if PICKLE.value and expanded(PICKLE.value).is_dir():
        raise UserError(f"pickle={PICKLE.value} is a directory: give a file's name in it")
    if PICKLE.value and expanded(PICKLE.value).exists():
        raise UserError(f"pickle={PICKLE.value} exists: give another name, or remove it first")
    if SAVED_MODEL.value and os.path.lexists(expanded(SAVED_MODEL.value)):
        raise UserError(f"saved_model={SAVED_MODEL.value} exists: choose another path")
    if as_onnx:
        ONNX.check_installed()


def _check_names(names: list[str]) -> None:
    """Raises UserError if a picture's name is so long that its heat map can have none."""
    for name in names:
        if len(os.fsencode(os.path.basename(name) + HEAT_MAP)) > LONGEST:
            raise UserError(
                f"data={DATA.value}: {printable(name)} leaves no room for {HEAT_MAP} in the name "
                "of its heat map: shorten it, or give --noheat_maps"
            )


def _one_in_the_other(path: Path, other: Path) -> bool:
    return path.is_relative_to(other) or other.is_relative_to(path)


def _pixels(folder: Folder, size: tuple[int, int], channels: int, resize) -> np.ndarray:
    """uint8 [N, H, W, C] of all pictures. The detector needs them in memory."""
    images = folder.images(size, channels, resize, memory_limit=sys.maxsize)["train"]
    assert isinstance(images, ImageData)
    return images.images


def _write_heat_maps(folder: Path, names: list[str], maps: np.ndarray) -> None:
    """A PNG for each picture, in the colours of the page."""
    scale = float(maps.max()) or 1.0
    with atomically(folder) as temporary:
        for name, picture in zip(names, coloured(maps, scale), strict=True):
            # The suffix stays in the name: a.png and a.jpg are two pictures.
            path = Path(temporary, f"{name}{HEAT_MAP}")
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(png_bytes(np.rint(255 * picture).astype(np.uint8)))


def _check_heat_maps(folder: Path) -> None:
    if folder.exists() and not _are_heat_maps(folder):
        raise UserError(f"{folder} exists and is not a folder of heat maps: use another --out")


def _are_heat_maps(folder: Path) -> bool:
    """Whether it is a folder that has nothing but heat maps, in subfolders too."""
    return folder.is_dir() and all(
        path.is_dir() or path.name.endswith(HEAT_MAP) for path in folder.rglob("*")
    )


if __name__ == "__main__":
    command(main, ["tf-bigan detect", *sys.argv[1:]], __doc__, FLAGS)
