"""Errors that a user can cause and mend."""

import difflib


class UserError(ValueError):
    """Bad input: one line that names the thing and the way out.

    The command line prints the message alone, without a traceback, and exits with status 2.
    """


def did_you_mean(name: str, known, otherwise: str | None = None) -> str:
    """ "; did you mean X?", or `otherwise` ("choose one of ...") where nothing is close."""
    close = difflib.get_close_matches(name, known, 3, cutoff=0.5)
    if close:
        return f"; did you mean {' or '.join(close)}?"
    return f"; {otherwise or 'choose one of ' + ', '.join(sorted(known))}"
