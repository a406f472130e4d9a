"""The model card of an exported file, in Markdown."""

import importlib.metadata
import json
import math
import platform
from collections.abc import Mapping
from pathlib import Path

import tf_bigan
from tf_bigan.core.model import AdversarialModel
from tf_bigan.errors import UserError
from tf_bigan.export.checking import TOLERANCE, Agreement
from tf_bigan.export.formats import Format
from tf_bigan.export.parts import Part
from tf_bigan.export.place import MARK, digest
from tf_bigan.run.config import Config
from tf_bigan.run.workdir import Workdir

_LIMITS = {
    "z": "The code of an image unlike the training images is not meaningful. The dimensions of z "
    "have no predefined meaning.",
    "image": "Draw z from the prior: the model was not trained on other z. An image may resemble a "
    "training image.",
    "reconstruction": "A reconstruction is similar to the input image, but not pixel by pixel. For "
    "an image unlike the training images it may look quite different.",
    "score": "Scores compare images with each other and are not probabilities. Choose a threshold "
    "on normal images that were not used for training. An image that differs in only a few pixels "
    "may have a low score.",
}


def model_card(
    file: str,
    written: Path,
    part: Part,
    kind: type[Format],
    model: AdversarialModel,
    agreement: Agreement,
    workdir: Workdir | None = None,
    metrics: Mapping | None = None,
    licence: str | None = None,
) -> str:
    """The card of an exported file.

    Args:
        file: the name of the file.
        written: its current path.
        part: the exported part.
        kind: the file's format.
        model: the exported model.
        agreement: the result of the comparison with the model.
        workdir: the model's run; None if unknown.
        metrics: the result of `read_metrics` for that run.
        licence: licence of the weights; None if unknown.
    """
    config = None if workdir is None else workdir.read_config()
    sections = [
        f"# {file}\n\n{_summary(written, part, kind, model, licence)}",
        f"## Input and output\n\n{_signature(part, model)}",
        f"## Use\n\n{_example(file, part, kind, model)}",
        f"## Checked\n\n{_checked(kind, model, agreement)}",
        f"## Training data\n\n{_data(config)}",
        f"## Metrics\n\n{_metrics(metrics, int(model.step.numpy()))}",
        f"## Limits\n\n{_LIMITS[part.output]}",
        f"## Configuration\n\n{_configuration(config)}",
        f"## Versions\n\n{_versions(kind)}",
    ]
    return "\n\n".join([MARK, *sections]) + "\n"


def read_metrics(workdir: Workdir) -> dict | None:
    """The latest metrics of a run; None if there are none.

    Raises UserError if the file has another format.
    """
    if not workdir.metrics.is_file():
        return None
    try:
        record = json.loads(workdir.metrics.read_text(encoding="utf-8"))
    except ValueError:  # not text, or not JSON
        record = None
    if not isinstance(record, dict):
        raise UserError(
            f"{workdir.metrics} is not a file of metrics: evaluate the run again, or move it away"
        )
    return record


def _table(header: tuple, rows: list[tuple]) -> str:
    lines = [header, ("---",) * len(header), *rows]
    cells = [
        [" ".join(str(cell).splitlines()).replace("|", "\\|") for cell in line] for line in lines
    ]
    return "\n".join(f"| {' | '.join(line)} |" for line in cells)


def _summary(
    written: Path, part: Part, kind: type[Format], model: AdversarialModel, licence: str | None
) -> str:
    networks = [getattr(model.inference_model(), name) for name in part.networks]
    classes = " and ".join(type(network).__name__ for network in networks)
    average = "" if model.average is None else f", their moving average with decay {model.ema:g}"
    files = [written] if written.is_file() else [f for f in written.rglob("*") if f.is_file()]
    rows = [
        ("part", f"{part.name}: {part.meaning}"),
        ("system", f"{type(model).__name__} after {int(model.step.numpy()):,} steps"),
        ("weights", f"{sum(n.count_params() for n in networks):,} in {classes}{average}"),
        ("format", f"{kind.title}, {sum(f.stat().st_size for f in files):,} bytes"),
        ("SHA-256" if written.is_file() else "SHA-256 of its files'", f"`{digest(written)}`"),
        (
            "licence",
            licence or "not stated for the weights; tf_bigan, which trained them, is MIT",
        ),
    ]
    return _table(("", ""), rows)


def _signature(part: Part, model: AdversarialModel) -> str:
    dtype, shape = part.signature(model)
    prior = f"drawn from the prior, {type(model.prior).__name__}"
    given = {"image": "0 (black) to 255", "z": prior}[part.input]
    outputs = {"z": ((model.prior.dim,), "any"), "score": ((), "0 to 1")}
    size, result = outputs.get(part.output, (model.image_shape, "0 (black) to 1"))
    rows = [
        ("input", f"`{part.input}`", dtype, _shape(shape), given),
        ("output", f"`{part.output}`", "float32", _shape(size), result),
    ]
    note = "\n\nN is free. Batch norm uses its moving statistics, so the rows are independent."
    return _table(("", "name", "type", "shape", "values"), rows) + note


def _shape(shape: tuple[int, ...]) -> str:
    return f"[{', '.join(map(str, ('N', *shape)))}]"


def _example(file: str, part: Part, kind: type[Format], model: AdversarialModel) -> str:
    dtype, shape = part.signature(model)
    inputs = {"image": "images", "z": "z"}[part.input]
    code = kind.example.format(file=file, input=part.input, output=part.output, inputs=inputs)
    return f"`{inputs}` is a NumPy array, {dtype} {_shape(shape)}.\n\n```python\n{code}\n```"


def _checked(kind: type[Format], model: AdversarialModel, agreement: Agreement) -> str:
    text = (
        f"Compared with the Keras model in float32 by {kind.version()}, on {agreement.inputs} in "
        f"batches of {', '.join(map(str, agreement.batch_sizes))}: the largest difference is "
        f"{agreement.difference:.1e} ({TOLERANCE:g} is allowed)."
    )
    if model.policy != "float32":
        text += (
            f" The model was trained in {model.policy}. The largest difference from its outputs "
            f"in that precision is {agreement.trained_difference:.1e}."
        )
    return text


def _data(config: Config | None) -> str:
    if config is None:
        return "Not known: the model was exported without its run."
    options = _without_paths(config)
    names = ("dataset", "target_dataset", "image_size", "channels", "validation", "labels")
    rows = [(name, options[name]) for name in names if options.get(name)]
    return _table(("option", "value"), rows)


def _without_paths(config: Config) -> dict:
    """The options, without paths of the machine that trained the model."""
    options = {k: v for k, v in config.__dict__.items() if k != "data_dir"}
    for name in ("dataset", "target_dataset"):
        options[name] = _without_path(options[name])
    if options["init_from"]:
        options["init_from"] = Path(options["init_from"]).name
    return options


def _without_path(dataset: str | None) -> str | None:
    """folder:DIR with the last name of the path alone."""
    kind, colon, path = (dataset or "").partition(":")
    return f"{kind}:{Path(path).name}" if colon else dataset


def _metrics(record: Mapping | None, step: int) -> str:
    if record is None:
        return "Not measured."
    if record.get("step") != step:
        return f"Not measured after this step; metrics.json is from step {record.get('step')}."
    columns = {name: dict(_column(record, name)) for name in ("trained", "untrained")}
    shown = {name: values for name, values in columns.items() if values}
    metrics = dict.fromkeys(metric for values in shown.values() for metric in values)
    rows = [(m, *(_number(values.get(m)) for values in shown.values())) for m in metrics]
    dataset = _without_path(record.get("dataset"))
    where = f"On {dataset} ({record.get('split')}), measured by `tf-bigan evaluate`."
    if record.get("recalibrate_batch_norm"):
        where += " Batch norm was recalibrated for it, and not in this file."
    return f"{where}\n\n{_table(('metric', *shown), rows)}"


def _column(record: Mapping, name: str):
    """(metric, value) of a column, at any depth of the record."""
    for key, value in record.items():
        if isinstance(value, Mapping):
            yield from value.items() if key == name else _column(value, name)


def _number(value) -> str:
    """A number; for several numbers, the mean and half the range."""
    values = value if isinstance(value, list) else [value]
    if not values or not all(isinstance(v, (int, float)) for v in values):
        return ""
    text = f"{math.fsum(values) / len(values):.4g}"
    return text if len(values) == 1 else f"{text} ± {(max(values) - min(values)) / 2:.2g}"


def _configuration(config: Config | None) -> str:
    if config is None:
        return "Not known."
    options = {name: value for name, value in _without_paths(config).items() if value is not None}
    return f"```json\n{json.dumps(options, indent=2)}\n```"


def _versions(kind: type[Format]) -> str:
    packages = ["tensorflow", "keras", "numpy", *kind.modules.values()]
    versions = [("tf_bigan", tf_bigan.__version__), ("python", platform.python_version())]
    versions += [(name, importlib.metadata.version(name)) for name in packages]
    return _table(("package", "version"), versions)
