"""The published MNIST table: trains a preset and evaluates it at some epochs, as in the paper.

python -m benchmarks.paper_table --seeds=42,1,2 --epochs=0,1,25 --out=runs/paper_table
python -m benchmarks.paper_table --preset=best_mnist --seeds=42,1,2 --split=test

Each result is a line of OUT/results.jsonl: a restarted run continues after the last stored epoch.
`--write` updates the preset's table in docs/results.md.
"""

import dataclasses
import time
from pathlib import Path

import keras
import numpy as np
from absl import app, flags

from benchmarks import pages, results
from tf_bigan.errors import UserError
from tf_bigan.run import build, measure
from tf_bigan.run.config import Config
from tf_bigan.run.presets import preset
from tf_bigan.run.workdir import environment

FLAGS = flags.FLAGS
SEEDS = flags.DEFINE_list("seeds", ["42"], "random seeds of weights, split, data order and z")
PRESET = flags.DEFINE_string("preset", "paper_mnist", "a preset for MNIST, as in train.py")
EPOCHS = flags.DEFINE_list("epochs", None, "epochs to evaluate at, increasing [the preset's last]")
SPLIT = flags.DEFINE_enum("split", "validation", ["validation", "test"], "images to evaluate on")
PRECISION = flags.DEFINE_string("precision", "auto", "as in train.py")
OUT = flags.DEFINE_string("out", None, "directory of results and last states [runs/PRESET]")
DATA_DIR = flags.DEFINE_string("data_dir", None, "as in train.py")
WRITE = flags.DEFINE_boolean("write", False, "update the preset's table in docs/results.md")

COLUMNS = ("NND/100", "NND", "NNC_e", "NNC_e-", "CLS_e-", "EGr", "EGr_b", "EGg", "EGg_b")
# README of the official code, github.com/jeffdonahue/bigan; one seed, 10,000 validation images.
OFFICIAL = {
    0: (13.54, 13.44, 91.50, 96.84, 91.39, 13.64, 13.64, 3.00, 3.00),
    1: (7.37, 7.19, 89.94, 92.56, 86.72, 8.70, 9.55, 3.77, 5.84),
    25: (5.54, 4.61, 95.41, 96.28, 91.33, 7.29, 9.51, 5.24, 7.79),
    200: (5.56, 4.33, 95.92, 97.14, 92.63, 6.04, 9.91, 5.26, 9.58),
    400: (5.41, 4.14, 92.10, 97.35, 79.48, 5.95, 9.60, 5.20, 9.15),
}
PAGE = "docs/results.md"


def main(_):
    out = Path(OUT.value or f"runs/{PRESET.value}")
    out.mkdir(parents=True, exist_ok=True)
    try:
        for seed in map(int, SEEDS.value):
            run(out, seed)
    except UserError as error:
        raise SystemExit(str(error)) from None
    table = markdown(results.read(out / "results.jsonl"))
    print(table)
    if WRITE.value:
        pages.write(PAGE, PRESET.value, table)


def run(out: Path, seed: int):
    """Trains one seed from its last stored epoch on, and evaluates the missing epochs."""
    config = Config.from_dict(
        preset(PRESET.value)
        | {"seed": seed, "precision": PRECISION.value, "data_dir": DATA_DIR.value}
    )
    path, state = out / "results.jsonl", out / f"{config.precision}-seed{seed}.keras"
    done = results.read(path)
    done = [d for d in done if d["seed"] == seed and d["precision"] == config.precision]
    for record in done:
        if record["config"] | {"data_dir": None} != dataclasses.asdict(config) | {"data_dir": None}:
            raise UserError(f"{path} has results of other settings: choose another --out")
    measured = {d["epoch"] for d in done if d["split"] == SPLIT.value}
    epochs = sorted(set(map(int, EPOCHS.value or [config.epochs])) - measured)
    if not epochs:
        return
    train = build.load_split(config, "train")
    held_out = build.load_held_out(config, SPLIT.value)
    batches = train.batches(config.batch_size, seed=seed)
    model, why = build.build_model(config, train.image_shape, batches.steps_per_epoch)
    if state.exists():
        model = keras.saving.load_model(state)
    seconds = max((d["train_seconds"] for d in done), default=0.0)
    for epoch in epochs:
        start = time.monotonic()
        first = int(model.step.numpy()) // batches.steps_per_epoch
        if first > epoch:
            raise UserError(f"{state} is of epoch {first}, past {epoch}: choose another --out")
        history = model.fit(batches, initial_epoch=first, epochs=epoch, verbose=0).history
        seconds += time.monotonic() - start
        losses = {name: values[-1] for name, values in history.items() if "loss" in name}
        for record in done:  # the training may have been done for another split
            if record["epoch"] == epoch and not losses:
                losses = {name: value for name, value in record.items() if "loss" in name}
        values = measure.values(model, train, held_out, recalibrate=True)
        record = {
            "split": SPLIT.value,
            "seed": seed,
            "precision": config.precision,
            "ran_in": why,
            "epoch": epoch,
            "train_seconds": round(seconds, 1),
            **losses,
            "metrics": values,
            "config": dataclasses.asdict(config),
            "environment": environment(),
        }
        results.append(path, record)
        model.save(state)
        print(f"seed {seed}, epoch {epoch}, {seconds:.0f} s of training: {values}", flush=True)


def markdown(records: list[dict]) -> str:
    """The official and the measured rows, with mean ± standard deviation over the seeds."""
    lines = [
        "| epoch | | images | seeds | " + " | ".join(COLUMNS) + " | D's loss | training |",
        "|" + "---|" * (len(COLUMNS) + 6),
    ]
    for epoch in sorted({record["epoch"] for record in records} | set(OFFICIAL)):
        if epoch in OFFICIAL:
            values = " | ".join(f"{value:.2f}" for value in OFFICIAL[epoch])
            lines.append(f"| {epoch} | official | validation | 1 | {values} | | |")
        mine = [record for record in records if record["epoch"] == epoch]
        for kind in sorted({(r["split"], r["precision"]) for r in mine}, reverse=True):
            chosen = [r for r in mine if (r["split"], r["precision"]) == kind]
            split, precision = kind
            metrics = [[r["metrics"][name] for r in chosen] for name in COLUMNS]
            cells = [results.mean_and_spread(values, 2) for values in metrics]
            known = [r["loss_D"] for r in chosen if "loss_D" in r] or ([] if epoch else [np.log(2)])
            loss = results.mean_and_spread(known, 3)
            minutes = np.mean([r["train_seconds"] for r in chosen]) / 60
            seeds = ", ".join(str(r["seed"]) for r in chosen)
            lines.append(
                f"| {epoch} | tf_bigan, {precision} | {split} | {seeds} | {' | '.join(cells)} | "
                f"{loss} | {minutes:.1f} min |"
            )
    return "\n".join(lines)


if __name__ == "__main__":
    app.run(main)
