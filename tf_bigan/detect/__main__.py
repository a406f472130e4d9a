"""Scores the pictures of a folder by how unusual they are among normal ones.

usage: tf-bigan detect --normal=DIR --data=DIR [--out=scores.csv] [--name=value ...]

Fits a BiGANDetector on the PNG and JPEG files of --normal, then writes a score for each of --data
(larger is stranger), a heat map of each, and a page of the strangest and the most usual. Defaults
are in [brackets].
"""

import csv
import sys
from pathlib import Path

import numpy as np
from absl import flags

from tf_bigan.atomic import atomically
from tf_bigan.data.home import expanded
from tf_bigan.detect.page import coloured, report
from tf_bigan.detect.pictures import all_grey, files_of, read
from tf_bigan.errors import UserError
from tf_bigan.estimators import BiGANDetector
from tf_bigan.report.page import report_html
from tf_bigan.report.pictures import save_png
from tf_bigan.run.flags import command

FLAGS = flags.FlagValues()
SIDE = 32


def _define(define, name, default, text, group, **bounds):
    return define(name, default, text, flag_values=FLAGS, module_name=group, **bounds)


_string, _integer = flags.DEFINE_string, flags.DEFINE_integer
NORMAL = _define(_string, "normal", None, "the folder of normal pictures", "pictures")
DATA = _define(_string, "data", None, "the folder of the pictures to score", "pictures")
IMAGE_SIZE = _define(
    _integer, "image_size", SIDE, f"resize to this side, in pixels [{SIDE}]", "pictures",
    lower_bound=8,
)  # fmt: skip
CHANNELS = _define(
    _integer, "channels", None, "1 (grey) or 3 (colour) [1 if all pictures are grey]", "pictures"
)
OUT = _define(
    _string,
    "out",
    "scores.csv",
    "the file of scores; the page and the folder of heat maps are beside it [scores.csv]",
    "output",
)
HEAT_MAPS = _define(flags.DEFINE_boolean, "heat_maps", True, "write heat maps [true]", "output")
SAVED_MODEL = _define(
    _string, "saved_model", None, "also write the detector as a SavedModel to this path", "output"
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
SEED = _define(_integer, "seed", 0, "random seed [0]", "detector", lower_bound=0)


def main() -> int:
    if not (NORMAL.value and DATA.value):
        raise UserError("give --normal=DIR, normal pictures, and --data=DIR, pictures to score")
    if CHANNELS.value not in (None, 1, 3):
        raise UserError(f"channels={CHANNELS.value}: choose 1 (grey) or 3 (colour)")
    out = expanded(OUT.value)
    if out.suffix != ".csv":
        raise UserError(f"out={OUT.value}: the file of scores must end in .csv")
    detector = BiGANDetector(
        MODEL.value,
        epochs=EPOCHS.value,
        false_alarm_rate=FALSE_ALARMS.value,
        random_state=SEED.value,
        verbose=1 if sys.stdout.isatty() else 2,
    )
    detector._check_parameters()  # before the pictures are read
    normal_folder, data_folder = expanded(NORMAL.value), expanded(DATA.value)
    normal_files, files = files_of(normal_folder), files_of(data_folder)
    channels = CHANNELS.value or (1 if all_grey(normal_files + files) else 3)
    size = (IMAGE_SIZE.value, IMAGE_SIZE.value)
    _, normal = read(normal_files, size, channels)
    files, images = read(files, size, channels)
    print(f"{len(normal):,} normal pictures, {len(images):,} to score, {size[0]}x{size[1]}")
    detector.fit(normal)
    scores = -detector.score_samples(images)
    outliers = scores > detector.threshold_
    probabilities = detector.predict_proba(images)[:, 1]
    maps = detector.heat_map(images)
    names = [file.relative_to(data_folder) for file in files]
    if SAVED_MODEL.value:
        detector.save_model(expanded(SAVED_MODEL.value))
    if HEAT_MAPS.value:
        _write_heat_maps(out.with_name(f"{out.stem}-heat_maps"), names, maps)
    settings = {"normal": normal_folder, "data": data_folder, "threshold": detector.threshold_}
    settings |= {name: FLAGS[name].value for name in ("model", "image_size", "seed")}
    content = report(images / np.float32(255), scores, outliers, maps, settings)
    report_html(out.with_suffix(".html"), content)
    with atomically(out) as temporary, open(temporary, "w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["file", "score", "probability", "is_outlier"])
        for row in zip(names, scores, probabilities, outliers, strict=True):
            writer.writerow([row[0].as_posix(), f"{row[1]:.6g}", f"{row[2]:.4f}", int(row[3])])
    print(f"{int(outliers.sum())} of {len(images)} are outliers: {out}, {out.stem}.html")
    return 0


def _write_heat_maps(folder: Path, names: list[Path], maps: np.ndarray) -> None:
    """A PNG for each picture, in the colours of the page."""
    scale = float(maps.max()) or 1.0
    if folder.exists() and not (folder.is_dir() and all(map(_is_heat_map, folder.rglob("*")))):
        raise UserError(f"{folder} exists and is not a folder of heat maps: use another --out")
    with atomically(folder) as temporary:
        for name, picture in zip(names, coloured(maps, scale), strict=True):
            # The suffix stays in the name: a.png and a.jpg are two pictures.
            path = Path(temporary, f"{name.as_posix()}.heat_map.png")
            path.parent.mkdir(parents=True, exist_ok=True)
            save_png(path, np.rint(255 * picture).astype(np.uint8))


def _is_heat_map(path: Path) -> bool:
    return path.is_dir() or path.name.endswith(".heat_map.png")


if __name__ == "__main__":
    command(main, ["tf-bigan detect", *sys.argv[1:]], __doc__, FLAGS)
