"""Atomic writes of files and directories."""

from __future__ import annotations

import contextlib
import errno
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
_MANY = 1000  # files of a directory


@contextlib.contextmanager
def atomically(path: str | os.PathLike) -> Iterator[str]:
    """Yields a temporary path; the file or directory written there becomes `path` at the end.

        with atomically("a.json") as temporary, open(temporary, "w") as file:
            json.dump(record, file)

    After any failure, `path` is either the old file or the new one. Replacing a directory takes
    two steps; if the program is killed between them, neither remains. Several programs may write
    the same path: the last one to finish wins.

    Raises:
        UserError: the file cannot be written, for example because the disk is full. Other errors
            of the block pass through. In both cases nothing is left behind.
    """
    path = os.path.abspath(path)
    directory, name = os.path.split(path)
    with _explained(path):
        there = directory
        while not os.path.lexists(there):  # create it only when there is something to put into it
            there = os.path.dirname(there)
    with _scratch(there, path) as scratch:
        temporary = os.path.join(scratch, name)
        with _explained(path, scratch):
            yield temporary
        with _explained(path):
            os.makedirs(directory, exist_ok=True)
            _move(temporary, path)


@contextlib.contextmanager
def filled_atomically(directory: str | os.PathLike) -> Iterator[str]:
    """Yields a temporary path; what the directory written there holds is in `directory` at the end.

    For an empty directory, which may be a mount point or a working directory: it stays as it is.
    After any failure it is empty again. If the program is killed at the end, a part may remain.

    Raises:
        UserError: as `atomically` does; also if somebody else has filled the directory.
    """
    path = os.path.realpath(directory)
    with _scratch(path, path) as scratch, contextlib.ExitStack() as undo:
        temporary = os.path.join(scratch, "new")
        with _explained(path, scratch):
            yield temporary
        with _explained(path):
            if os.listdir(path) != [os.path.basename(scratch)]:
                raise OSError(errno.ENOTEMPTY, os.strerror(errno.ENOTEMPTY), path)
            _flush(temporary)
            for name in os.listdir(temporary):
                undo.callback(_remove, os.path.join(path, name))
                os.replace(os.path.join(temporary, name), os.path.join(path, name))
            _to_disk(path)
        undo.pop_all()


def remove_at_once(path: str | os.PathLike) -> None:
    """Removes a file or directory, of which a killed program leaves no part under its name.

    Raises OSError or UserError if that is not possible.
    """
    directory, name = os.path.split(os.path.abspath(path))
    with _scratch(directory, os.fspath(path)) as scratch:
        os.replace(path, os.path.join(scratch, name))


def remove_incomplete(directory: str | os.PathLike) -> None:
    """Removes the scratch files of killed programs from a directory, but none still in use."""
    for name in os.listdir(directory):
        if name.startswith(_PREFIX):
            scratch = os.path.join(directory, name)
            lock = _lock(scratch, wait=False)
            if lock is not None:
                shutil.rmtree(scratch, ignore_errors=True)
                os.close(lock)


def _remove(path: str) -> None:
    """Removes a file or directory, if it is there."""
    if os.path.isdir(path):
        shutil.rmtree(path, ignore_errors=True)
    elif os.path.lexists(path):
        os.unlink(path)


def _flush(new: str) -> None:
    """Flushes a file, or all of a directory, to disk."""
    inside = [os.path.join(top, file) for top, _, files in os.walk(new) for file in (*files, "")]
    inside = [file for file in inside if not os.path.islink(file)]  # which may lead nowhere
    if len(inside) > _MANY and hasattr(os, "sync"):
        os.sync()  # everything at once: to flush each file may take milliseconds
    else:
        for file in inside:
            _to_disk(file)
    if os.path.isfile(new):
        _to_disk(new)


def _move(new: str, path: str) -> None:
    """Flushes a file or directory to disk, then moves it to `path`."""
    _flush(new)
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


@contextlib.contextmanager
def _scratch(directory: str, path: str) -> Iterator[str]:
    """A new directory in `directory` during the block, for what becomes `path`."""
    with _explained(path):
        remove_incomplete(directory)
        scratch, lock = _make_scratch(directory)
    try:
        yield scratch
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
        if lock is not None:
            os.close(lock)


def _make_scratch(directory: str) -> tuple[str, int | None]:
    """(a new directory in `directory`, a lock that marks it as in use).

    A directory instead of a file, because Keras may put its own files beside the target.
    """
    while True:
        scratch = tempfile.mkdtemp(prefix=_PREFIX, dir=directory)
        lock = _lock(scratch, wait=True)
        if os.path.isdir(scratch):  # else another program removed it before it was locked
            return scratch, lock
        if lock is not None:
            os.close(lock)


def _lock(directory: str, wait: bool) -> int | None:
    """An open descriptor that holds the lock on a directory; None if it is not available.

    The system releases the lock when the process ends, even if it is killed.
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
    """Flushes a file, or a directory's list of files, so that it survives a loss of power."""
    if os.name == "nt":  # Windows can only flush files that are open for writing
        return
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextlib.contextmanager
def _explained(path: str, scratch: str | None = None) -> Iterator[None]:
    """Turns an OSError into a UserError; with `scratch`, not if it names a file elsewhere."""
    try:
        yield
    except OSError as error:
        file = error.filename
        if scratch and file is not None and not os.fsdecode(file).startswith(scratch):
            raise
        reason = error.strerror or " ".join(str(error).split()) or type(error).__name__
        raise UserError(
            f"cannot write {path}: {reason}; what was saved before is untouched: free disk "
            "space or fix the cause, then start again"
        ) from error
