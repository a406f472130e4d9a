"""Loading TensorFlow without its notices, and messages of one plain line."""

import logging
import os
import re
import sys
import tempfile
import warnings

# What TensorFlow's native code says at every start and no environment variable turns off.
_NOTICE = re.compile(
    rb"I0000 |WARNING: All log messages before absl::InitializeLog|To enable the following instr"
)
# And where there is no NVIDIA driver.
_NO_GPU = re.compile(rb".*failed call to cuInit")


def load_tensorflow():
    """Imports TensorFlow; of what it writes to stderr, warnings and errors remain.

    Returns:
        The module.
    """
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    driver = os.path.exists("/proc/driver/nvidia")
    sys.stderr.flush()
    stderr = os.dup(2)
    with tempfile.TemporaryFile() as captured:
        os.dup2(captured.fileno(), 2)
        try:
            import tensorflow as tf

            tf.config.list_physical_devices()  # here, and not later where all is shown
        finally:
            os.dup2(stderr, 2)
            os.close(stderr)
            captured.seek(0)
            for line in captured:
                if not _NOTICE.match(line) and (driver or not _NO_GPU.match(line)):
                    sys.stderr.write(line.decode(errors="replace"))
    tf.get_logger().setLevel(logging.ERROR)  # its warnings are about how functions are traced
    return tf


def plain_warnings():
    """Makes each warning, whether logged or by `warnings.warn`, one line on stderr."""
    logging.basicConfig(format=f"{line_start()}%(levelname)s: %(message)s")
    warnings.showwarning = lambda message, *_, **__: logging.warning("%s", message)


def line_start() -> str:
    """What a message begins with, so that it takes the place of a progress bar on a terminal."""
    return "\r\x1b[2K" if sys.stderr.isatty() else ""
