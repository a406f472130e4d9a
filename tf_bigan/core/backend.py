"""Checks that Keras uses the TensorFlow backend."""

import os
import sys


class UnusableKeras(ImportError):
    """Keras is set up in an unusable way. Uncaught, it prints one line and no traceback."""

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
    """Imports Keras. Raises UnusableKeras, with the fix, if its backend is not TensorFlow."""
    # TensorFlow's native log shows only errors, unless the user has set a level.
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    try:
        import keras

        backend = keras.config.backend()
    except Exception as error:  # a broken keras.json raises errors of several types
        missing = error.name if isinstance(error, ModuleNotFoundError) else None
        backend = os.environ.get("KERAS_BACKEND") or missing
        if backend in (None, "keras", "tensorflow"):
            raise UnusableKeras(
                f"Keras cannot be imported ({type(error).__name__}: {error}): fix or remove its "
                "keras.json, in KERAS_HOME or ~/.keras, or reinstall Keras"
            ) from error
    if backend != "tensorflow":
        raise UnusableKeras(
            f"tf_bigan needs Keras's TensorFlow backend, not {backend}: set "
            "KERAS_BACKEND=tensorflow before Python starts"
        )


def use_defaults():
    """Resets Keras's settings to its defaults, so that a command depends only on its options."""
    import keras

    keras.config.set_floatx("float32")
    keras.config.set_dtype_policy("float32")
    keras.config.set_epsilon(1e-7)
    keras.config.set_image_data_format("channels_last")
