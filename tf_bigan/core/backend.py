"""Keras, as this library needs it: with TensorFlow behind it."""

import os
import sys


class UnusableKeras(ImportError):
    """Keras cannot be used as it is set up; where nobody catches it, one line and no traceback."""

    def __init__(self, message: str):
        super().__init__(message)
        if sys.excepthook is sys.__excepthook__:
            sys.excepthook = _show


def _show(kind, error, traceback):
    if kind is UnusableKeras:
        print(error, file=sys.stderr)
    else:
        sys.__excepthook__(kind, error, traceback)


def check_backend():
    """Imports Keras. Raises UnusableKeras, with the way out, if it has no TensorFlow behind it."""
    # Of TensorFlow's native notices the errors alone, unless the user wants more.
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    try:
        import keras

        backend = keras.config.backend()
    except Exception as error:  # of a broken keras.json Keras raises this and that
        missing = error.name if isinstance(error, ModuleNotFoundError) else None
        backend = os.environ.get("KERAS_BACKEND") or missing
        if backend in (None, "keras", "tensorflow"):
            raise UnusableKeras(
                f"Keras cannot be imported ({type(error).__name__}: {error}): mend or remove its "
                "keras.json, in KERAS_HOME or ~/.keras, or install it anew"
            ) from error
    if backend != "tensorflow":
        raise UnusableKeras(
            f"tf_bigan needs Keras's TensorFlow backend, not {backend}: set "
            "KERAS_BACKEND=tensorflow before Python starts"
        )


def use_defaults():
    """Puts Keras's settings back to its defaults: a command depends on its options alone."""
    import keras

    keras.config.set_floatx("float32")
    keras.config.set_dtype_policy("float32")
    keras.config.set_epsilon(1e-7)
    keras.config.set_image_data_format("channels_last")
