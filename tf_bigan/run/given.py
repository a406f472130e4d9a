"""The images that a command is given with --data, as a trained model takes them."""

import os
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from absl import flags
from tqdm import tqdm

from tf_bigan import data
from tf_bigan.core.model import AdversarialModel
from tf_bigan.data import FROM_PATH
from tf_bigan.data.folder import open_pictures
from tf_bigan.data.home import expanded
from tf_bigan.data.splits import SPLITS, Images
from tf_bigan.errors import UserError
from tf_bigan.run import build
from tf_bigan.run.trained import run_of

BATCH = 256  # images in memory at once


@dataclass(frozen=True)
class Given:
    """Images of a model's size and channels, fitted as training images are.

    names: str [N], the file of each image relative to the folder, or its number in the data.
    parts: the images.
    """

    names: np.ndarray
    parts: list[Images]

    def __len__(self) -> int:
        return len(self.names)

    def chunks(self) -> Iterator[tuple[np.ndarray, data.ImageData]]:
        """(names, images) of at most `BATCH` images, with a progress bar on a terminal."""
        done = 0
        with tqdm(total=len(self), unit=" images", leave=False, disable=None) as bar:
            for part in self.parts:
                for images in part.chunks(BATCH):
                    yield self.names[done : done + len(images)], images
                    done += len(images)
                    bar.update(len(images))


def define_data_flags(values: flags.FlagValues):
    """Defines --data, --split and --data_dir."""

    def string(name, text):
        flags.DEFINE_string(name, None, text, flag_values=values, module_name="data")

    string(
        "data",
        "a folder of PNG and JPEG, with its subfolders; or npz:FILE, idx:DIR or the name of a data "
        "set; all of its images [held-out images of the run]",
    )
    string("split", "of the run's own data: train, validation or test [validation, else test]")
    string("data_dir", "directory of the data sets [the run's]")


def given(values: flags.FlagValues, source: str, model: AdversarialModel) -> Given:
    """The images that the flags name, for a model that was loaded from the file `source`.

    Raises:
        UserError: there are no such images, or they cannot be fitted to the model.
    """
    text, split, data_dir = (values[name].value for name in ("data", "split", "data_dir"))
    run = run_of(expanded(source))
    config = None if run is None else run.read_config()
    data_dir = data_dir or (config and config.data_dir)
    if text is not None and split is not None:
        raise UserError(f"split={split} is for the run's own data: leave out it or --data")
    if text is None:
        if config is None:
            raise UserError("give --data=DIR: a model without a run has no data of its own")
        split = split or build.held_out_split(config)
        if split not in SPLITS:
            raise UserError(f"split={split} is unknown; choose one of {', '.join(SPLITS)}")
        return _given(model, [build.load_split(config.replace(data_dir=data_dir), split)])
    kind, colon, rest = text.partition(":")
    folder = rest if colon and kind == "folder" else text
    if expanded(folder).is_dir():
        images, names = open_pictures(folder)
        return _given(model, [images], names)
    if expanded(text).is_file() and text.endswith(".npz"):
        text = f"npz:{text}"
    elif not (colon and kind in FROM_PATH):
        _check_name(text)
    parts = data.load_parts(text, data_dir=data_dir)
    return _given(model, list(parts.values()))


def _check_name(text: str) -> None:
    """Raises UserError for what is a path rather than the name of a data set."""
    if expanded(text).exists() or os.sep in text:
        state = "is a file" if expanded(text).exists() else "does not exist"
        raise UserError(f"data={text} {state}: give a folder of PNG and JPEG files, or npz:FILE")


def _given(model: AdversarialModel, parts: list[Images], names: list[str] | None = None) -> Given:
    height, width, channels = model.image_shape
    if names is None:
        names = [f"{i:06d}" for i in range(sum(map(len, parts)))]
    return Given(np.array(names), [p.converted((height, width), channels) for p in parts])
