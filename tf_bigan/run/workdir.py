"""A run's directory, with everything to repeat, resume and evaluate the run."""

import json
import os
import platform
import subprocess
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

import keras
import numpy
import tensorflow

try:
    import fcntl
except ImportError:  # not on Windows
    fcntl = None

import tf_bigan
from tf_bigan.atomic import atomically
from tf_bigan.data.home import expanded
from tf_bigan.errors import UserError
from tf_bigan.run.config import Config
from tf_bigan.run.flags import spelling


class Workdir:
    """The paths of a run below `root`.

    config.json, checkpoints/, model.keras, samples/, logs/, metrics.jsonl; from evaluate.py
    metrics.json, report.png, report.html and classifiers/. A comparison of several runs has only
    comparison.csv, comparison.md, report.html and classifiers/.
    """

    def __init__(self, root: str | os.PathLike):
        self.root = expanded(root)
        self.config = self.root / "config.json"
        self.checkpoints = self.root / "checkpoints"
        self.model = self.root / "model.keras"
        self.samples = self.root / "samples"
        self.logs = self.root / "logs"
        self.history = self.root / "metrics.jsonl"
        self.metrics = self.root / "metrics.json"
        self.report = self.root / "report.png"
        self.page = self.root / "report.html"
        self.classifiers = self.root / "classifiers"
        self.comparison_csv = self.root / "comparison.csv"
        self.comparison_markdown = self.root / "comparison.md"

    def check(self, config: Config):
        """Checks that a run can start or resume here, without writing.

        Raises:
            UserError: as `check_writable`, or something else has the name of a part of it, or it
                has a run with different options; the message lists the differences.
        """
        self.check_writable()
        _check_kinds(self.checkpoints, self.samples, self.logs, self.model, self.history)
        if self.config.exists():
            differences = self.read_config().differences(config)
            if differences:
                raise UserError(
                    f"{self.root} holds a run with other options ({'; '.join(differences)}): "
                    "use the same options, or another workdir=DIR"
                )
        elif any(self.checkpoints.glob("*.keras")):
            raise UserError(
                f"{self.root} has checkpoints but no config.json: use another workdir=DIR"
            )

    def check_results(self):
        """Checks that evaluate.py can write here. Raises UserError as `check` does."""
        self.check_writable()
        _check_kinds(self.metrics, self.report, self.page, self.classifiers)
        _check_kinds(self.comparison_csv, self.comparison_markdown)

    def check_writable(self):
        """Raises UserError if it is not a directory, or apparently cannot be written."""
        there = next(path for path in (self.root, *self.root.parents) if os.path.exists(path))
        if not there.is_dir():
            raise UserError(f"{self.root} cannot be a directory: {there} is a file")
        if not os.access(there, os.W_OK | os.X_OK):
            raise self._not_writable("no permission")

    def make(self):
        """Creates the directory if needed. Raises UserError if that fails."""
        try:
            self.root.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise self._not_writable(error.strerror or str(error)) from error

    def check_images(self, number: int, fingerprint: str | None):
        """Raises UserError if the run here uses other training images.

        number: of training images; a different one would change the steps per epoch.
        fingerprint: a hash of their content and order; None if it is not known.
        """
        record = json.loads(self.config.read_bytes())
        before = record.get("images", number)
        if before != number:
            raise UserError(
                f"{self.root} holds a run with {before:,} training images, now there are "
                f"{number:,}: use the same images, or another workdir=DIR"
            )
        if self.has_other_images(fingerprint):
            raise UserError(
                f"{self.root} holds a run with {before:,} training images, now there are as many, "
                "but not the same or not in the same order: restore the images, or use another "
                "workdir=DIR"
            )

    def has_other_images(self, fingerprint: str | None) -> bool:
        """Whether the run here has learnt from images of another fingerprint, if both are known."""
        before = json.loads(self.config.read_bytes()).get("fingerprint")
        return None not in (before, fingerprint) and before != fingerprint

    def check_outside(self, pictures: Path):
        """Raises UserError if the run would write its pictures into a folder of training data."""
        if real(self.root).is_relative_to(real(pictures)):
            raise UserError(
                f"{self.root} lies in {pictures}, so that the run's own pictures would be training "
                "images: give a workdir=DIR outside of it"
            )

    def prepare(
        self,
        config: Config,
        environment: dict,
        images: int,
        fingerprint: str | None = None,
        class_names: Sequence[str] | None = None,
    ):
        """Creates and locks the directory, and records configuration, environment and data.

        Raises:
            UserError: it cannot be written, or another program is training in it.
        """
        self.make()
        self.lock()
        record = {
            "config": asdict(config),
            "environment": environment,
            "images": images,
            "fingerprint": fingerprint,
            "class_names": class_names,
        }
        text = json.dumps(record, indent=2)
        with atomically(self.config) as temporary:
            Path(temporary).write_text(text + "\n", encoding="utf-8")

    def lock(self):
        """Prevents other trainings in this directory until this program exits.

        Raises:
            UserError: another program is training here.
        """
        if fcntl is None:
            return
        self._lock = open(self.root / ".lock", "wb")  # noqa: SIM115 - open as long as it holds
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise UserError(
                f"another program is training in {self.root}: wait until it ends, or use another "
                "workdir=DIR"
            ) from None
        except OSError:  # a file system without locks
            self._lock.close()

    def _not_writable(self, reason: str) -> UserError:
        return UserError(f"{self.root} cannot be written ({reason}): use another directory")

    def read_config(self) -> Config:
        """The configuration stored in config.json.

        Raises:
            UserError: there is none, or it is broken.
        """
        try:
            return Config.from_dict(dict(json.loads(self.config.read_bytes())["config"]))
        except FileNotFoundError:
            outer = Workdir(self.root.absolute().parent)  # as of RUN/checkpoints
            fix = f"train one with {spelling('train')} --workdir={self.root}"
            fix = f"give {outer.root}, which does" if outer.config.exists() else fix
            raise UserError(f"{self.root} holds no run (no config.json): {fix}") from None
        except NotADirectoryError:
            raise UserError(f"{self.root} is a file: give the directory of a run") from None
        except (KeyError, TypeError):
            raise UserError(f"{self.config} is not the configuration of a run") from None
        except (OSError, ValueError) as error:
            raise UserError(f"{self.config} is not readable as a configuration: {error}") from error

    def read_class_names(self) -> tuple[str, ...] | None:
        """The names of the classes of the training images; None if there are none."""
        names = json.loads(self.config.read_bytes()).get("class_names")
        return tuple(names) if names else None

    def read_history(self) -> list[dict]:
        """The lines of metrics.jsonl, if there is one. Raises UserError if it is broken."""
        if not self.history.exists():
            return []
        try:  # the last line may be incomplete
            lines = self.history.read_text(encoding="utf-8").splitlines(keepends=True)
            records = [json.loads(line) for line in lines if line.endswith("\n")]
            if not all("epoch" in record for record in records):
                raise ValueError("a line without an epoch")
        except (ValueError, TypeError) as error:
            raise UserError(f"{self.history} is not readable as metrics: {error}") from error
        return records


def _check_kinds(*paths: Path):
    """Raises UserError if a directory has the name of a file, which has a suffix, or vice versa."""
    for path in paths:
        is_file = bool(path.suffix)
        if os.path.lexists(path) and path.is_dir() == is_file:
            raise UserError(
                f"{path} is {'a' if is_file else 'not a'} directory: move it away, or use another "
                "directory"
            )


def real(path: str | os.PathLike) -> Path:
    """The absolute path without links; unlike with `Path.resolve`, loops of them are no error."""
    return Path(os.path.realpath(path))


def environment() -> dict:
    """The environment of a run: versions, the revision of the code, the machine."""
    return {
        "tf_bigan": tf_bigan.__version__,
        "tensorflow": tensorflow.__version__,
        "keras": keras.__version__,
        "numpy": numpy.__version__,
        "python": platform.python_version(),
        "machine": f"{platform.machine()}, {os.cpu_count()} CPUs",
        "git_revision": _git_revision(),
    }


def _git_revision() -> str | None:
    """The commit of the code, with "+changes" for uncommitted ones; None outside a checkout."""

    def git(*arguments: str) -> str:
        return subprocess.run(
            ["git", "-C", str(Path(__file__).parent), *arguments],
            capture_output=True,
            text=True,
            check=True,
        ).stdout.strip()

    try:
        changes = "+changes" if git("status", "--porcelain", "--untracked-files=no") else ""
        return git("rev-parse", "HEAD") + changes
    except (OSError, subprocess.CalledProcessError):
        return None
