"""Files and directories that a command makes anew: complete, or not there at all."""

import contextlib
import csv
import os
import shutil
import zipfile
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

import numpy as np

from tf_bigan.atomic import atomically, filled_atomically, remove_incomplete
from tf_bigan.data.home import expanded
from tf_bigan.errors import UserError
from tf_bigan.run.flags import Failure


def check_new(text: str | None, *suffixes: str) -> Path:
    """The path in --out, which must not exist; an empty directory may.

    Args:
        text: the value of --out.
        suffixes: the possible ends of a file's name; none for a directory.

    Raises:
        UserError: it is missing, exists, or has another suffix.
    """
    if not text:
        raise UserError(f"give --out={'FILE' + suffixes[0] if suffixes else 'DIR'}: where to write")
    path = expanded(text)
    if suffixes and path.suffix not in suffixes:
        raise UserError(f"out={text}: the file's name must end with {' or '.join(suffixes)}")
    try:
        empty = not suffixes and path.is_dir()
        if empty:
            remove_incomplete(path)
            empty = not any(path.iterdir())
        taken = os.path.lexists(path) and not empty
    except OSError as error:
        raise UserError(f"out={text} cannot be read: {error.strerror}") from error
    if taken:
        state = "is not empty" if path.is_dir() and not suffixes else "exists"
        raise UserError(f"out={text} {state}: give another path, or remove it first")
    return path


@contextlib.contextmanager
def made_anew(path: Path, directory: bool = False) -> Iterator[Path]:
    """Yields a temporary path, which becomes `path` at the end; see `atomically`.

    A directory that exists is filled.

    Raises:
        Failure: it cannot be written. Nothing is left behind.
    """
    try:
        write = filled_atomically if directory and path.is_dir() else atomically
        with write(path) as temporary:
            if directory:
                os.mkdir(temporary)
            yield Path(temporary)
    except UserError as error:  # the command itself was valid
        raise Failure(str(error)) from error


def check_finite(what: str, values: np.ndarray) -> None:
    """Raises UserError if a model's outputs are not."""
    if not np.isfinite(values).all():
        raise UserError(f"{what} of the model are not finite: its training has failed")


class NpzFile:
    """An .npz file whose arrays are given in pieces, because all of them may not fit into memory.

    with NpzFile("codes.npz") as file:
        for z in batches:
            file.add(z=z)  # further rows
    """

    def __init__(self, path: Path):
        self._path, self._parts = path, path.with_name(f"{path.name}.parts")
        self._arrays: dict[str, tuple[np.dtype, tuple, list[int]]] = {}

    def add(self, **arrays: np.ndarray) -> None:
        """Appends rows [n, ...] to each named array, always the same ones, equally many to each."""
        _check_rows(arrays, self._arrays or arrays)
        for name, rows in arrays.items():
            new = (rows.dtype, rows.shape[1:], [0])
            dtype, shape, count = self._arrays.setdefault(name, new)
            assert (dtype, shape) == (rows.dtype, rows.shape[1:])
            with self._part(name).open("ab") as file:
                file.write(np.ascontiguousarray(rows).data)
            count[0] += len(rows)

    def _part(self, name: str) -> Path:
        return self._parts / str(list(self._arrays).index(name))

    def __enter__(self) -> "NpzFile":
        self._parts.mkdir()
        return self

    def __exit__(self, error, *_) -> None:
        if error is None:
            with zipfile.ZipFile(self._path, "w") as archive:
                for name, (dtype, shape, count) in self._arrays.items():
                    self._join(archive, name, {"shape": (count[0], *shape), "descr": dtype.str})
        shutil.rmtree(self._parts, ignore_errors=error is not None)

    def _join(self, archive: zipfile.ZipFile, name: str, header: dict) -> None:
        part = self._part(name)
        with archive.open(f"{name}.npy", "w", force_zip64=True) as member:
            np.lib.format.write_array_header_1_0(member, header | {"fortran_order": False})
            with part.open("rb") as rows:
                shutil.copyfileobj(rows, member)
        part.unlink()


class CsvFile:
    """A .csv file with the same interface; a column `z` of [n, 3] becomes z_0, z_1, z_2.

    Numbers have as many digits as float32 has. Names that are not UTF-8 keep their bytes.
    """

    def __init__(self, path: Path):
        self._path = path
        self._names: list[str] | None = None

    def add(self, **arrays: np.ndarray) -> None:
        """Appends rows [n, ...] to each named column, always the same ones."""
        self._names = self._names or list(arrays)
        _check_rows(arrays, self._names)
        columns = {}
        for name, rows in arrays.items():
            flat = rows.reshape(len(rows), -1)
            names = [name] if rows.ndim == 1 else [f"{name}_{i}" for i in range(flat.shape[1])]
            columns |= dict(zip(names, flat.T, strict=True))
        if self._file.tell() == 0:
            self._writer.writerow(columns)
        self._writer.writerows(zip(*map(_texts, columns.values()), strict=True))

    def __enter__(self) -> "CsvFile":
        self._file = self._path.open("w", newline="", encoding="utf-8", errors="surrogateescape")
        self._writer = csv.writer(self._file)
        return self

    def __exit__(self, *_) -> None:
        self._file.close()


def _check_rows(arrays: Mapping[str, np.ndarray], names: Iterable[str]) -> None:
    """Raises ValueError for other names than the first rows had, or unequal numbers of rows."""
    if list(arrays) != list(names):
        raise ValueError(f"rows of {list(arrays)} in a table of {list(names)}")
    if len({len(rows) for rows in arrays.values()}) > 1:
        raise ValueError(f"unequal lengths: { ({n: len(rows) for n, rows in arrays.items()}) }")


def _texts(column: np.ndarray) -> Iterable[str]:
    return (f"{v:.9g}" for v in column) if column.dtype.kind == "f" else map(str, column)
