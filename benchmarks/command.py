"""How a benchmark ends: a user's mistake is one line."""

from collections.abc import Callable

from tf_bigan.errors import UserError


def run(main: Callable[[], int]) -> None:
    """Runs a benchmark and exits with its result, or with the message of a UserError."""
    try:
        raise SystemExit(main())
    except UserError as error:
        raise SystemExit(str(error)) from None
