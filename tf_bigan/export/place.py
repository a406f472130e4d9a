"""Paths of an export and its model card, and the files that they may replace."""

import contextlib
import hashlib
import os
from collections.abc import Iterator
from pathlib import Path

from tf_bigan.atomic import atomically
from tf_bigan.errors import UserError

# The first line of every model card.
MARK = "<!-- written by tf_bigan.export -->"


def card_path(path: Path) -> Path:
    """The path of an export's model card. Raises UserError if `path` has no file name."""
    if not path.name:
        raise UserError(f"{path} is not a file name")
    return path.with_name(path.name + ".md")


def digest(path: Path) -> str:
    """SHA-256 of a file; of a directory, that of the digests and names of its files, sorted."""
    if path.is_file():
        return hashlib.sha256(path.read_bytes()).hexdigest()
    files = sorted((file.relative_to(path).as_posix(), file) for file in path.rglob("*"))
    lines = [f"{digest(file)}  {name}\n" for name, file in files if file.is_file()]
    return hashlib.sha256("".join(lines).encode()).hexdigest()


def check_free(path: Path, overwrite: bool) -> None:
    """Raises UserError if a file at the path, or at that of its card, must not be replaced.

    An unchanged earlier export, identified by the digest in its card, may be replaced. With
    `overwrite` any file, and any directory with a SavedModel, may be replaced.
    """
    card = card_path(path)
    taken = [p for p in (path, card) if os.path.lexists(p)]
    if not taken or _is_export(path, card):
        return
    if not overwrite:
        raise UserError(
            f"{taken[0]} exists and is not an unchanged export: use another path, or overwrite=True"
        )
    for directory in (p for p in taken if p.is_dir()):
        if directory == card or not (directory / "saved_model.pb").is_file():
            raise UserError(f"{directory} is a directory without a SavedModel: choose another path")


def _is_export(path: Path, card: Path) -> bool:
    if not card.is_file():
        return False
    text = card.read_text(encoding="utf-8", errors="replace")
    return text.startswith(MARK) and (not os.path.lexists(path) or digest(path) in text)


@contextlib.contextmanager
def put_in_place(path: Path) -> Iterator[tuple[Path, Path]]:
    """Yields temporary paths of an export and its card; both are moved to `path` at the end."""
    with atomically(card_path(path)) as card, atomically(path) as written:
        yield Path(written), Path(card)
