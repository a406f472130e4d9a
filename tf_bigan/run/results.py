"""From a subject to its result: loads the model and its data, and measures it."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

from tf_bigan.core.model import AdversarialModel
from tf_bigan.data import ImageData
from tf_bigan.errors import UserError
from tf_bigan.run import build
from tf_bigan.run.gallery import Gallery
from tf_bigan.run.measure import Measured, Measurer
from tf_bigan.run.trained import Subject


@dataclass
class Result:
    """A subject, measured.

    system: the class of the model. data: what it was measured on, as text; `data_key` tells
    other images apart.
    """

    subject: Subject
    measured: Measured
    gallery: Gallery
    system: str
    step: int
    split: str
    data: str
    data_key: str


@dataclass
class Loaded:
    """A subject's model, and what measures it. split, data_key: as in `Result`."""

    subject: Subject
    model: AdversarialModel
    measurer: Measurer
    split: str
    data_key: str


def load(
    subject: Subject, measurers: dict[str, Measurer], *, split: str | None, **options
) -> Loaded:
    """Loads a model and its data.

    Args:
        subject: which.
        measurers: those of the data seen so far, by key; a new one is added.
        split: "validation" or "test"; None for the run's.
        **options: of `Measurer`.

    Raises:
        UserError: the model cannot be loaded, or is for other images.
    """
    model, config = subject.load(), subject.config
    split = split or build.held_out_split(config)
    train = build.in_memory(build.load_split(config, "train"))
    held_out = build.in_memory(build.load_held_out(config, split))
    if config.target_dataset:  # either of the two may be the grey one
        channels = model.image_shape[-1]
        train, held_out = (part.converted(channels=channels) for part in (train, held_out))
    if model.image_shape != train.image_shape:
        raise UserError(
            f"the model is for images of shape {model.image_shape}, but {config.dataset} has "
            f"{train.image_shape}: give --dataset, --image_size and --channels as in its training"
        )
    key = _key(train, held_out)
    if key not in measurers:
        measurers[key] = Measurer(train, held_out, **options)
    return Loaded(subject, model, measurers[key], split, key)


def measure(loaded: Loaded, *, posthoc: bool, progress) -> Result:
    """Measures a model.

    Args:
        loaded: which.
        posthoc: average the batch statistics anew.
        progress: called as progress(stage, done, total).

    Raises:
        UserError: it cannot be measured.
    """
    model, measurer, config = loaded.model, loaded.measurer, loaded.subject.config
    measurer.progress = progress
    batches = None
    if config.target_dataset:
        batches = build.training_batches(config, measurer.train)
    dataset = config.target_dataset or config.dataset
    with build.measurable(model, measurer.train if posthoc else None, batches):
        measured = measurer.measure(model, batches=batches)
        gallery = Gallery(model, measurer.held_out)
    return Result(
        subject=loaded.subject,
        measured=measured,
        gallery=gallery,
        system=type(model).__name__,
        step=int(model.step.numpy()),
        split=loaded.split,
        data=f"{len(measurer.held_out):,} {loaded.split} images of {dataset}",
        data_key=loaded.data_key,
    )


def _key(train: ImageData, held_out: ImageData) -> str:
    digest = hashlib.blake2b(digest_size=8)
    for part in (train, held_out):
        for array in (part.images, part.labels):
            digest.update(b"none" if array is None else array.tobytes())
    return digest.hexdigest()
