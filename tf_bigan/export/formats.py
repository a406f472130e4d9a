"""The file formats of three runtimes: writing and running files."""

import importlib.metadata
import importlib.util
from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from tf_bigan.core.model import AdversarialModel
from tf_bigan.errors import UserError, did_you_mean
from tf_bigan.export.parts import Part, graph

SIGNATURE = "serving_default"


class Format:
    """A file format.

    Attributes:
        name: the value of `format`.
        title: the full name of the format.
        suffix: suffix of the file name.
        modules: required modules besides TensorFlow: module -> package.
        runtime: the package that runs the file.
        example: a template of the Python code that runs it.
    """

    name: str
    title: str
    suffix: str
    modules: dict[str, str] = {}
    runtime: str
    example: str

    @classmethod
    def check_installed(cls) -> None:
        """Raises UserError if the converter or the runtime is not installed."""
        missing = [p for module, p in cls.modules.items() if not importlib.util.find_spec(module)]
        if missing:
            raise UserError(
                f"{cls.name} files need {' and '.join(missing)}: run "
                'pip install -e ".[export]" in the clone of the repository'
            )

    @classmethod
    def version(cls) -> str:
        """The runtime and its version."""
        return f"{cls.runtime} {importlib.metadata.version(cls.runtime)}"

    @classmethod
    def write(
        cls, part: Part, networks: list[keras.Model], model: AdversarialModel, path: Path
    ) -> None:
        """Writes the part to a path that does not exist yet."""
        raise NotImplementedError

    @classmethod
    def load(cls, path: Path, part: Part) -> Callable[[np.ndarray], np.ndarray]:
        """Loads a file in its runtime: a function from an input array to the output array."""
        raise NotImplementedError


class SavedModel(Format):
    name, title, suffix, runtime = "saved_model", "TensorFlow SavedModel", "", "tensorflow"
    example = """\
import tensorflow as tf

model = tf.saved_model.load("{file}")
{output} = model.signatures["serving_default"]({input}={inputs})["{output}"]"""

    @classmethod
    def write(cls, part, networks, model, path):
        archive: Any = keras.export.ExportArchive()
        for network in networks:
            archive.track(network)
        serve = graph(part, networks)
        archive.add_endpoint("serve", serve, input_signature=[_spec(part, model)])
        archive.write_out(str(path), verbose=False)

    @classmethod
    def load(cls, path, part):
        loaded = tf.saved_model.load(str(path))

        def call(inputs):
            outputs = loaded.signatures[SIGNATURE](**{part.input: tf.constant(inputs)})
            return outputs[part.output].numpy()

        return call


class ONNX(Format):
    name, title, suffix, runtime = "onnx", "ONNX", ".onnx", "onnxruntime"
    modules = {"tf2onnx": "tf2onnx", "onnxruntime": "onnxruntime"}
    example = """\
import onnxruntime

session = onnxruntime.InferenceSession("{file}")
({output},) = session.run(["{output}"], {{"{input}": {inputs}}})"""

    @classmethod
    def write(cls, part, networks, model, path):
        cls.write_function(graph(part, networks), _spec(part, model), path)

    @staticmethod
    def write_function(function: Callable, spec: tf.TensorSpec, path: Path) -> None:
        """Writes a function of one tensor [N, ...] to tensors [N, ...]; N is free."""
        import tf2onnx

        compiled = tf.function(function, input_signature=[spec])
        converted, _ = tf2onnx.convert.from_function(compiled, [spec])
        for value in (*converted.graph.input, *converted.graph.output):
            value.type.tensor_type.shape.dim[0].dim_param = "batch"
        path.write_bytes(converted.SerializeToString())

    @classmethod
    def load(cls, path, part):
        import onnxruntime

        session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
        return lambda inputs: session.run([part.output], {part.input: inputs})[0]


class TFLite(Format):
    name, title, suffix, runtime = "tflite", "LiteRT (TensorFlow Lite)", ".tflite", "ai-edge-litert"
    modules = {"ai_edge_litert": "ai-edge-litert"}
    example = """\
from ai_edge_litert.interpreter import Interpreter

interpreter = Interpreter("{file}")
{output} = interpreter.get_signature_runner("serving_default")({input}={inputs})["{output}"]"""

    @classmethod
    def write(cls, part, networks, model, path):
        source = path.with_name(f"{path.name}.saved_model")
        SavedModel.write(part, networks, model, source)
        path.write_bytes(tf.lite.TFLiteConverter.from_saved_model(str(source)).convert())

    @classmethod
    def load(cls, path, part):
        from ai_edge_litert.interpreter import Interpreter

        # From memory: an open file could not be moved on Windows.
        interpreter = Interpreter(model_content=path.read_bytes())
        runner = interpreter.get_signature_runner(SIGNATURE)
        # A copy, because the next call overwrites the memory of the output.
        return lambda inputs: np.array(runner(**{part.input: inputs})[part.output])


FORMATS: dict[str, type[Format]] = {f.name: f for f in (SavedModel, ONNX, TFLite)}


def chosen_format(name: str | None, path: Path | None = None) -> str:
    """The format's name; if None, by the suffix of the path.

    Raises UserError for an unknown name, or if the path has the suffix of another format.
    """
    by_suffix = {f.suffix: f.name for f in FORMATS.values() if f.suffix}
    ending = None if path is None else by_suffix.get(path.suffix)
    if name is None:
        return ending or SavedModel.name
    if name not in FORMATS:
        raise UserError(f"format={name} is unknown{did_you_mean(name, FORMATS)}")
    if ending not in (None, name):
        raise UserError(f"{path} has the suffix of {ending} files, but format={name}")
    return name


def _spec(part: Part, model: AdversarialModel) -> tf.TensorSpec:
    dtype, shape = part.signature(model)
    return tf.TensorSpec((None, *shape), dtype, name=part.input)
