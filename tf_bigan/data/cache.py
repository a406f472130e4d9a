"""Arrays that are slow to make, kept in files of the user's cache directory."""

from __future__ import annotations

import contextlib
import hashlib
import logging
import os
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from tf_bigan.atomic import atomically, remove_at_once
from tf_bigan.data.home import expanded
from tf_bigan.errors import UserError

LIMIT = 2**33  # bytes of all entries; above them the ones not used for longest are removed
RECENT = 86_400  # seconds


def directory() -> Path:
    """$TF_BIGAN_CACHE, or tf_bigan in $XDG_CACHE_HOME, by default in ~/.cache.

    Raises UserError if no home directory is known.
    """
    if os.environ.get("TF_BIGAN_CACHE"):
        return expanded(os.environ["TF_BIGAN_CACHE"])
    return expanded(os.environ.get("XDG_CACHE_HOME") or "~/.cache") / "tf_bigan"


def key_of(*parts: object) -> str:
    """A name for what is made of `parts`, which have a `repr` that says all."""
    return hashlib.sha256(repr(parts).encode(errors="surrogatepass")).hexdigest()[:32]


def cached(key: str, make: Callable[[], np.ndarray]) -> np.ndarray:
    """The array that `make` returns, from the cache if it is there, read-only.

    A killed program leaves nothing behind, and a damaged file is made anew. If nothing can be
    written, the array is made every time.

    Args:
        key: from `key_of`, of everything that the array depends on.
        make: makes the array.
    """
    try:
        path = directory() / "arrays" / f"{key}.npy"
    except UserError:
        return make()
    try:
        array = np.load(path, mmap_mode="r", allow_pickle=False)
        with contextlib.suppress(OSError):  # of somebody else
            os.utime(path)
        return array
    except FileNotFoundError:
        pass
    except (OSError, ValueError, EOFError, SyntaxError):
        logging.info("%s is damaged, and made again", path)
    array = make()
    try:
        with atomically(path) as temporary:
            np.save(temporary, array, allow_pickle=False)
        trim(path.parent.parent)
    except (UserError, OSError) as error:
        logging.info("not kept for the next start: %s", error)
    return array


def trim(root: Path, limit: int = LIMIT) -> None:
    """Removes the entries that were not used for longest, until the others fit into the limit.

    Those used within a day stay, since a training may read them.
    """
    entries = []
    for path in (path for kind in ("arrays", "archives") for path in (root / kind).glob("[!.]*")):
        with contextlib.suppress(FileNotFoundError):  # another program has removed it
            size = sum(file.lstat().st_size for file in (path, *path.rglob("*")))
            entries.append((path.stat().st_mtime, path, size))
    total = 0
    for used, path, size in sorted(entries, reverse=True):
        total += size
        if total > limit and used < time.time() - RECENT:
            with contextlib.suppress(OSError, UserError):  # of somebody else
                remove_at_once(path)
