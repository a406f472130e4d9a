"""Errors that users can cause and fix."""

import difflib
from collections.abc import Iterable


class UserError(ValueError):
    """Bad input. The message is one line that names the problem and the fix.

    The command line prints only the message, without a traceback, and exits with status 2.
    """


def counted(number: int, what: str) -> str:
    """ "1 image", "2,000 images"."""
    return f"{number:,} {what}{'' if number == 1 else 's'}"


def drawable(text: str) -> str:
    r"""The text with the bytes of file names that are not UTF-8 as \udcNN, in ASCII."""
    return text.encode(errors="backslashreplace").decode()


def did_you_mean(name: str, known: Iterable[str], otherwise: str | None = None) -> str:
    """ "; did you mean X?", or `otherwise` ("choose one of ...") if no name is close."""
    known = sorted(known)
    if not known:
        return "; there are none"
    close = difflib.get_close_matches(name, known, 3, cutoff=0.5)
    if close:
        return f"; did you mean {' or '.join(close)}?"
    return f"; {otherwise or 'choose one of ' + ', '.join(known)}"
