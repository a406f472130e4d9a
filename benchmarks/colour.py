"""Colour pictures: what a run with the default options makes of them in some minutes.

python -m benchmarks.colour --emoji=DIR --minutes=15 --seeds=0,1,2
python -m benchmarks.colour --data=mnist_m --variants=default,cycle     a part of it
python -m benchmarks.colour --emoji=DIR --write                         also updates docs/colour.md

Emoji are read from DIR, the unpacked package emoji-datasource-google of npm, which is no part of
this project. OUT/emoji becomes a folder of them: a subfolder for each category; a tenth of the
emoji, drawn with a fixed seed and with all their skin tones, are test pictures. A run has the
options that `train.py` picks for the data, with the additions in `VARIANTS`, and ends after so many
minutes of training. Results are stored in OUT/results.jsonl: a restarted benchmark computes only
the missing ones, and shows all of these settings.
"""

import argparse
import shutil
import time
from pathlib import Path

import numpy as np

from benchmarks import command, ours, pages, pictures, results
from benchmarks.choices import names_in
from benchmarks.zoo import settings_of
from tf_bigan import evaluation, report
from tf_bigan.core import hardware
from tf_bigan.run import build, defaults, measure, presets
from tf_bigan.run.config import Config
from tf_bigan.run.workdir import environment

PAGE, BLOCK = "docs/colour.md", "colour"
# The emoji are not the project's to show.
PICTURED, PICTURE = "mnist_m-cycle_128", "docs/images/colour_mnist_m.png"
DATA = {"emoji32": "32", "emoji64": "64", "mnist_m": None}  # name: image_size
# dcgan: convolutional networks trained as the official code trains its own.
OF_DCGAN = {k: v for k, v in presets.OFFICIAL.items() if k != "dataset"} | {
    "networks": "dcgan",
    "augmentation": None,
    "loss": None,  # its own: the logistic one
}
VARIANTS = {
    "default": {},
    "logistic": {"loss": None},
    "unaugmented": {"augmentation": None},
    "batch_64": {"batch_size": 64},  # the default of smaller images
    "cycle": {"model": "cycle_bigan"},
    "cycle_128": {"model": "cycle_bigan", "latent_dim": 128},  # photographs have more to encode
    "dcgan": OF_DCGAN,
}
COLUMNS = {  # name in the results: (name in the table, decimals)
    "fd_classifier": ("FD", 1),
    "EGr": ("EGr", 2),
    "EGr_b": ("EGr_b", 2),
    "ratio": ("EGr/EGr_b", 3),
    "class_agreement": ("keeps class, %", 1),
    "memorisation_ratio": ("memorisation", 3),
    "epochs": ("passes", 0),
}
SAMPLES, SHOWN = 5000, 16


def prepare(package: str | None, out: Path) -> Path:
    """A folder of the emoji, OUT/train/CATEGORY/*.png and OUT/test/CATEGORY/*.png."""
    if out.exists():
        return out
    found = [emoji for emoji in pictures.emoji_files(package) if emoji[0] != pictures.RARE]
    test = np.random.default_rng(0).permutation(len(found)) < len(found) // 10
    unfinished = out.with_name(out.name + ".unfinished")
    shutil.rmtree(unfinished, ignore_errors=True)
    for (category, files), of_test in zip(found, test, strict=True):
        folder = unfinished / ("test" if of_test else "train") / category
        folder.mkdir(parents=True, exist_ok=True)
        for file in files:
            shutil.copy(file, folder)
    unfinished.rename(out)
    return out


def config_of(name: str, variant: str, seed: int, options: argparse.Namespace) -> Config:
    """The options that `train.py` picks for the data, those of a variant, and the seed."""
    dataset = f"folder:{Path(options.out, 'emoji')}" if name.startswith("emoji") else name
    given = {"dataset": dataset, "validation": 0, "data_dir": options.data_dir, "seed": seed}
    given |= {"image_size": DATA[name]} if DATA[name] else {}
    given |= VARIANTS[variant]
    of_data = defaults.of_data(build.describe(Config.from_dict(given)), given)
    return Config.from_dict(presets.combined({}, of_data | given))


def settings(data: str, variant: str, seed: int, options: argparse.Namespace) -> dict:
    """All that a result depends on, without paths."""
    of_run = settings_of(config_of(data, variant, seed, options))
    return of_run | {"dataset": data, "minutes": options.minutes}


def read(path: Path, options: argparse.Namespace) -> list[dict]:
    """The stored records with the current settings, in the order of `DATA` and `VARIANTS`."""
    records = [
        record
        for record in results.read(path)
        if record["variant"] in VARIANTS
        and record["settings"]
        == settings(record["data"], record["variant"], record["seed"], options)
    ]
    order = [*DATA, *VARIANTS]
    return sorted(records, key=lambda r: (order.index(r["data"]), order.index(r["variant"])))


def run(config: Config, minutes: float, out: Path, name: str) -> dict:
    """Trains for some minutes; returns a record, and writes a picture to OUT/NAME.png."""
    train, test = build.load_split(config, "train"), build.load_held_out(config, "test")
    classifier = evaluation.train_feature_classifier(
        train.as_float(), train.labels, path=out / "classifiers"
    )
    batches = build.training_batches(config, train)
    model, why = build.build_model(config, train.image_shape, batches.steps_per_epoch)
    start = time.monotonic()
    ends = ours.Until(lambda step: time.monotonic() - start > 60 * minutes)
    model.fit(batches, steps_per_epoch=10**9, verbose=0, callbacks=[ends])
    steps = int(model.step.numpy())
    record = {"seconds": round(time.monotonic() - start, 1), "steps": steps}
    record["epochs"] = steps / batches.steps_per_epoch
    names = ("EGr", "EGr_b", "memorisation_ratio")
    record |= measure.values(model, train, test, names, batches=batches, recalibrate=True)
    record["ratio"] = record["EGr"] / record["EGr_b"]
    x, samples = test.as_float(), model.sample(SAMPLES, seed=1)
    x_rec = model.reconstruct(x)
    # Of a small set, all pictures: the distance of a few to their own set is large.
    real = x if len(x) >= SAMPLES else np.concatenate([train.as_float(), x])
    record["fd_classifier"] = evaluation.fd_classifier(classifier, real, samples)
    record["class_agreement"] = evaluation.class_agreement(classifier(x)[1], classifier(x_rec)[1])
    record["classifier"] = {"accuracy": classifier.accuracy, "digest": classifier.digest}
    pairs = [a for i in (0, SHOWN) for a in (x[i : i + SHOWN], x_rec[i : i + SHOWN])]
    grid = report.image_grid(np.concatenate([samples[: 4 * SHOWN], *pairs]), SHOWN)
    report.save_png(out / f"{name}.png", grid)
    return record | {"ran_in": why, "environment": environment()}


def table(records: list[dict]) -> str:
    """One row per data set and variant: mean ± standard deviation over the seeds."""
    heads = " | ".join(head for head, _ in COLUMNS.values())
    lines = [f"| data | variant | seeds | {heads} |", "|" + "---|" * (len(COLUMNS) + 3)]
    for name, variant in dict.fromkeys((r["data"], r["variant"]) for r in records):
        mine = [r for r in records if (r["data"], r["variant"]) == (name, variant)]
        cells = [
            results.mean_and_spread([record[column] for record in mine], digits)
            for column, (_, digits) in COLUMNS.items()
        ]
        lines.append(f"| {name} | {variant} | {len(mine)} | {' | '.join(cells)} |")
    return "\n".join(lines)


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", default=",".join(DATA))
    parser.add_argument("--variants", default=",".join(VARIANTS))
    parser.add_argument("--minutes", type=float, default=15.0, help="of training")
    parser.add_argument("--seeds", default="0", help="separated by commas")
    parser.add_argument("--emoji", default=None, help="folder of emoji-datasource-google")
    parser.add_argument("--out", default="runs/colour")
    parser.add_argument("--data_dir", default=None)
    parser.add_argument("--write", action="store_true", help=f"update {PAGE}")
    options = parser.parse_args()
    names = names_in("data", options.data, DATA)
    variants = names_in("variants", options.variants, VARIANTS)
    out = Path(options.out)
    out.mkdir(parents=True, exist_ok=True)
    if any(name.startswith("emoji") for name in names):
        prepare(options.emoji, out / "emoji")
    path = out / "results.jsonl"
    records = read(path, options)
    known = {(r["data"], r["variant"], r["seed"]) for r in records}
    for name in names:
        for variant in variants:
            for seed in map(int, options.seeds.split(",")):
                if (name, variant, seed) in known:
                    continue
                record = {"data": name, "variant": variant, "seed": seed}
                record["settings"] = settings(**record, options=options)
                config = config_of(name, variant, seed, options)
                record |= run(config, options.minutes, out, f"{name}-{variant}-seed{seed}")
                results.append(path, record)
                print(table([record]).splitlines()[-1], flush=True)
    records = read(path, options)
    accuracies = {r["data"]: r["classifier"]["accuracy"] for r in records}
    text = "\n\n".join(
        [
            pages.machine(": ".join(hardware.choose()[::2])),
            f"{options.minutes:g} minutes of training. Accuracy of the classifier behind FD: "
            + ", ".join(f"{name} {value:.1f} %" for name, value in accuracies.items())
            + ".",
            table(records),
        ]
    )
    print(text)
    if options.write:
        pages.write(PAGE, BLOCK, text)
        shown = out / f"{PICTURED}-seed{records[0]['seed']}.png"
        if shown.exists():
            shutil.copy(shown, PICTURE)
    return 0


if __name__ == "__main__":
    command.run(main)
