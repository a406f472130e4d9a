"""The output of commands: one plain line per message, for any kind of stdout and stderr."""

import io
import logging
import os
import sys
import warnings


def plain_output():
    """Called at the start of a command: printing never raises, and each warning is one line.

    Characters that stdout or stderr cannot encode are escaped. If writing fails, because the
    reader has exited or the disk is full, the output is dropped.
    """
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if stream is None:  # closed
            setattr(sys, name, open(os.devnull, "w", encoding="utf-8"))  # noqa: SIM115
        elif isinstance(stream, io.TextIOWrapper):  # but not a notebook's stream
            stream.reconfigure(errors="backslashreplace")
            setattr(sys, name, Lasting(stream, name))
    logging.getLogger("matplotlib").setLevel(logging.ERROR)  # warns of an unwritable home
    logging.getLogger("tensorflow").setLevel(logging.ERROR)  # it warns about retracing
    logging.basicConfig(format=f"{line_start()}%(levelname)s: %(message)s")
    warnings.showwarning = lambda message, *_, **__: logging.warning("%s", message)


class Lasting:
    """A stream that drops its output after a write error instead of raising.

    lost: the error, or None.
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
            os.dup2(nowhere, self._stream.fileno())  # also drops the buffers
            os.close(nowhere)
            logging.warning("%s: %s: no more is printed there", self._name, error.strerror)


def line_start() -> str:
    """The prefix of a message, which overwrites a progress bar on a terminal."""
    terminal = sys.stderr is not None and sys.stderr.isatty() and os.environ.get("TERM") != "dumb"
    return "\r\x1b[2K" if terminal else ""
