"""Measures a trained model: python evaluate.py --workdir=runs/mnist. See --help."""

import json
import sys
from pathlib import Path

from tf_bigan.quiet import load_tensorflow

load_tensorflow()

import keras  # noqa: E402
from absl import flags  # noqa: E402

from tf_bigan import callbacks, evaluation, experiment  # noqa: E402
from tf_bigan.atomic import atomically  # noqa: E402
from tf_bigan.config import Config  # noqa: E402
from tf_bigan.errors import UserError  # noqa: E402
from tf_bigan.flags import run  # noqa: E402
from tf_bigan.workdir import Workdir  # noqa: E402


def _string(name: str, default: str | None, text: str, group: str = "run"):
    return flags.DEFINE_string(name, default, text, module_name=group)


WORKDIR = _string("workdir", None, "the run to evaluate: its model.keras, or newest checkpoint")
MODEL = _string("model", None, "a .keras file instead; --dataset says what it is measured on")
OUTPUT = _string("output", None, "where metrics.json and report.png go [the workdir]", "output")
METRICS = _string(
    "metrics", "all", f"all, or a list of {', '.join(evaluation.OFFICIAL_METRICS)} [all]"
)
DATASET = _string("dataset", None, "data to measure on [the run's]", "data")
DATA_DIR = _string("data_dir", None, "where data sets are found and kept [the run's]", "data")
SPLIT = flags.DEFINE_enum(
    "split",
    None,
    ("validation", "test"),
    "the held-out images (validation | test) [validation where the run has one, else test]",
    module_name="data",
)
SAMPLES = flags.DEFINE_integer(
    "samples", 100_000, "draws of z for NND and EGg [100000]", lower_bound=100, module_name="run"
)
POSTHOC = flags.DEFINE_boolean(
    "posthoc",
    False,
    "average the batch statistics anew over 1,000 training batches, as the official code does",
    module_name="run",
)
UNTRAINED = flags.DEFINE_boolean(
    "untrained", True, "measure the untrained model beside it [true]", module_name="run"
)


def main() -> int:
    metrics = chosen_metrics()
    model, config, output = load()
    train = experiment.in_memory(experiment.load_split(config, "train"))
    split = SPLIT.value or experiment.held_out_split(config)
    held_out = experiment.in_memory(experiment.load_split(config, split))
    if model.image_shape != train.image_shape:
        raise UserError(
            f"the model is for images {model.image_shape}, but {config.dataset} has "
            f"{train.image_shape}: give --dataset for the data that it was trained on"
        )
    measured = measure(model, train, held_out, metrics, "trained")
    columns = {"trained": measured.values}
    if UNTRAINED.value and WORKDIR.value:
        baseline = experiment.untrained(config, train.image_shape)
        columns["untrained"] = measure(baseline, train, held_out, metrics, "untrained").values
    print(evaluation.format_table(columns))
    for name, reason in measured.left_out.items():
        print(f"{name} left out: {reason}")
    output.root.mkdir(parents=True, exist_ok=True)
    measured_on = {"step": int(model.step.numpy()), "split": split, "samples": SAMPLES.value}
    with atomically(output.metrics) as temporary:
        Path(temporary).write_text(json.dumps(measured_on | columns, indent=2) + "\n")
    report(output.report, model, held_out, columns, config)
    print(f"\nwrote {output.metrics} and {output.report}")
    return 0


def chosen_metrics() -> tuple[str, ...]:
    if METRICS.value == "all":
        return evaluation.OFFICIAL_METRICS
    return tuple(name.strip() for name in METRICS.value.split(","))


def load():
    """(the model, its configuration, where the results go)."""
    if (WORKDIR.value is None) == (MODEL.value is None):
        raise UserError("give either --workdir=DIR of a run or --model=FILE.keras")
    if WORKDIR.value is not None:
        workdir = Workdir(WORKDIR.value)
        config = workdir.read_config()
        if workdir.model.exists():
            model = load_file(workdir.model)
        else:
            model, path = callbacks.restore(workdir.checkpoints)
            print(f"the run is not finished: measuring {path}")
    else:
        model, config = load_file(Path(MODEL.value)), Config()
        if DATASET.value is None:
            raise UserError("--model needs --dataset: the data to measure on")
    changes = {"dataset": DATASET.value, "data_dir": DATA_DIR.value}
    config = config.replace(**{name: value for name, value in changes.items() if value})
    default = WORKDIR.value or Path(MODEL.value).parent
    return model, config, Workdir(OUTPUT.value or default)


def load_file(path: Path):
    if not path.is_file():
        raise UserError(f"{path} does not exist: give a .keras file that train.py wrote")
    try:
        return keras.saving.load_model(path)
    except (OSError, ValueError, KeyError, TypeError) as error:
        reason = str(error).strip().partition("\n")[0]
        raise UserError(f"{path} cannot be loaded as a model: {reason}") from error


def measure(model, train, held_out, metrics, name):
    """The official metrics, with a progress line on a terminal."""

    def progress(stage, done, total):
        if sys.stderr.isatty():
            line = f"\r{name}: {stage} {done:,}/{total:,}"
            print(line.ljust(60), end="", file=sys.stderr, flush=True)

    measured = experiment.measure(
        model,
        train,
        held_out,
        metrics=metrics,
        samples=SAMPLES.value,
        posthoc=POSTHOC.value or name == "untrained",
        progress=progress,
    )
    if sys.stderr.isatty():
        print("\r" + " " * 60 + "\r", end="", file=sys.stderr)
    return measured


def report(path, model, held_out, columns, config):
    """report.png: samples, reconstructions, interpolations, the map of E(x) and the table."""
    panels = {}
    if hasattr(model, "generator"):
        panels["samples"] = model.sample(100, seed=1)
    if hasattr(model, "encoder"):
        mapped = experiment.picks(held_out, 2000)
        panels |= {"codes": model.encode(mapped.as_float()), "labels": mapped.labels}
        if "samples" in panels:
            x = mapped.take(32).as_float()
            panels |= {"originals": x[:20], "reconstructions": model.reconstruct(x[:20])}
            panels["interpolations"] = model.interpolate(x[20:26], x[26:32], steps=10)
    evaluation.report_png(
        path,
        **panels,
        class_names=held_out.class_names,
        metrics=columns,
        title=f"{config.model} on {config.dataset}, step {int(model.step.numpy()):,}",
    )


if __name__ == "__main__":
    sys.exit(run(main, sys.argv, __doc__.partition(": ")[0] + "."))
