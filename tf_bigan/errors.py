"""Errors that a user can cause and mend."""


class UserError(ValueError):
    """Bad input: one line that names the thing and the way out.

    The command line prints the message alone, without a traceback, and exits with status 2.
    """
