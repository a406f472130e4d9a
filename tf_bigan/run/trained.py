"""Loads trained models from runs or files, with their data."""

from __future__ import annotations

import glob
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from absl import logging

from tf_bigan import callbacks, models
from tf_bigan.callbacks.restore import checkpoints, damage, load_model
from tf_bigan.core.model import AdversarialModel
from tf_bigan.data.home import expanded
from tf_bigan.errors import UserError, drawable
from tf_bigan.run.config import Config
from tf_bigan.run.workdir import Workdir, real


@dataclass(frozen=True)
class Trained:
    """A trained model for evaluate.py: a run, or a .keras file.

    name: a short unique name.
    config: its configuration, at least of the data.
    workdir: its run, or None.
    file: a .keras file, or None for the finished model or newest checkpoint of the run.
    """

    name: str
    config: Config
    workdir: Workdir | None = None
    file: Path | None = None

    def load(self) -> AdversarialModel:
        """The model. Raises UserError if it cannot be loaded."""
        if self.file is not None:
            return load(self.file)
        assert self.workdir is not None  # either a file or a workdir is given
        model, path = load_trained(self.workdir.root)
        if path != os.fspath(self.workdir.model):
            print(f"the run has no finished model: using {path}")
        return model


def run_of(file: Path) -> Workdir | None:
    """The run that contains a .keras file as its model or checkpoint, or None."""
    directories = file.absolute().parents[:2]
    return next((run for run in map(Workdir, directories) if run.config.exists()), None)


def load(path: str | os.PathLike) -> AdversarialModel:
    """Loads the trained model of a run or of a .keras file.

    Args:
        path: a .keras file, or the directory of a run: its finished model, or its newest
            checkpoint if that has more steps.

    Raises:
        UserError: it does not exist, cannot be read, or is not an `AdversarialModel`.

    Example:
        model = tb.load("runs/mnist")
        z = model.encode(images)
    """
    return load_trained(path)[0]


def load_trained(path: str | os.PathLike) -> tuple[AdversarialModel, str]:
    """(the model, its file); arguments and errors as in `load`."""
    path = expanded(path)
    if not path.exists():
        raise UserError(f"{path} does not exist: give a .keras file or the directory of a run")
    workdir = run_of(path) if path.is_file() else Workdir(path)
    if workdir is not None:
        models.find(workdir.read_config().model)  # registers a user's own class with Keras
    if workdir is None or path.is_file():
        return load_model(path), os.fspath(path)
    if workdir.model.exists():
        wrong = damage(workdir.model)
        if wrong is None:
            model = load_model(workdir.model)
            newest = max((step for step, _ in checkpoints(workdir.checkpoints)), default=0)
            if int(model.step.numpy()) >= newest:
                return model, os.fspath(workdir.model)
        else:
            logging.warning("%s is damaged (%s); trying the checkpoints", workdir.model, wrong)
    return callbacks.restore(workdir.checkpoints)


def load_with(path: str | os.PathLike, *networks: str) -> tuple[AdversarialModel, str]:
    """`load_trained` of a model that must have these networks, as "encoder".

    Raises:
        UserError: as `load_trained`, or the system lacks one; the message names those that do not.
    """
    root = expanded(path)
    if root.is_dir():  # the configuration tells it at once
        _check_networks(models.find(Workdir(root).read_config().model), networks)
    model, file = load_trained(path)
    _check_networks(type(model), networks)
    return model, file


def _check_networks(system: type[AdversarialModel], networks: Sequence[str]) -> None:
    missing = [network for network in networks if network not in system.network_names()]
    if missing:
        able = [
            name
            for name in models.names()
            if set(networks) <= set(models.find(name).network_names())
        ]
        raise UserError(
            f"{system.__name__} has no {' and no '.join(missing)}; "
            f"systems with {' and '.join(networks)}: {', '.join(able)}"
        )


def trained_runs(text: str, changes: Mapping[str, object]) -> list[Trained]:
    """The runs in directories separated by commas, or matched by a pattern.

    changes: options that override those of the configurations.

    Raises UserError if there is no run.
    """
    workdirs = []
    for part in _separated(text, "workdir"):
        if glob.has_magic(part) and not expanded(part).exists():
            found = [Workdir(path) for path in _matches(part)]
            found = [workdir for workdir in found if workdir.config.exists()]
            if not found:
                raise UserError(f"--workdir={part}: there is no run")
            workdirs += found
        else:
            workdirs.append(Workdir(part))
    workdirs = {real(workdir.root): workdir for workdir in workdirs}.values()
    names = _names([workdir.root for workdir in workdirs])
    return [
        Trained(name, _changed(workdir.read_config(), changes), workdir)
        for name, workdir in zip(names, workdirs, strict=True)
    ]


def _separated(text: str, option: str) -> list[str]:
    """Paths separated by commas. An existing path may have commas in its name.

    Raises UserError for an empty name.
    """
    parts, paths = text.split(","), []
    while parts:
        joined = [",".join(parts[:count]) for count in range(len(parts), 0, -1)]
        path = next((j for j in joined if j and (expanded(j).exists() or _matches(j))), parts[0])
        if not path:
            raise UserError(f"--{option}={text}: a name is empty; separate names by one comma")
        paths.append(path)
        parts = parts[path.count(",") + 1 :]
    return paths


def _matches(pattern: str) -> list[str]:
    return sorted(glob.glob(os.fspath(expanded(pattern)))) if glob.has_magic(pattern) else []


def trained_files(text: str, changes: Mapping[str, object]) -> list[Trained]:
    """The models in files separated by commas, with the data set in `changes` or of their runs.

    Raises UserError for a file that does not exist, or if no data set is known.
    """
    paths = {}
    for part in _separated(text, "model"):
        path = expanded(part)
        if not path.is_file():
            state = "is a directory" if path.is_dir() else "does not exist"
            raise UserError(f"--model={part} {state}: give a .keras file of train.py")
        paths.setdefault(real(path), path)
    paths = paths.values()
    found = []
    for name, path in zip(_names([path.with_suffix("") for path in paths]), paths, strict=True):
        workdir = run_of(path)
        if changes.get("dataset") is None and workdir is None:
            raise UserError("--model needs --dataset: the data to evaluate on")
        config = Config() if workdir is None else workdir.read_config()
        found.append(Trained(name, _changed(config, changes), workdir, path))
    return found


def _changed(config: Config, changes: Mapping[str, object]) -> Config:
    given = {name: value for name, value in changes.items() if value is not None}
    if "dataset" in given:
        given["target_dataset"] = None
    return config.replace(**given)


def _names(paths: Sequence[Path]) -> list[str]:
    """The shortest unique ends of the paths."""
    parts = [real(path).parts for path in paths]
    for count in range(1, max(map(len, parts)) + 1):
        names = ["/".join(part[-count:]) for part in parts]
        if len(set(names)) == len(names):
            break
    return list(map(drawable, names))
