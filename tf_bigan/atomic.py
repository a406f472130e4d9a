"""Files that are there whole or not at all."""

import contextlib
import os
import shutil
from collections.abc import Iterator

from tf_bigan.errors import UserError

# A directory and not a file of another name, since Keras may put files of its own beside it.
_SCRATCH = ".incomplete-"


@contextlib.contextmanager
def atomically(path: str | os.PathLike) -> Iterator[str]:
    """Gives a name to write to; the file written there becomes `path` once it is safely on disk.

    Whatever fails or kills the program, `path` is the old file or the new one. What a killed
    program left is removed by the next call for the same file, so only one program may write it
    at a time, or by `remove_incomplete`.

    Raises:
        UserError: the file could not be written (the disk is full, for one); nothing is left.
    """
    directory, name = os.path.split(os.path.abspath(path))
    scratch = os.path.join(directory, _SCRATCH + name)
    try:
        shutil.rmtree(scratch, ignore_errors=True)
        os.makedirs(scratch)
        temporary = os.path.join(scratch, name)
        yield temporary
        to_disk(temporary)
        os.replace(temporary, path)
        to_disk(directory)
    except Exception as error:
        raise UserError(
            f"cannot write {os.fspath(path)}: {_reason(error)}; what was saved before is "
            "untouched: make room or mend this, and start again to resume"
        ) from error
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def remove_incomplete(directory: str | os.PathLike):
    """Removes what killed programs left in a directory where no other program writes now."""
    for name in os.listdir(directory):
        if name.startswith(_SCRATCH):
            shutil.rmtree(os.path.join(directory, name), ignore_errors=True)


def to_disk(path: str | os.PathLike):
    """Returns once a file, or a directory's list of files, is safe from a loss of power."""
    if os.name == "nt":  # Windows can do so for what is open for writing alone
        return
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _reason(error: Exception) -> str:
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    return " ".join(str(error).split()) or type(error).__name__
