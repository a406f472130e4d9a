"""Evaluates trained models.

usage: tf-bigan evaluate --workdir=DIR [--name=value ...]
       tf-bigan evaluate --workdir=DIR,DIR,... [--name=value ...]
       tf-bigan evaluate --model=FILE.keras --dataset=NAME [--name=value ...]

Prints the metrics with reference values (floor, ceilings, untrained model), and writes
metrics.json, report.png and report.html; for several models comparison.csv, comparison.md and
report.html.
Defaults are in [brackets].
"""

import sys

from absl import flags

import tf_bigan as tb
from tf_bigan.constraints import Seed, check
from tf_bigan.errors import UserError
from tf_bigan.evaluation import registry
from tf_bigan.run.trained import Trained, trained_files, trained_runs
from tf_bigan.run.workdir import Workdir

FLAGS = flags.FlagValues()


def _string(name: str, text: str, group: str, default: str | None = None):
    return flags.DEFINE_string(name, default, text, flag_values=FLAGS, module_name=group)


def _boolean(name: str, default: bool, text: str):
    return flags.DEFINE_boolean(name, default, text, flag_values=FLAGS, module_name="run")


WORKDIR = _string(
    "workdir",
    "the run to evaluate: its model or newest checkpoint; several separated by commas, or a "
    "pattern such as 'runs/*', in quotes",
    "run",
)
MODEL = _string("model", "a .keras file instead of a run, or several", "run")
METRICS = _string(
    "metrics",
    f"all, groups ({', '.join(registry.GROUPS)}) or names, separated by commas "
    f"[{registry.DEFAULT}]",
    "run",
)
SAMPLES = flags.DEFINE_integer(
    "samples",
    100_000,
    "number of samples for NND and EGg, at least 100; the generation metrics use at most the "
    "number of held-out images [100000]",
    lower_bound=100,
    upper_bound=2**31 - 1,
    flag_values=FLAGS,
    module_name="run",
)
SEEDS = _string(
    "seeds",
    "number of random seeds, or a list such as 3,7, for z, classifiers and labelled examples; "
    "gives mean ± standard deviation [1]",
    "run",
    "1",
)
RECALIBRATE = _boolean(
    "recalibrate_batch_norm",
    False,
    "recalibrate batch norm first: plain averages over 1,000 training batches, as in the official "
    "code",
)
UNTRAINED = _boolean(
    "untrained",
    True,
    "also measure the reference values: the untrained model, floor and ceilings, pixels and PCA "
    "[true]",
)
DATASET = _string("dataset", "data to evaluate on, as in train.py [the run's]", "data")
DATA_DIR = _string("data_dir", "directory of the data sets [the run's]", "data")
IMAGE_SIZE = _string("image_size", "resize images to SIDE or HxW pixels [the run's]", "data")
CHANNELS = flags.DEFINE_integer(
    "channels",
    None,
    "channels of the images: 1 (grey), 3 (colour), 4 (RGBA) [the run's]",
    flag_values=FLAGS,
    module_name="data",
)
SPLIT = flags.DEFINE_enum(
    "split",
    "test",
    ["validation", "test"],
    "the held-out images to evaluate on (validation | test) [test]",
    flag_values=FLAGS,
    module_name="data",
)
OUTPUT = _string(
    "output",
    "output directory [the workdir, or that of FILE; for several, comparison beside the first]",
    "output",
)


def main() -> int:
    text = METRICS.value or registry.DEFAULT
    names, seeds = registry.choose(text, "metrics"), chosen_seeds()
    chosen = chosen_models()
    output = chosen_output(chosen)
    for run in (trained.workdir for trained in chosen if trained.workdir):
        run.read_history()  # for the curves: what is wrong with it is found before any work
    evaluators = {}  # shared by runs on the same data
    loaded = [
        tb.run.measure.load(
            trained,
            evaluators,
            split=SPLIT.value,
            metrics=names,
            seeds=seeds,
            samples=SAMPLES.value,
            references=UNTRAINED.value,
            classifiers=output.classifiers,
            progress=True,
        )
        for trained in chosen
    ]
    check_named(text, [evaluator.missing(model) for model, evaluator in loaded])
    results = []
    for trained, (model, evaluator) in zip(chosen, loaded, strict=True):
        if len(chosen) > 1 and sys.stderr.isatty():
            print(f"evaluating {trained.name}", file=sys.stderr)
        results.append(
            tb.run.measure.measure(trained, model, evaluator, recalibrate=RECALIBRATE.value)
        )
    check_named(text, [result.measured.left_out for result in results])
    left_out = report_left_out(results)
    options = {
        "samples": SAMPLES.value,
        "recalibrate_batch_norm": RECALIBRATE.value,
        "seeds": seeds,
    }
    # Print before writing, because the disk may be full.
    print("\n".join([*tb.run.compare.lines(results), *left_out, ""]))
    print(tb.run.compare.write(results, output, options))
    return 0


def chosen_seeds() -> list[int]:
    """--seeds: N for 0 to N - 1, or a list."""
    parts = SEEDS.value.removesuffix(",").split(",")
    numbers = all(part.strip().isdecimal() for part in parts)
    if not numbers or ("," not in SEEDS.value and int(SEEDS.value) == 0):
        raise UserError(f"--seeds={SEEDS.value}: give a number above 0, or a list as 3,7")
    seeds = list(dict.fromkeys(int(part) for part in parts))
    check("seeds", max(seeds), Seed)
    return seeds if "," in SEEDS.value else list(range(seeds[0]))


def chosen_models() -> list[Trained]:
    if (WORKDIR.value is None) == (MODEL.value is None):
        raise UserError("give either --workdir=DIR of a run or --model=FILE.keras")
    changes = {flag.name: flag.value for flag in (DATASET, DATA_DIR, IMAGE_SIZE, CHANNELS)}
    if WORKDIR.value is not None:
        return trained_runs(WORKDIR.value, changes)
    return trained_files(MODEL.value, changes)


def chosen_output(chosen: list[Trained]) -> Workdir:
    first = chosen[0].file.parent if chosen[0].file else chosen[0].workdir.root
    if len(chosen) > 1:
        first = (first if chosen[0].file else first.parent) / "comparison"
    output = Workdir(OUTPUT.value or first)
    output.check_results()
    return output


def check_named(text: str, left_out: list[dict[str, str]]):
    """Raises UserError if a metric named by the user is left out for every model."""
    by_name = registry.named(METRICS.value or "").intersection(*left_out)
    if by_name:
        wrong = [f"{name} {reason}" for name, reason in left_out[0].items() if name in by_name]
        raise UserError(f"--metrics={text}: {'; '.join(wrong)}: leave it out, or fix this")


def report_left_out(results: list) -> list[str]:
    """Lines that list the metrics left out."""
    return [
        f"{name} left out{of}: {reason}"
        for result in results
        for of in ([f" of {result.trained.name}"] if len(results) > 1 else [""])
        for name, reason in result.measured.left_out.items()
        # Few systems have one of this group.
        if METRICS.value is not None or registry.METRICS[name].group != "accuracy"
    ]
