"""Keras, as this library needs it: with TensorFlow behind it."""

import os


def check_backend():
    """Imports Keras. Raises ImportError, with the way out, if it has no TensorFlow behind it."""
    try:
        import keras

        backend = keras.config.backend()
    except Exception as error:  # of a broken keras.json Keras raises this and that
        missing = error.name if isinstance(error, ModuleNotFoundError) else None
        backend = os.environ.get("KERAS_BACKEND") or missing
        if backend in (None, "keras", "tensorflow"):
            raise ImportError(
                f"Keras cannot be imported ({type(error).__name__}: {error}): mend or remove its "
                "keras.json, in KERAS_HOME or ~/.keras, or install it anew"
            ) from error
    if backend != "tensorflow":
        raise ImportError(
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
