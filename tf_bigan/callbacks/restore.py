"""Finding and loading the newest undamaged checkpoint."""

import os
import re
import zipfile
import zlib
from typing import Any

import keras
from absl import logging

from tf_bigan.core.model import AdversarialModel
from tf_bigan.errors import UserError

_NAME = re.compile(r"step-(\d+)\.keras")
_MEMBERS = {"metadata.json", "config.json", "model.weights.h5"}


def checkpoint_path(directory: str, step: int) -> str:
    """The file that holds the state after `step` steps."""
    return os.path.join(directory, f"step-{step:08d}.keras")


def checkpoints(directory: str | os.PathLike) -> list[tuple[int, str]]:
    """(step, path) of every checkpoint in a directory, oldest first; none if it does not exist."""
    if not os.path.isdir(directory):
        return []
    matches = [(_NAME.fullmatch(name), name) for name in os.listdir(directory)]
    return sorted((int(m[1]), os.path.join(directory, name)) for m, name in matches if m)


def latest(directory: str | os.PathLike) -> str | None:
    """The path of the newest checkpoint, which may be damaged; None if there is none."""
    found = checkpoints(directory)
    return found[-1][1] if found else None


def restore(directory: str | os.PathLike) -> tuple[AdversarialModel, str]:
    """Loads the newest checkpoint that is not damaged, and warns of damaged ones.

    Call it inside `strategy.scope()` to continue under a distribution strategy.

    Args:
        directory: directory of a `Checkpoint` callback.

    Returns:
        (the compiled model with its full state, the path of the checkpoint).

    Raises:
        UserError: there is no checkpoint, or all are damaged.

    Example:
        model, path = restore("runs/a/checkpoints")
    """
    found = checkpoints(directory)
    for _, path in reversed(found):
        wrong = damage(path)
        if wrong is None:
            return _loaded(path), path
        logging.warning("%s is damaged (%s); trying the checkpoint before it", path, wrong)
    if found:
        raise UserError(
            f"none of the {len(found)} checkpoints in {os.fspath(directory)} can be read: "
            "delete them to start again from the beginning"
        )
    raise UserError(
        f"no checkpoint in {os.fspath(directory)}: train first, or use another directory"
    )


def load_model(path: str | os.PathLike) -> AdversarialModel:
    """The model in a .keras file. Raises UserError if it is not an `AdversarialModel`."""
    wrong = damage(path)
    if wrong is not None:
        raise UserError(f"{os.fspath(path)} cannot be loaded as a model: {wrong}")
    return _loaded(path)


def _loaded(path: str | os.PathLike) -> AdversarialModel:
    try:
        model: Any = keras.saving.load_model(path)
    except Exception as error:  # a user's file can be wrong in any way
        reason = str(error).strip().partition("\n")[0] or type(error).__name__
        raise UserError(f"{os.fspath(path)} cannot be loaded as a model: {reason}") from error
    if not isinstance(model, AdversarialModel):
        raise UserError(
            f"{os.fspath(path)} holds a {type(model).__name__}, not an AdversarialModel"
        )
    return model


def damage(path: str | os.PathLike) -> str | None:
    """Describes the damage of a .keras file, found by its checksums; None if it is intact."""
    try:
        with zipfile.ZipFile(path) as archive:
            missing = _MEMBERS - set(archive.namelist())
            broken = archive.testzip()
    except (zipfile.BadZipFile, zlib.error, EOFError, OSError, RuntimeError) as error:
        return str(error)
    if missing:
        return f"{', '.join(sorted(missing))} is missing"
    return f"wrong checksum of {broken}" if broken else None
