"""Files and directories that are written as a whole or not at all."""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile
from collections.abc import Iterator

from tf_bigan.errors import UserError

try:
    import fcntl
except ImportError:  # Windows, where a killed program's scratch directory stays
    fcntl = None

_PREFIX = ".incomplete-"


@contextlib.contextmanager
def atomically(path: str | os.PathLike) -> Iterator[str]:
    """Gives a name to write to; the file or directory written there becomes `path` at the end.

        with atomically("a.json") as temporary, open(temporary, "w") as file:
            json.dump(record, file)

    Whatever fails or kills the program, `path` is the old file or the new one. A directory that
    replaces another takes two steps: a program killed between them leaves none. Several programs
    may write the same path: the last one to finish wins.

    Raises:
        UserError: the disk is full, or something else that kept the file from being written.
            Errors of the block that are no failures to write its file pass through. In both
            cases nothing is left.
    """
    path = os.path.abspath(path)
    directory, name = os.path.split(path)
    with _explained(path):
        there = directory
        while not os.path.lexists(there):  # made only once there is something to put into it
            there = os.path.dirname(there)
        remove_incomplete(there)
        scratch, lock = _make_scratch(there)
    try:
        temporary = os.path.join(scratch, name)
        with _explained(path, scratch):
            yield temporary
        with _explained(path):
            os.makedirs(directory, exist_ok=True)
            _move(temporary, path)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
        if lock is not None:
            os.close(lock)


def remove_incomplete(directory: str | os.PathLike) -> None:
    """Removes what killed programs left in a directory, but nothing that is being written."""
    for name in os.listdir(directory):
        if name.startswith(_PREFIX):
            scratch = os.path.join(directory, name)
            lock = _lock(scratch, wait=False)
            if lock is not None:
                shutil.rmtree(scratch, ignore_errors=True)
                os.close(lock)


def _move(new: str, path: str) -> None:
    """Makes a file or directory safe on disk, then puts it in the place of `path`."""
    for directory, _, files in os.walk(new):
        for file in (*files, ""):
            _to_disk(os.path.join(directory, file))
    if os.path.isfile(new):
        _to_disk(new)
    old = None
    if os.path.lexists(path) and (os.path.isdir(path) or os.path.isdir(new)):
        old = f"{new}.old"  # no call replaces a directory that is not empty
        os.replace(path, old)
    try:
        os.replace(new, path)
    except OSError:
        if old is not None:
            os.replace(old, path)
        raise
    _to_disk(os.path.dirname(path))


def _make_scratch(directory: str) -> tuple[str, int | None]:
    """(a new directory in `directory`, the lock on it that shows that it is in use).

    A directory and not a file of another name, since Keras may put files of its own beside it.
    """
    while True:
        scratch = tempfile.mkdtemp(prefix=_PREFIX, dir=directory)
        lock = _lock(scratch, wait=True)
        if os.path.isdir(scratch):  # else another program removed it before it was locked
            return scratch, lock
        if lock is not None:
            os.close(lock)


def _lock(directory: str, wait: bool) -> int | None:
    """An open descriptor that holds the lock on a directory; None if it cannot be had.

    The system gives the lock up with the process, even a killed one.
    """
    if fcntl is None:
        return None
    try:
        descriptor = os.open(directory, os.O_RDONLY)
    except OSError:  # another program has removed it
        return None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX if wait else fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:  # in use, or on a file system without locks
        os.close(descriptor)
        return None
    return descriptor


def _to_disk(path: str) -> None:
    """Returns once a file, or a directory's list of files, is safe from a loss of power."""
    if os.name == "nt":  # which can do this only for files that are open for writing
        return
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextlib.contextmanager
def _explained(path: str, scratch: str | None = None) -> Iterator[None]:
    """Makes a UserError of an OSError; with `scratch`, not of one that names a file elsewhere."""
    try:
        yield
    except OSError as error:
        file = error.filename
        if scratch and file is not None and not os.fsdecode(file).startswith(scratch):
            raise
        reason = error.strerror or " ".join(str(error).split()) or type(error).__name__
        raise UserError(
            f"cannot write {path}: {reason}; what was saved before is untouched: make room or "
            "solve this, then start again to resume"
        ) from error
