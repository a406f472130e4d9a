"""Loading TensorFlow without its notices."""

import os
import re
import sys
import tempfile

# What TensorFlow's native code says at every start and no environment variable turns off.
_NOTICE = re.compile(
    rb"I0000 |WARNING: All log messages before absl::InitializeLog|To enable the following instr"
)


def load_tensorflow():
    """Imports TensorFlow; of what its native code writes to stderr, warnings and errors remain."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    sys.stderr.flush()
    stderr = os.dup(2)
    with tempfile.TemporaryFile() as captured:
        os.dup2(captured.fileno(), 2)
        try:
            import tensorflow  # noqa: F401
        finally:
            os.dup2(stderr, 2)
            os.close(stderr)
            captured.seek(0)
            for line in captured:
                if not _NOTICE.match(line):
                    sys.stderr.write(line.decode(errors="replace"))
