"""Measures a trained model.

usage: python evaluate.py --workdir=DIR [--name=value ...]
       python evaluate.py --model=FILE.keras --dataset=NAME [--name=value ...]

Prints the metrics beside those of the untrained model, and writes metrics.json and report.png.
Defaults are in [brackets].
"""

import json
import os
import sys
from pathlib import Path

from absl import flags

os.environ["TF_BIGAN_LAZY"] = "1"

import tf_bigan as tb
from tf_bigan.atomic import atomically
from tf_bigan.config import Config, did_you_mean
from tf_bigan.errors import UserError
from tf_bigan.flags import run
from tf_bigan.quiet import line_start, load_tensorflow, plain_warnings
from tf_bigan.workdir import Workdir

FLAGS = flags.FlagValues()
OFFICIAL_METRICS = (  # of tf_bigan.evaluation, written out as that takes TensorFlow's seconds
    *("NND/100", "NND/10", "NND", "NNC_e", "NNC_e-", "CLS_e-"),
    *("EGr", "EGr_b", "EGg", "EGg_b"),
)
METRIC_NAMES = (*OFFICIAL_METRICS, "accuracy")


def _string(name: str, text: str, group: str):
    return flags.DEFINE_string(name, None, text, flag_values=FLAGS, module_name=group)


def _boolean(name: str, default: bool, text: str):
    return flags.DEFINE_boolean(name, default, text, flag_values=FLAGS, module_name="run")


WORKDIR = _string("workdir", "the run to measure: its model, or its newest checkpoint", "run")
MODEL = _string("model", "a .keras file instead", "run")
METRICS = _string("metrics", f"some of {', '.join(METRIC_NAMES)}, with commas between [all]", "run")
SAMPLES = flags.DEFINE_integer(
    "samples",
    100_000,
    "draws of z for NND and EGg, at least 100 [100000]",
    lower_bound=100,
    flag_values=FLAGS,
    module_name="run",
)
POSTHOC = _boolean(
    "posthoc",
    False,
    "average the batch statistics anew over 1,000 training batches, as the official code does",
)
UNTRAINED = _boolean("untrained", True, "measure the untrained model as well [true]")
DATASET = _string("dataset", "data to measure on, as in train.py [the run's]", "data")
DATA_DIR = _string("data_dir", "where data sets are found and kept [the run's]", "data")
IMAGE_SIZE = _string("image_size", "resize images to SIDE or HxW pixels [the run's]", "data")
CHANNELS = flags.DEFINE_integer(
    "channels",
    None,
    "convert images to grey or colour (1 | 3) [the run's]",
    flag_values=FLAGS,
    module_name="data",
)
SPLIT = flags.DEFINE_enum(
    "split",
    None,
    ["validation", "test"],
    "the held-out images [validation where the run sets some aside, else test]",
    flag_values=FLAGS,
    module_name="data",
)
OUTPUT = _string(
    "output", "where metrics.json and report.png go [the workdir, or beside FILE]", "output"
)


def main() -> int:
    metrics = chosen_metrics()
    config, output = chosen_run()
    load_tensorflow()  # takes seconds: not before the command is right
    model = load(config)
    train = tb.experiment.in_memory(tb.experiment.load_split(config, "train"))
    split = SPLIT.value or tb.experiment.held_out_split(config)
    held_out = tb.experiment.in_memory(tb.experiment.load_held_out(config, split))
    if config.target_dataset:  # either of the two may be the grey one
        channels = model.image_shape[-1]
        train, held_out = (part.converted(channels=channels) for part in (train, held_out))
    if model.image_shape != train.image_shape:
        raise UserError(
            f"the model is for images of shape {model.image_shape}, but {config.dataset} has "
            f"{train.image_shape}: give --dataset, --image_size and --channels as in its training"
        )
    batches = tb.experiment.training_batches(config, train) if config.target_dataset else None
    measured = measure(model, train, held_out, batches, metrics, "trained")
    if METRICS.value and measured.left_out:
        reasons = "; ".join(f"{name} {reason}" for name, reason in measured.left_out.items())
        raise UserError(f"--metrics={METRICS.value}: {reasons}: leave it out, or mend that")
    columns = {"trained": measured.values}
    if UNTRAINED.value:
        baseline = tb.experiment.untrained(model)
        columns["untrained"] = measure(
            baseline, train, held_out, batches, metrics, "untrained"
        ).values
    print(tb.evaluation.format_table(columns))
    for name, reason in measured.left_out.items():
        print(f"{name} left out: {reason}")
    output.make()
    record = {
        "dataset": config.target_dataset or config.dataset,
        "split": split,
        "step": int(model.step.numpy()),
    }
    record |= {"samples": SAMPLES.value, "posthoc": POSTHOC.value}
    with atomically(output.metrics) as temporary:
        Path(temporary).write_text(json.dumps(record | columns, indent=2) + "\n")
    report(output.report, model, held_out, columns, config)
    print(f"\nwrote {output.metrics} and {output.report}")
    return 0


def chosen_metrics() -> tuple[str, ...]:
    if METRICS.value is None:
        return METRIC_NAMES
    names = tuple(name.strip() for name in METRICS.value.split(","))
    for name in names:
        if name not in METRIC_NAMES:
            raise UserError(f"--metrics: {name!r} is unknown{did_you_mean(name, METRIC_NAMES)}")
    return names


def chosen_run() -> tuple[Config, Workdir]:
    """What the model was trained with, as far as the data go, and where the results go."""
    if (WORKDIR.value is None) == (MODEL.value is None):
        raise UserError("give either --workdir=DIR of a run or --model=FILE.keras")
    if WORKDIR.value is not None:
        config = Workdir(WORKDIR.value).read_config()
    elif DATASET.value is None:
        raise UserError("--model needs --dataset: the data to measure on")
    elif not Path(MODEL.value).is_file():
        raise UserError(f"--model={MODEL.value} does not exist: give a .keras file of train.py")
    else:
        config = Config()
    given = {flag.name: flag.value for flag in (DATASET, DATA_DIR, IMAGE_SIZE, CHANNELS)}
    config = config.replace(**{name: value for name, value in given.items() if value is not None})
    if DATASET.value is not None:
        config = config.replace(target_dataset=None)
    output = Workdir(OUTPUT.value or WORKDIR.value or Path(MODEL.value).parent)
    output.check_writable()
    return config, output


def load(config: Config):
    """The model of --model, or of --workdir: the finished one, or its newest checkpoint."""
    if MODEL.value is not None:
        return load_file(Path(MODEL.value))
    workdir = Workdir(WORKDIR.value)
    tb.models.find(config.model)  # a module of one's own must be there before its models
    if workdir.model.exists():
        model = load_file(workdir.model)
        if int(model.step.numpy()) >= newest_step(workdir):
            return model
    model, path = tb.callbacks.restore(workdir.checkpoints)
    print(f"the run is not finished: measuring {path}")
    return model


def newest_step(workdir: Workdir) -> int:
    from tf_bigan.callbacks.restore import checkpoints

    return max((step for step, _ in checkpoints(workdir.checkpoints)), default=0)


def load_file(path: Path):
    import keras

    tb.models  # noqa: B018 - makes the classes known to Keras
    try:
        model = keras.saving.load_model(path)
    except Exception as error:  # a file of the user's can be wrong in any way
        reason = str(error).strip().partition("\n")[0] or type(error).__name__
        raise UserError(f"{path} cannot be loaded as a model: {reason}") from error
    if not isinstance(model, tb.AdversarialModel):
        raise UserError(f"{path} holds a {type(model).__name__}, not a model of train.py")
    return model


def measure(model, train, held_out, batches, metrics, name):
    """The official metrics, with a progress line on a terminal."""

    def progress(stage, done, total):
        if sys.stderr.isatty():
            line = f"{line_start()}{name}: {stage} {done:,}/{total:,}"
            print(line, end="", file=sys.stderr, flush=True)

    measured = tb.experiment.measure(
        model,
        train,
        held_out,
        metrics=metrics,
        samples=SAMPLES.value,
        batches=batches,
        posthoc=POSTHOC.value or name == "untrained",  # which has no statistics of its own yet
        progress=progress,
    )
    print(line_start(), end="", file=sys.stderr)
    return measured


def report(path, model, held_out, columns, config):
    """report.png: samples, reconstructions, interpolations, the map of E(x) and the table."""
    from tf_bigan.callbacks.pictures import visible

    few = tb.experiment.picks(held_out, 2000)
    shown = few.take(70).as_float()
    panels = {"labels": few.labels, "class_names": held_out.class_names, "metrics": columns}
    if hasattr(model, "generator"):
        panels["samples"] = model.sample(100, seed=1)
    if hasattr(model, "encoder"):
        panels["codes"] = model.encode(few.as_float())
    if hasattr(model, "encoder") and hasattr(model, "generator"):
        ends = shown[-20:]
        half = len(ends) // 2
        panels |= {"originals": shown[:50], "reconstructions": model.reconstruct(shown[:50])}
        panels["interpolations"] = model.interpolate(ends[:half], ends[half : 2 * half], 10)
    pictures = {"samples", "originals", "reconstructions", "interpolations"} & panels.keys()
    tb.evaluation.report_png(
        path,
        **panels | {name: visible(panels[name]) for name in pictures},
        title=f"{config.model} on {config.dataset}, step {int(model.step.numpy()):,}",
    )


if __name__ == "__main__":
    plain_warnings()
    sys.exit(run(main, sys.argv, __doc__, FLAGS))
