"""The names that an option of a benchmark may list."""

from collections.abc import Collection

from tf_bigan.errors import UserError, did_you_mean


def names_in(option: str, text: str, known: Collection[str]) -> list[str]:
    """The names in a text, separated by commas. Raises UserError for an unknown one."""
    names = text.split(",")
    for name in names:
        if name not in known:
            raise UserError(f"{option}={name} is unknown{did_you_mean(name, known)}")
    return names
