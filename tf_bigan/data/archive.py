"""Folders of pictures that come as a zip or tar file: unpacked once, into the cache directory."""

from __future__ import annotations

import contextlib
import errno
import lzma
import os
import shutil
import tarfile
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path

from tf_bigan.atomic import atomically
from tf_bigan.data import cache
from tf_bigan.data.listing import printable
from tf_bigan.errors import UserError

BROKEN = (
    *(tarfile.TarError, zipfile.BadZipFile, zlib.error, lzma.LZMAError),
    *(EOFError, OSError, ValueError),
)
# Names that are too long, or that are those of a file and of a folder.
BAD_NAMES = {errno.ENAMETOOLONG, errno.ENOTDIR, errno.EISDIR, errno.EEXIST}
DAMAGED = "it is damaged or cut off"


def unpacked(path: Path) -> Path:
    """The folder with the content of a zip or tar file, compressed or not.

    The same file, by its size and time, is unpacked only once.

    Raises UserError if it is neither, is damaged or encrypted, or does not fit on the disk.
    """
    status = path.stat()
    key = cache.key_of("archive 2", os.path.abspath(path), status.st_size, status.st_mtime_ns)
    folder = cache.directory() / "archives" / key
    if folder.is_dir():
        with contextlib.suppress(OSError):  # of somebody else
            os.utime(folder)
        return folder
    try:
        opened = _open(path)
    except BROKEN as error:
        raise UserError(f"cannot unpack {path}: {error}") from error
    if opened is None:
        raise UserError(f"{path} is a file: give a folder, or a zip or tar file of one")
    try:
        with opened, atomically(folder) as temporary:
            os.mkdir(temporary)
            _check_room(path, opened, temporary)
            with _names_explained(temporary):
                if isinstance(opened, tarfile.TarFile):
                    # What leads out of the folder, and devices, raise an error.
                    opened.extractall(temporary, filter="data")
                    _check_end(opened)
                else:
                    opened.extractall(temporary, _members(opened))
    except RuntimeError as error:  # a password is needed
        raise UserError(f"cannot unpack {path}: {error}") from error
    except BROKEN as error:
        if isinstance(error, UserError):  # of the cache: no room, or it cannot be written
            way_out = "set TF_BIGAN_CACHE=DIR to a directory on another disk"
            raise UserError(f"{error}: {way_out}") from error
        raise UserError(f"cannot unpack {path}: {error}") from error
    cache.trim(folder.parent.parent)
    return folder


@contextlib.contextmanager
def _names_explained(folder: str) -> Iterator[None]:
    """Raises ValueError for a name that cannot be in the folder, which is no fault of the disk."""
    try:
        yield
    except OSError as error:
        if error.errno not in BAD_NAMES:
            raise
        name = printable(os.path.relpath(error.filename, folder))
        raise ValueError(f"{name}: {error.strerror}") from error


def _open(path: Path) -> zipfile.ZipFile | tarfile.TarFile | None:
    if zipfile.is_zipfile(path):
        return zipfile.ZipFile(path)
    with open(path, "rb") as file:
        if file.read(4) == b"PK\3\4":  # a zip file's beginning; its end, with the list, is missing
            raise zipfile.BadZipFile(DAMAGED)
    return tarfile.open(path) if tarfile.is_tarfile(path) else None


def _members(opened: zipfile.ZipFile) -> list[zipfile.ZipInfo]:
    """What it holds. Some programs of Windows write "cat\\0.jpg", against the standard."""
    members = opened.infolist()
    if not any("/" in member.filename for member in members):
        for member in members:
            member.filename = member.filename.replace("\\", "/")
    return members


def _check_end(opened: tarfile.TarFile) -> None:
    """Raises ReadError for a tar file that is cut off: `tarfile` takes damage for the end."""
    file = opened.fileobj
    assert file is not None
    file.seek(opened.offset)
    if file.read(tarfile.BLOCKSIZE) != bytes(tarfile.BLOCKSIZE):
        raise tarfile.ReadError(DAMAGED)
    while file.read(2**20):  # to the end, where a compressed file has its checksum
        pass


def _check_room(path, opened, directory):
    if isinstance(opened, tarfile.TarFile):
        needed = sum(member.size for member in opened)
    else:
        needed = sum(member.file_size for member in opened.infolist())
    free = shutil.disk_usage(directory).free
    if needed > free:
        raise UserError(
            f"{path} unpacks to {needed / 1e9:,.1f} GB, but the disk of {cache.directory()} has "
            f"{free / 1e9:,.1f} GB left"
        )
