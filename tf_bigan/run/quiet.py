"""What a command loads and prints: no notices, one plain line a message, whatever surrounds it."""

import io
import logging
import os
import re
import sys
import tempfile
import warnings

from tf_bigan.core.backend import check_backend, use_defaults
from tf_bigan.errors import UserError

# What TensorFlow's native code says at every start and no environment variable turns off.
_NOTICE = re.compile(
    rb"I0000 |WARNING: All log messages before absl::InitializeLog|To enable the following instr"
)
# And where there is no NVIDIA driver.
_NO_GPU = re.compile(rb".*failed call to cuInit")


def load_tensorflow():
    """Imports TensorFlow and Keras for a command; of what they write to stderr, warnings remain.

    Returns:
        The module of TensorFlow.

    Raises:
        UserError: Keras cannot be used as the user has set it up, or no temporary file be written.
    """
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    driver = os.path.exists("/proc/driver/nvidia")
    sys.stderr.flush()
    stderr = os.dup(2)
    with _temporary_file() as captured:
        os.dup2(captured.fileno(), 2)
        try:
            check_backend()
            use_defaults()
            import tensorflow as tf

            tf.config.list_physical_devices()  # here, and not later where all is shown
        except ImportError as error:
            raise UserError(str(error)) from error
        finally:
            os.dup2(stderr, 2)
            os.close(stderr)
            captured.seek(0)
            for line in captured:
                if not _NOTICE.match(line) and (driver or not _NO_GPU.match(line)):
                    sys.stderr.write(line.decode(errors="replace"))
    tf.get_logger().setLevel(logging.ERROR)  # its warnings are about how functions are traced
    return tf


def _temporary_file():
    try:
        return tempfile.TemporaryFile()
    except FileNotFoundError as error:
        raise UserError(f"{error.strerror}: set TMPDIR to a directory that is writable") from error


def plain_output():
    """At the start of a command: nothing that it prints can end it, and each warning is one line.

    What stdout or stderr has no characters for is escaped; what they cannot take, as their reader
    has gone or the disk is full, is dropped.
    """
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:  # closed: a file opened later must not get its number
            setattr(sys, name, open(os.devnull, mode, encoding="utf-8"))  # noqa: SIM115
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if isinstance(stream, io.TextIOWrapper):  # and not a notebook's
            stream.reconfigure(errors="backslashreplace")
            setattr(sys, name, Lasting(stream, name))
    logging.getLogger("matplotlib").setLevel(logging.ERROR)  # it warns of a home it cannot write
    logging.basicConfig(format=f"{line_start()}%(levelname)s: %(message)s")
    warnings.showwarning = lambda message, *_, **__: logging.warning("%s", message)


class Lasting:
    """A stream whose failure does not end the program: what it cannot take is dropped, and said.

    lost: the error, or None as long as all is well.
    """

    def __init__(self, stream: io.TextIOBase, name: str):
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


def is_terminal(stream) -> bool:
    """Whether a stream is a terminal that can rewrite its line."""
    return stream is not None and stream.isatty() and os.environ.get("TERM") != "dumb"


def line_start() -> str:
    """What a message begins with, so that it takes the place of a progress bar on a terminal."""
    return "\r\x1b[2K" if is_terminal(sys.stderr) else ""
