"""A comparison of all systems on MNIST, on the same images and with few passes over them.

python -m benchmarks.zoo --epochs=4 --out=runs/zoo
python -m benchmarks.zoo --only=gan,bigan          some of them
python -m benchmarks.zoo --write                   also updates docs/zoo.md and docs/zoo.png

Each system has the settings of `python train.py --dataset=mnist --model=NAME`, with the additions
in `OPTIONS` below. Those in `SLOW` make more passes. Results are stored in OUT/results.jsonl: a
restarted run computes only those that are missing or have other settings.
"""

import argparse
import dataclasses
import time
from pathlib import Path

import numpy as np

from benchmarks import command, pages, results
from tf_bigan import data, evaluation, models, report
from tf_bigan.core import hardware
from tf_bigan.run import build, measure, presets
from tf_bigan.run.config import Config
from tf_bigan.run.workdir import environment

PAGE, PICTURE, BLOCK = "docs/zoo.md", "docs/zoo.png", "zoo"
# Options that a system needs besides images, and training on all of them.
OPTIONS = {
    "sgan": {"labels": 100},
    "triple_gan": {"labels": 100},
    "dann": {"target_dataset": "mnist_m"},
}
# Systems that are not good enough after four passes, and how many times as many they make: with
# --epochs=4 ten, the default of `train.py`, and `vae_gan` more.
SLOW = dict.fromkeys(("alad", "bigbigan", "infogan", "sgan", "wgan_gp"), 2.5) | {"vae_gan": 3.5}
NO_SAMPLES = ("autoencoder",)  # its codes do not follow the prior, so that G(z) means nothing
COLUMNS = {  # name in the results: (name in the table, decimals)
    "NND/10": ("NND/10", 2),
    "fd_classifier": ("FD", 1),
    "classes_covered": ("classes", 0),
    "EGr": ("EGr", 2),
    "EGr_b": ("EGr_b", 2),
    "class_agreement": ("keeps class, %", 1),
    "NNC_e-": ("NNC_e-", 1),
    "CLS_e-": ("CLS_e-", 1),
    "accuracy": ("accuracy", 1),
    "code_accuracy": ("codes", 1),
    "epochs": ("passes", 0),
    "seconds": ("seconds", 0),
}
SHOWN, SAMPLES = 12, 10_000


def config_of(name: str, epochs: int, seed: int, data_dir: str | None) -> Config:
    """The configuration of a system: its own options and the common ones."""
    passes = round(epochs * SLOW.get(name, 1))
    options = {"model": name, "validation": 0, "epochs": passes, "seed": seed}
    options |= OPTIONS.get(name, {}) | {"data_dir": data_dir}
    return Config.from_dict(presets.combined(presets.default_preset("mnist"), options))


def settings_of(config: Config) -> dict:
    """All options that a result depends on, that is, without data_dir."""
    return {k: v for k, v in dataclasses.asdict(config).items() if k != "data_dir"}


def read(path: Path, epochs: int) -> list[dict]:
    """The stored records of the current settings with these `epochs`."""
    return [
        record
        for record in results.read(path)
        if record["settings"]
        == settings_of(config_of(record["system"], epochs, record["seed"], None))
    ]


def run(config: Config, classifier, out: Path) -> dict:
    """Trains one system; returns its record, and writes its pictures to OUT."""
    train = build.load_split(config, "train")
    held_out = build.load_held_out(config, "test")
    batches = build.training_batches(config, train)
    held_out = held_out.converted(channels=batches.image_shape[-1])
    train = train.converted(channels=batches.image_shape[-1])
    model, why = build.build_model(
        config, batches.image_shape, batches.steps_per_epoch, train.num_classes
    )
    record = {"system": config.model, "seed": config.seed, "epochs": config.epochs}
    if config.model == "bigan":  # its encoder is that of most systems
        names = ("NNC_e-", "CLS_e-")
        baseline = measure.values(model, train, held_out, names, recalibrate=True)
        record |= {f"untrained {name}": value for name, value in baseline.items()}
    start = time.monotonic()
    history = model.fit(batches, epochs=config.epochs, verbose=0).history
    record["seconds"] = round(time.monotonic() - start, 1)
    record["losses"] = {name: values[-1] for name, values in history.items() if "loss_" in name}
    generates = hasattr(model, "generator") and config.model not in NO_SAMPLES
    names = ("EGr", "EGr_b", "NNC_e-", "CLS_e-", "accuracy", "code_accuracy")
    names += ("NND/10",) if generates else ()
    record |= measure.values(model, train, held_out, names, batches=batches, recalibrate=True)
    rows = {"originals": held_out.as_float(range(SHOWN))}
    if generates:
        samples = model.sample(SAMPLES, seed=1)
        rows["samples"] = samples[:SHOWN]
        record["fd_classifier"] = evaluation.fd_classifier(classifier, held_out.as_float(), samples)
        histogram = evaluation.class_histogram(classifier(samples)[1])
        record["classes_covered"] = evaluation.classes_covered(histogram)
    if hasattr(model, "generator") and hasattr(model, "encoder"):
        x_rec = model.reconstruct(held_out.as_float())
        rows["reconstructions"] = x_rec[:SHOWN]
        record["class_agreement"] = evaluation.class_agreement(
            classifier(held_out.as_float())[1], classifier(x_rec)[1]
        )
    np.savez_compressed(out / f"{config.model}-seed{config.seed}.npz", **rows)
    return record | {"ran_in": why, "environment": environment()}


def table(records: list[dict]) -> str:
    """One row per system: mean ± standard deviation over the seeds, and the shortest time."""
    heads = " | ".join(head for head, _ in COLUMNS.values())
    lines = [f"| system | seeds | {heads} |", "|" + "---|" * (len(COLUMNS) + 2)]
    untrained = [r for r in records if "untrained NNC_e-" in r]
    if untrained:
        lines.append(f"| *an untrained encoder* | | {_cells(untrained, 'untrained ')} |")
    for name in sorted({record["system"] for record in records}):
        mine = [record for record in records if record["system"] == name]
        failed = "".join(f" ({record['failed']})" for record in mine if "failed" in record)
        lines.append(f"| `{name}`{failed} | {len(mine)} | {_cells(mine)} |")
    return "\n".join(lines)


def _cells(records: list[dict], prefix: str = "") -> str:
    cells = []
    for name, (_, digits) in COLUMNS.items():
        values = [record[prefix + name] for record in records if prefix + name in record]
        # The epochs are the same for all; other processes can only make a training longer.
        if values and name in ("epochs", "seconds"):
            cells.append(f"{min(values):.{digits}f}")
        else:
            cells.append(results.mean_and_spread(values, digits))
    return " | ".join(cells)


def picture(out: Path, names: list[str], path: str):
    """Samples, and reconstructions below their originals, one row per system."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    files = {name: sorted(out.glob(f"{name}-seed*.npz")) for name in names}
    shown = {name: np.load(found[0]) for name, found in files.items() if found}
    shown = {k: v for k, v in shown.items() if "samples" in v or "reconstructions" in v}
    figure, axes = pyplot.subplots(len(shown), 2, figsize=(11, 0.95 * len(shown)), squeeze=False)
    for (left, right), (name, rows) in zip(axes, shown.items(), strict=True):
        left.set_ylabel(name, rotation=0, ha="right", va="center", fontsize=9)
        if "samples" in rows:
            left.imshow(report.image_grid(rows["samples"], SHOWN).squeeze(), cmap="gray")
        if "reconstructions" in rows:
            pairs = np.concatenate([rows["originals"], rows["reconstructions"]])
            right.imshow(report.image_grid(pairs, SHOWN).squeeze(), cmap="gray")
    for axis in axes.flat:
        axis.set(xticks=[], yticks=[], frame_on=False)
    axes[0][0].set_title("samples", fontsize=10)
    axes[0][1].set_title("test images, and G(E(x)) below them", fontsize=10)
    figure.tight_layout(pad=0.3)
    figure.savefig(path, dpi=110)


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--epochs", type=int, default=4)
    parser.add_argument("--seeds", default="0", help="separated by commas")
    parser.add_argument("--only", default="", help="systems, separated by commas")
    parser.add_argument("--out", default="runs/zoo")
    parser.add_argument("--data_dir", default=None)
    parser.add_argument("--write", action="store_true", help=f"update {PAGE} and {PICTURE}")
    options = parser.parse_args()
    out = Path(options.out)
    out.mkdir(parents=True, exist_ok=True)
    path = out / "results.jsonl"
    images = data.load("mnist", data_dir=options.data_dir)
    classifier = evaluation.train_feature_classifier(
        images.as_float(), images.labels, path=out / "classifier.keras"
    )
    names = options.only.split(",") if options.only else models.names()
    for seed in map(int, options.seeds.split(",")):
        for name in names:
            if (name, seed) in {(r["system"], r["seed"]) for r in read(path, options.epochs)}:
                continue
            config = config_of(name, options.epochs, seed, options.data_dir)
            try:
                record = run(config, classifier, out)
            except (ArithmeticError, ValueError) as error:  # a failed system has a row too
                record = {"system": name, "seed": seed, "epochs": config.epochs}
                record["failed"] = str(error)
            record["settings"] = settings_of(config)
            results.append(path, record)
            print(table([record]).splitlines()[-1], flush=True)
    records = read(path, options.epochs)
    text = "\n\n".join(
        [
            pages.machine(": ".join(hardware.choose()[::2])),
            f"On the 60,000 training images. The classifier behind FD: seed {classifier.seed}, "
            f"accuracy {classifier.accuracy:.2f} %, {classifier.digest}.",
            table(records),
        ]
    )
    print(text)
    if options.write:
        pages.write(PAGE, BLOCK, text)
        picture(out, sorted({r["system"] for r in records}), PICTURE)
    return 0


if __name__ == "__main__":
    command.run(main)
