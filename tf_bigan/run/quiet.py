"""What a command prints: one plain line a message, wherever its output goes."""

import io
import logging
import os
import sys
import warnings


def plain_output():
    """At the start of a command: nothing that it prints can end it, and each warning is one line.

    Characters that stdout or stderr cannot encode are escaped. What they cannot take, as their
    reader has gone or the disk is full, is dropped.
    """
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if stream is None:  # closed
            setattr(sys, name, open(os.devnull, "w", encoding="utf-8"))  # noqa: SIM115
        elif isinstance(stream, io.TextIOWrapper):  # and not a notebook's
            stream.reconfigure(errors="backslashreplace")
            setattr(sys, name, Lasting(stream, name))
    logging.getLogger("matplotlib").setLevel(logging.ERROR)  # it warns of a home it cannot write
    logging.getLogger("tensorflow").setLevel(logging.ERROR)  # it warns of how functions are traced
    logging.basicConfig(format=f"{line_start()}%(levelname)s: %(message)s")
    warnings.showwarning = lambda message, *_, **__: logging.warning("%s", message)


class Lasting:
    """A stream whose failure does not end the program: what it cannot take is dropped.

    lost: the error, or None as long as all is well.
    """

    def __init__(self, stream: io.TextIOWrapper, name: str):
        self._stream, self._name = stream, name
        self.lost: OSError | None = None

    def write(self, text: str) -> int:
        return self._attempt(self._stream.write, text) or 0

    def flush(self):
        self._attempt(self._stream.flush)

    def __getattr__(self, name: str):
        return getattr(self._stream, name)

    def _attempt(self, call, *arguments):
        try:
            return call(*arguments)
        except OSError as error:
            self.lost = error
            nowhere = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nowhere, self._stream.fileno())  # what is still in buffers goes there too
            os.close(nowhere)
            logging.warning("%s: %s: no more is printed there", self._name, error.strerror)


def line_start() -> str:
    """What a message begins with, so that it takes the place of a progress bar on a terminal."""
    terminal = sys.stderr is not None and sys.stderr.isatty() and os.environ.get("TERM") != "dumb"
    return "\r\x1b[2K" if terminal else ""
