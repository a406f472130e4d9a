"""The images that a command is given with --data, as a trained model takes them."""

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
from absl import flags, logging
from tqdm import tqdm

from tf_bigan import data
from tf_bigan.core.model import AdversarialModel
from tf_bigan.data import FROM_PATH, MEMORY_LIMIT
from tf_bigan.data.folder import open_folder
from tf_bigan.data.home import expanded
from tf_bigan.data.splits import SPLITS, Images
from tf_bigan.data.streaming import StreamedImages
from tf_bigan.errors import UserError
from tf_bigan.run import build
from tf_bigan.run.config import Config
from tf_bigan.run.trained import run_of

BATCH = 256  # images in memory at once


@dataclass(frozen=True)
class Given:
    """Images of a model's size and channels, fitted as training images are.

    names: str [N], the file of each image relative to the folder, or its number in the data.
    parts: {part: its images}.
    """

    names: np.ndarray
    parts: Mapping[str, Images]

    def __len__(self) -> int:
        return len(self.names)

    def chunks(self) -> Iterator[tuple[dict[str, np.ndarray], data.ImageData]]:
        """(columns, at most `BATCH` images), with a progress bar on a terminal.

        The columns `name` and `label` [n] say which images they are. There are labels only if all
        parts have them; a warning says if some have.
        """
        without = [name for name, part in self.parts.items() if not _has_labels(part)]
        if 0 < len(without) < len(self.parts):
            logging.warning("no column of labels: there are none for %s", ", ".join(without))
        done = 0
        with tqdm(total=len(self), unit=" images", leave=False, disable=None) as bar:
            for part in self.parts.values():
                for images in part.chunks(BATCH):
                    columns = {"name": self.names[done : done + len(images)]}
                    if not without and images.classes is not None:
                        columns["label"] = images.classes
                    yield columns, images
                    done += len(images)
                    bar.update(len(images))


def define_data_flags(values: flags.FlagValues):
    """Defines --data, --split and --data_dir."""

    def string(name, text):
        flags.DEFINE_string(name, None, text, flag_values=values, module_name="data")

    string(
        "data",
        "a folder of pictures, with its subfolders, or a zip or tar file of one; or npz:FILE, "
        "idx:DIR or the name of a data set; all of its images [held-out images of the run]",
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
        raise UserError(
            f"split={split} is for the run's own data, not data={text}: leave out one of them"
        )
    if text is None:
        if config is None:
            raise UserError("give --data=DIR: a model without a run has no data of its own")
        split = split or build.held_out_split(config)
        if split not in SPLITS:
            raise UserError(f"split={split} is unknown; choose one of {', '.join(SPLITS)}")
        images = build.load_split(config.replace(data_dir=data_dir), split)
        return _given(model, config, {split: images})
    how, dataset = config or Config(), _as_dataset(text)
    kind, _, path = dataset.partition(":")
    if kind == "folder" and path:
        folder = open_folder(path, background=how.background, structured=False)
        height, width, channels = model.image_shape
        parts = folder.images((height, width), channels, how.resize, MEMORY_LIMIT)
        return Given(np.array([file.relative for file in folder.files]), parts)
    return _given(model, how, data.load_parts(dataset, data_dir=data_dir))


def _as_dataset(text: str) -> str:
    """--data as --dataset would have it: "folder:" or "npz:" before a path.

    Raises UserError for a path that is empty or does not exist.
    """
    if text in ("", *(f"{kind}:" for kind in FROM_PATH)):
        raise UserError(f"data={text} names nothing: give a folder of pictures, or npz:FILE")
    path = expanded(text)
    if text.startswith(tuple(f"{kind}:" for kind in FROM_PATH)):
        return text
    if path.exists():
        is_npz = path.is_file() and path.suffix == ".npz"
        return f"npz:{text}" if is_npz else f"folder:{text}"
    if os.sep in text:
        raise UserError(f"data={text} does not exist: give a folder of pictures, or npz:FILE")
    return text


def _given(model: AdversarialModel, how: Config, parts: Mapping[str, Images]) -> Given:
    height, width, channels = model.image_shape
    fitted = {
        name: part.converted((height, width), channels, how.resize, how.background)
        for name, part in parts.items()
    }
    return Given(np.array([f"{i:06d}" for i in range(sum(map(len, fitted.values())))]), fitted)


def _has_labels(images: Images) -> bool:
    if isinstance(images, StreamedImages):
        return images.has_labels
    return images.labels is not None
