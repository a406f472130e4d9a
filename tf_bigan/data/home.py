"""Paths that start with ~."""

import os
from pathlib import Path

from tf_bigan.errors import UserError


def expanded(path: str | os.PathLike) -> Path:
    """Replaces ~ by the home directory. Raises UserError if that is unknown."""
    try:
        return Path(path).expanduser()
    except RuntimeError as error:
        raise UserError(
            f"{path}: no home directory is known: set HOME, or give a path without ~"
        ) from error
