"""Seconds of training until a BiGAN first has a given quality on MNIST, beside its peers.

python -m benchmarks.time_to_quality --seeds=0,1,2 --limit=900
python -m benchmarks.time_to_quality --only=defaults,pytorch      some of the runs
python -m benchmarks.time_to_quality --write                      also updates docs/performance.md
python -m benchmarks.time_to_quality --smoke                      tiny, to see that it works

The runs are the library's presets, and the networks and training of the official code in PyTorch
and in stock Keras. All are measured by `tf_bigan.evaluation` on the same validation images, with
recalibrated batch norm. The clock starts with the training, so it counts tracing and compiling, and
it stands still during evaluations. Of each run all evaluations are stored in OUT/results.jsonl: a
restarted benchmark computes only the runs that are missing or have other settings.
"""

import argparse
import dataclasses
import importlib.util
import json
import os
import sys
import time
from collections.abc import Callable
from functools import partial
from math import inf
from pathlib import Path
from statistics import median

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")  # TensorFlow's start-up notices

import keras  # noqa: E402

from benchmarks import agreement, ours, pages, results  # noqa: E402
from benchmarks.peers import stock_keras  # noqa: E402
from benchmarks.setting import ADAM, SETTINGS, Setting  # noqa: E402
from benchmarks.zoo import settings_of  # noqa: E402
from tf_bigan import data, evaluation, priors  # noqa: E402
from tf_bigan.core import hardware  # noqa: E402
from tf_bigan.core.statistics import calibrate  # noqa: E402
from tf_bigan.errors import UserError  # noqa: E402
from tf_bigan.run import build, presets  # noqa: E402
from tf_bigan.run.config import Config  # noqa: E402
from tf_bigan.run.measure import FIRST_DRAW  # noqa: E402
from tf_bigan.run.workdir import environment  # noqa: E402

PAGE, BLOCK = "docs/performance.md", "time_to_quality"
OFFICIAL_L2 = presets.preset("paper_mnist")["l2"]
# A quality is reached when all of these are: at most, or for accuracies at least.
GOALS = {
    "EGr/EGr_b ≤ .30, FD ≤ 15": {"EGr/EGr_b": 0.30, "fd_classifier": 15.0},
    "the official epoch 25": {"NND": 4.61, "EGr/EGr_b": 0.767, "NNC_e": 95.4},
}
METRICS = ("NND", "NNC_e", "EGr", "EGr_b", "fd_classifier")
COLUMNS = {  # name in the results: (name in the table, decimals)
    "EGr/EGr_b": ("EGr/EGr_b", 3),
    "fd_classifier": ("FD", 1),
    "NND": ("NND", 2),
    "NNC_e": ("NNC_e", 1),
}
PRESETS = {
    "defaults": "mnist",
    "best_mnist": "best_mnist",
    "beats_official_mnist": "beats_official_mnist",
    "paper_mnist": "paper_mnist",
}
TITLES = {
    "defaults": "**tf_bigan**, `--dataset=mnist`",
    **{name: f"**tf_bigan**, `--preset={name}`" for name in list(PRESETS)[1:]},
    "pytorch": "PyTorch, the official recipe",
    "keras": "stock Keras `fit`",
}
CALIBRATION = 200  # training batches for the batch statistics of an evaluation
GROWTH = 1.25  # the least ratio of the seconds of two evaluations
SMOKE = {"dataset": "digits", "validation": None, "width": 8, "batch_size": 32}


class Preset:
    """A run of tf_bigan, with the interface of a peer."""

    def __init__(self, config: Config, train: data.ImageData):
        self.batches = build.training_batches(config, train)
        self.model, self.ran_in = build.build_model(
            config, train.image_shape, self.batches.steps_per_epoch
        )
        self.generate, self.encode = self.model.generate, self.model.features
        self.reconstruct = self.model.reconstruct

    def train(self, after: Callable[[int], bool]):
        self.model.fit(
            self.batches, steps_per_epoch=10**9, verbose=0, callbacks=[ours.Until(after)]
        )

    def recalibrate(self, steps: int):
        calibrate(self.model, self.batches.dataset(), steps)


def config_of(name: str, seed: int, data_dir: str | None, changes: dict) -> Config:
    """The configuration of a preset, and of the images of all runs with this seed."""
    given = {"validation": 10_000, "seed": seed, "data_dir": data_dir} | changes
    return Config.from_dict(presets.combined(presets.preset(PRESETS.get(name, "mnist")), given))


def setting_of(config: Config) -> Setting:
    """The peers' setting: the official one, or for a smoke run that of its tiny networks."""
    changes = {"width": config.width, "batch": config.batch_size} if config.width else {}
    return dataclasses.replace(SETTINGS[0], **changes)


def settings(name: str, config: Config, limit: float, every: float, samples: int) -> dict:
    """All that the results of a run depend on, as it is stored."""
    measured = {"limit": limit, "every": every, "samples": samples, "calibration": CALIBRATION}
    if name in PRESETS:
        run = settings_of(config)
    else:
        run = dataclasses.asdict(setting_of(config)) | {"adam": ADAM, "dataset": config.dataset}
        run |= {"l2": OFFICIAL_L2} if name == "pytorch" else {}
    return json.loads(json.dumps(measured | {"run": run}))


def make(name: str, config: Config, train: data.ImageData):
    """(a run's system before its first step, a description of its precision)."""
    keras.utils.set_random_seed(config.seed)
    if name in PRESETS:
        preset = Preset(config, train)
        return preset, preset.ran_in
    setting = dataclasses.replace(setting_of(config), image_shape=train.image_shape)
    if name == "keras":
        return stock_keras.Peer(setting, train.images, "float32"), "float32"
    import torch

    from benchmarks.peers import pytorch

    def peer(precision: str) -> pytorch.Peer:
        return pytorch.Peer(setting, train.images, precision == "bfloat16", False, OFFICIAL_L2)

    def seconds(precision: str) -> float:
        warm = peer(precision)
        warm.seconds_of(5)
        return warm.seconds_of(20)

    precision = min(("float32", "bfloat16"), key=seconds)
    torch.manual_seed(config.seed)
    made = peer(precision)
    agreement.check(setting, made)  # it also gets the official initial weights
    return made, f"{precision} eager"


def quality(system, inputs: evaluation.Inputs) -> dict[str, float]:
    """The metrics of the present weights. Raises ArithmeticError if they have diverged."""
    system.recalibrate(CALIBRATION)  # training does not read these statistics
    values, left_out = evaluation.compute(METRICS, dataclasses.replace(inputs))
    if left_out:
        raise ArithmeticError("; ".join(f"{name}: {why}" for name, why in left_out.items()))
    return values | {"EGr/EGr_b": values["EGr"] / values["EGr_b"]}


def follow(
    train: Callable[[Callable[[int], bool]], None],
    measured: Callable[[], dict[str, float]],
    limit: float,
    every: float,
    points: list[dict],
    now: Callable[[], float] = time.perf_counter,
):
    """Trains until all goals have been reached, or for `limit` seconds, and appends evaluations.

    Args:
        train: takes a function, calls it with the number of steps after each step (or after a call
            of several), and returns when that returns True.
        measured: {metric: value} of the present state; its time is not counted.
        limit: seconds of training.
        every: the first evaluation is after so many seconds; later ones are at least so many
            seconds and a factor of `GROWTH` apart.
        points: gets a dict of seconds, step and values for each evaluation.
        now: a clock, in seconds.
    """
    begin, paused, due = now(), 0.0, min(every, limit)

    def after(step: int) -> bool:
        nonlocal paused, due
        start = now()
        seconds = start - begin - paused
        if seconds < due:
            return False
        points.append({"seconds": seconds, "step": step} | measured())
        due = min(limit, max(seconds + every, GROWTH * seconds))
        paused += now() - start
        reached = all(seconds_to(goal, points) < inf for goal in GOALS.values())
        return reached or seconds >= limit

    train(after)


def meets(values: dict[str, float], goal: dict[str, float]) -> bool:
    """Whether an evaluation has the quality of a goal."""
    return all(
        values[name] >= bound if _higher(name) else values[name] <= bound
        for name, bound in goal.items()
    )


def _higher(name: str) -> bool:
    return name in evaluation.METRICS and evaluation.METRICS[name].better == "higher"


def seconds_to(goal: dict[str, float], points: list[dict]) -> float:
    """Seconds of training at the first evaluation that meets a goal; infinite if none does."""
    return next((point["seconds"] for point in points if meets(point, goal)), inf)


def table(records: list[dict]) -> str:
    """One row per run: the medians over the seeds."""
    best = " | ".join(f"best {head}" for head, _ in COLUMNS.values())
    lines = [
        f"| run | precision | {' | '.join(GOALS)} | {best} | trained, s | seeds |",
        "|" + "---|" * (len(GOALS) + len(COLUMNS) + 4),
    ]
    for name in [name for name in TITLES if any(record["name"] == name for record in records)]:
        mine = [record for record in records if record["name"] == name]
        failed = "".join(f" ({record['failed']})" for record in mine if "failed" in record)
        points = [record["points"] for record in mine if record["points"]]
        cells = [TITLES[name] + failed, mine[0].get("ran_in", "").partition(" (")[0]]
        cells += [
            _seconds([seconds_to(goal, p["points"]) for p in mine]) for goal in GOALS.values()
        ]
        for column, (_, digits) in COLUMNS.items():
            pick = max if _higher(column) else min
            values = [pick(point[column] for point in of_run) for of_run in points]
            cells.append(f"{median(values):.{digits}f}" if values else "")
        cells.append(f"{median(p[-1]['seconds'] for p in points):.0f}" if points else "")
        lines.append(f"| {' | '.join([*cells, str(len(mine))])} |")
    return "\n".join(lines)


def _seconds(values: list[float]) -> str:
    """The median, the range, and of how many seeds."""
    reached = [value for value in values if value < inf]
    if not reached:
        return "never"
    count = f", {len(reached)} of {len(values)}" if len(reached) < len(values) else ""
    # With half of an even number of seeds there is no median: the mean of a number and infinity.
    middle = median(values)
    shown = f"{middle:.0f}" if middle < inf else "never"
    if len(values) == 1:
        return shown
    return f"{shown} ({min(reached):.0f}–{max(reached):.0f}{count})"


def run(name: str, config: Config, train: data.ImageData, inputs: evaluation.Inputs, options):
    """Trains one run; returns its record, also of one that has failed."""
    record = {"name": name, "seed": config.seed, "points": [], "environment": environment()}
    try:
        system, record["ran_in"] = make(name, config, train)
        uniform = priors.Uniform(SETTINGS[0].latent)
        prior = system.model.prior if isinstance(system, Preset) else uniform
        inputs = dataclasses.replace(
            inputs,
            generate=system.generate,
            encode=system.encode,
            reconstruct=system.reconstruct,
            z=prior.sample(options.samples, seed=FIRST_DRAW).numpy(),
        )
        measured = partial(quality, system, inputs)
        follow(system.train, measured, options.limit, options.every, record["points"])
    except ArithmeticError as error:
        record["failed"] = str(error)
    return record


def images(config: Config, out: Path) -> tuple[data.ImageData, evaluation.Inputs]:
    """The training images, and what all runs of a seed are measured with."""
    train, held_out = build.load_split(config, "train"), build.load_held_out(config, "validation")
    x = train.as_float()
    classifier = evaluation.train_feature_classifier(x, train.labels, path=out / "classifiers")
    of_held_out = held_out.as_float(), held_out.labels
    return train, evaluation.Inputs(*of_held_out, x, train.labels, classifier=classifier)


def integers(text: str) -> list[int]:
    """The numbers of a list with commas."""
    return [int(part) for part in text.split(",")]


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seeds", type=integers, default="0,1,2", help="separated by commas")
    parser.add_argument("--limit", type=float, default=900.0, help="seconds of training of a run")
    parser.add_argument("--every", type=float, default=15.0, help="seconds between evaluations")
    parser.add_argument("--only", default="", help=f"of {','.join(TITLES)}")
    parser.add_argument("--out", default="runs/time_to_quality")
    parser.add_argument("--data_dir", default=None)
    parser.add_argument("--smoke", action="store_true", help="tiny networks on digits")
    parser.add_argument("--write", action="store_true", help=f"update {PAGE}")
    options = parser.parse_args(arguments)
    changes, options.samples = {}, 100_000
    if options.smoke:
        changes, options.samples = SMOKE, 1000
    names = options.only.split(",") if options.only else list(TITLES)
    for name in names:
        if name not in TITLES:
            parser.error(f"--only={options.only}: {name!r} is none of {', '.join(TITLES)}")
    if "pytorch" in names and importlib.util.find_spec("torch") is None:
        print("PyTorch is not installed: its row is left out", file=sys.stderr)
        names.remove("pytorch")
    if options.write and options.smoke:
        parser.error("--write: a smoke run is not for the page")
    policy, xla, why = hardware.choose()
    head = pages.machine(f"{pages.mode('tf_bigan', policy, xla)}: {why}")
    try:
        if options.write:
            pages.around(PAGE, BLOCK)
        records = all_records(names, changes, options)
    except (OSError, UserError) as error:
        raise SystemExit(str(error)) from None
    text = "\n\n".join(
        [
            head,
            f"Seeds: {', '.join(map(str, options.seeds))}, with at most {options.limit:.0f} "
            "seconds of training each; medians, and the range in parentheses. FD is in the "
            "features of a classifier of each seed's training images.",
            table(records),
        ]
    )
    print(text)
    if options.write:
        pages.write(PAGE, BLOCK, text)
    return 0


def all_records(names: list[str], changes: dict, options) -> list[dict]:
    """The records of all seeds of the runs: the stored ones, and those that are missing."""
    out = Path(options.out)
    out.mkdir(parents=True, exist_ok=True)
    path, records = out / "results.jsonl", []
    stored = results.read(path)
    for seed in options.seeds:
        shared = None
        for name in names:
            config = config_of(name, seed, options.data_dir, changes)
            known = settings(name, config, options.limit, options.every, options.samples)
            key = {"name": name, "seed": seed, "settings": known}
            record = next((r for r in stored if all(r[k] == v for k, v in key.items())), None)
            if record is None:
                shared = shared or images(config, out)
                record = run(name, config, *shared, options) | key
                results.append(path, record)
                keras.backend.clear_session()
            records.append(record)
            print(f"seed {seed}: {table([record]).splitlines()[-1]}", flush=True)
    return records


if __name__ == "__main__":
    sys.exit(main())
