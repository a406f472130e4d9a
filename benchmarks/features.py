"""Features learnt without labels: a logistic regression on them, with few and with many labels.

python -m benchmarks.features --seeds=0,1,2
python -m benchmarks.features --data=emoji,elpv --emoji=DIR --elpv=DIR
python -m benchmarks.features --data=mnist --methods=pixels,bigan     a part of it
python -m benchmarks.features --write           also updates the tables in docs/features.md

Every method sees all training images without labels. MNIST and MNIST-M have their own test images.
Of the categories of emoji and of ELPV's normal and defective solar cells, in 32×32 pixels, a fifth
is tested on; DIR is an unpacked package that `benchmarks.pictures` names. Results are stored in
OUT/results.jsonl: a restarted run computes only those that are missing or have other settings.
"""

import argparse
import dataclasses
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

import keras
import numpy as np
import tensorflow as tf

from benchmarks import command, pages, pictures, results
from benchmarks.choices import names_in
from tf_bigan import BiGANFeatures, data
from tf_bigan.core import hardware
from tf_bigan.core.model import AdversarialModel
from tf_bigan.core.randomness import seeded
from tf_bigan.core.statistics import calibrate
from tf_bigan.data.splits import balanced_rows
from tf_bigan.evaluation import pca_features
from tf_bigan.run import build, defaults, presets
from tf_bigan.run.config import Config
from tf_bigan.run.workdir import environment

PAGE = "docs/features.md"
DATA = ("mnist", "mnist_m", "emoji", "elpv")
SIMPLE, BIGANS = ("pixels", "pca"), ("bigan", "cycle_bigan")
METHODS = (*SIMPLE, "untrained", "autoencoder", "rotation", *BIGANS)
LABELS = {"10": 10, "100": 100, "1,000": 1000, "all": None}
MINUTES = 5  # of a training, on two cores
WIDTH = 16
COMPONENTS = 50
# Of the choice of C, the inverse of the regularisation.
STRENGTHS, FOLDS, MOST_ROWS = (0.001, 0.01, 0.1, 1.0, 10.0), 5, 2000
SIDE = 32  # of emoji and solar cells


class Split(NamedTuple):
    """Labelled images: those to learn from, and those to test on."""

    train: data.ImageData
    test: data.ImageData


def load(name: str, options: argparse.Namespace, seed: int) -> Split:
    """A data set. Without test images of its own, `seed` draws a fifth of each class for them."""
    from sklearn.model_selection import train_test_split

    if name in ("mnist", "mnist_m"):
        return Split(*(data.load(name, s, data_dir=options.data_dir) for s in ("train", "test")))
    if name == "elpv":
        images, labels = pictures.elpv(options.elpv, SIDE)
    else:
        images, categories = pictures.emoji(options.emoji, SIDE)
        often = categories != pictures.RARE
        images, labels = images[often], np.unique(categories[often], return_inverse=True)[1]
    drawn = train_test_split(
        np.arange(len(labels)), test_size=0.2, stratify=labels, random_state=seed
    )
    pixels = np.round(255 * images).astype(np.uint8)
    return Split(*(data.ImageData(name, pixels[rows], labels[rows]) for rows in drawn))


# --- methods ------------------------------------------------------------------------------


def config_of(method: str, train: data.ImageData, epochs: int | None, seed: int) -> Config | None:
    """What `train.py` would choose for these images, but as below; None if nothing is learnt.

    All sets have networks of the same width, and `bigan` the rates and the penalty of many images.
    By default as many epochs for all methods as about five minutes have for `bigan`.
    """
    if method in SIMPLE:
        return None
    options = {"dataset": train.name, "validation": 0, "seed": seed, "width": WIDTH}
    options["model"] = method if method in ("autoencoder", *BIGANS) else "bigan"
    if options["model"] == "bigan":
        options |= {"learning_rate": Config.learning_rate, "penalty": Config.penalty}
    if method in ("untrained", "rotation"):
        options["ema"] = 0.0  # the encoder itself is used
    height, width, channels = train.image_shape
    images = data.Description(len(train), (height, width), min(height, width), channels)
    start = presets.default_preset(train.name) or defaults.of_data(images, options)
    passes = defaults.of_data(images, {"width": WIDTH})["epochs"] * MINUTES / defaults.MINUTES
    options["epochs"] = epochs or max(1, round(passes))
    return Config.from_dict(presets.combined(start, options))


def settings_of(config: Config | None) -> dict | None:
    """All options that a result depends on."""
    return None if config is None else dataclasses.asdict(config)


def learnt(method: str, config: Config, train: data.ImageData) -> AdversarialModel:
    """A system whose encoder has been trained by the method."""
    batches = train.batches(config.batch_size, config.seed)
    model, _ = build.build_model(config, batches.image_shape, batches.steps_per_epoch)
    if method == "rotation":
        learn_rotations(model.encoder, batches, config)
    elif method != "untrained":
        model.fit(batches, epochs=config.epochs, verbose=0)
    calibrate(model, batches.dataset(), build.calibration_steps(batches))
    return model


def learn_rotations(encoder: keras.Model, batches: data.Batches, config: Config) -> None:
    """Trains an encoder to tell by how many quarter turns an image was rotated.

    Gidaris et al., ICLR 2018: each step has the images of a batch in all four directions. A linear
    classifier on E(x) learns with the encoder.
    """
    head = keras.layers.Dense(4, dtype="float32")
    with seeded(config.seed):
        network = keras.Sequential([keras.Input(batches.image_shape), encoder, head])
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    network.compile(keras.optimizers.Adam(), loss, jit_compile=False)
    network.fit(
        batches.dataset().map(rotated),
        epochs=config.epochs,
        steps_per_epoch=batches.steps_per_epoch,
        shuffle=False,  # they are already
        verbose=0,
    )


def rotated(batch: Mapping[str, tf.Tensor]) -> tuple[tf.Tensor, tf.Tensor]:
    """(images [4·B, H, H, C], their numbers of quarter turns [4·B])."""
    x = batch["image"]
    turned = tf.concat([tf.image.rot90(x, turns) for turns in range(4)], axis=0)
    return turned, tf.repeat(tf.range(4), tf.shape(x)[0])


# --- measurements -------------------------------------------------------------------------


def probe(
    train: np.ndarray, labels: np.ndarray, test: np.ndarray, test_labels: np.ndarray, seed: int
) -> float:
    """Test accuracy in % of a logistic regression on rows [N, F].

    Rows are centred, and divided by one number so that the mean variance is 1. C is chosen by
    cross-validation on at most 2,000 of the labelled rows; it is 1 if a class has a single row.
    """
    from sklearn.linear_model import LogisticRegression
    from sklearn.model_selection import GridSearchCV, StratifiedKFold

    mean = train.mean(axis=0)
    scale = np.sqrt(train.var(axis=0).mean()) or 1.0  # 0 if nothing differs
    train, test = (train - mean) / scale, (test - mean) / scale
    classifier = LogisticRegression(tol=1e-3, max_iter=1000)
    rows = balanced_rows(labels, min(MOST_ROWS, len(labels)), seed)
    folds = min(FOLDS, *np.unique(labels[rows], return_counts=True)[1])
    if folds > 1:
        parts = StratifiedKFold(folds, shuffle=True, random_state=seed)
        search = GridSearchCV(classifier, {"C": STRENGTHS}, cv=parts, refit=False)
        classifier.set_params(**search.fit(train[rows], labels[rows]).best_params_)
    return 100 * float(classifier.fit(train, labels).score(test, test_labels))


def labelled_rows(labels: np.ndarray, seed: int) -> dict[str, np.ndarray]:
    """{name of `LABELS`: rows, balanced over the classes}, of those that the labels suffice for."""
    return {
        name: np.arange(len(labels)) if count is None else balanced_rows(labels, count, seed)
        for name, count in LABELS.items()
        if count is None or count < len(labels)
    }


def features(
    method: str, model: AdversarialModel | None, part: Split
) -> Iterator[tuple[str, np.ndarray, np.ndarray]]:
    """(layer, features [N, F] of the training images, and of the test images), layer by layer."""
    x, x_test = (images.as_float() for images in part)
    if model is not None:
        for layer in model.feature_shapes():
            transformer = BiGANFeatures(model, layer)
            yield layer, transformer.transform(x), transformer.transform(x_test)
    else:
        rows, test = (pixels.reshape(len(pixels), -1) for pixels in (x, x_test))
        if method == "pca":
            rows, test = pca_features(rows, test, components=COMPONENTS)
        yield method, rows, test


def chosen_layer(model: AdversarialModel, images: np.ndarray, labels: np.ndarray) -> str:
    """That of `layer="auto"`; the default one if too few classes have two images to choose by."""
    enough = np.count_nonzero(np.bincount(labels) > 1) > 1
    return BiGANFeatures(model, "auto" if enough else None).fit(images, labels).layer_


def measure(method: str, part: Split, config: Config | None, seed: int) -> dict:
    """{"seconds" of training, "accuracies": {layer: {number of labels: % of the test images}},
    "chosen": {number of labels: layer}}."""
    start = time.monotonic()
    model = None if config is None else learnt(method, config, part.train)
    seconds = round(time.monotonic() - start, 1)
    labels, test_labels = part.train.labels, part.test.labels
    subsets = labelled_rows(labels, seed)
    accuracies = {
        layer: {
            name: probe(train[rows], labels[rows], test, test_labels, seed)
            for name, rows in subsets.items()
        }
        for layer, train, test in features(method, model, part)
    }
    chosen = {
        name: method
        if model is None
        else chosen_layer(model, part.train.images[rows], labels[rows])
        for name, rows in subsets.items()
    }
    return {"seconds": seconds, "accuracies": accuracies, "chosen": chosen}


# --- tables -------------------------------------------------------------------------------


def section(name: str, records: list[dict], machine: str) -> str:
    """The table of a data set, and what it says about BiGANs."""
    largest = 100 * max(record["largest_class"] for record in records)
    seeds = sorted({record["seed"] for record in records})
    return "\n\n".join(
        [
            f"### {name}",
            f"{records[0]['images']:,} training images; the largest class has {largest:.0f} % of "
            f"the test images. Seeds: {', '.join(map(str, seeds))}.",
            table(records),
            conclusion(name, records),
            machine,
        ]
    )


def table(records: list[dict]) -> str:
    """One row per method: accuracies in % with the chosen layer, mean ± standard deviation over the
    seeds, and the layer with the best mean."""
    counts = list(records[0]["chosen"])
    heads = ["method", *(f"{name} labels" for name in counts), "passes", "training, seconds"]
    lines = ["| " + " | ".join(heads) + " |", "|" + "---|" * len(heads)]
    for method in METHODS:
        mine = [record for record in records if record["method"] == method]
        if mine:
            settings = mine[0]["settings"]
            learns = method not in (*SIMPLE, "untrained")
            cells = [f"`{method}`", *(_cell(mine, name) for name in counts)]
            cells += [str(settings["epochs"])] if learns else [""]
            # Other processes can only make a training longer.
            cells += [f"{min(r['seconds'] for r in mine):.0f}"] if learns else [""]
            lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)


def conclusion(name: str, records: list[dict]) -> str:
    """Whether the best mean of the BiGANs is above those of all other methods.

    They are level if the difference is within the standard error of two accuracies on so many test
    images, √((p(1 - p) + q(1 - q)) / N).
    """
    above, level, below = [], [], []
    for count in records[0]["chosen"]:
        means = {
            method: float(np.mean(_chosen([r for r in records if r["method"] == method], count)))
            for method in METHODS
            if any(r["method"] == method for r in records)
        }
        ours = [method for method in means if method in BIGANS]
        others = [method for method in means if method not in BIGANS]
        if not ours or not others:
            return ""
        best, other = max(ours, key=means.__getitem__), max(others, key=means.__getitem__)
        apart = means[best] - means[other]
        variances = (means[m] * (100 - means[m]) for m in (best, other))
        error = np.sqrt(sum(variances) / records[0]["test_images"])
        against = f"{count} labels (`{best}` against `{other}`: {apart:+.1f})"
        (above if apart > error else below if apart < -error else level).append(against)
    parts = [
        f"{word} with {', '.join(found)}"
        for word, found in (("above", above), ("level", level), ("below", below))
        if found
    ]
    return f"On {name} the best BiGAN is, against the best other method, {'; '.join(parts)}."


def _chosen(records: list[dict], count: str) -> list[float]:
    return [record["accuracies"][record["chosen"][count]][count] for record in records]


def _cell(records: list[dict], count: str) -> str:
    cell = results.mean_and_spread(_chosen(records, count), 1)
    means = {
        layer: np.mean([record["accuracies"][layer][count] for record in records])
        for layer in records[0]["accuracies"]
    }
    if len(means) == 1:
        return cell
    best = max(means, key=means.__getitem__)
    return f"{cell} ({best} {means[best]:.1f})"


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", default="mnist,mnist_m", help=f"of {', '.join(DATA)}")
    parser.add_argument("--seeds", default="0,1,2")
    parser.add_argument("--methods", default=",".join(METHODS))
    parser.add_argument(
        "--epochs", type=int, default=None, help=f"passes [as many as {MINUTES} minutes have]"
    )
    parser.add_argument("--out", default="runs/features")
    parser.add_argument("--data_dir", default=None)
    parser.add_argument("--emoji", default=None, help="folder of emoji-datasource-google")
    parser.add_argument("--elpv", default=None, help="folder of the package elpv-dataset")
    parser.add_argument("--write", action="store_true", help=f"update {PAGE}")
    options = parser.parse_args()
    methods = names_in("methods", options.methods, METHODS)
    names = names_in("data", options.data, DATA)
    path = Path(options.out, "results.jsonl")
    path.parent.mkdir(parents=True, exist_ok=True)
    stored = results.read(path)
    machine = pages.machine(": ".join(hardware.choose()[::2]))
    for name in names:
        shown = []
        for seed in map(int, options.seeds.split(",")):
            part = load(name, options, seed)
            for method in methods:
                config = config_of(method, part.train, options.epochs, seed)
                key = {"data": name, "seed": seed, "method": method}
                key["settings"] = settings_of(config)
                record = next((r for r in stored if {k: r[k] for k in key} == key), None)
                if record is None:
                    record = key | measure(method, part, config, seed)
                    record["images"], record["test_images"] = map(len, part)
                    record["largest_class"] = float(np.bincount(part.test.labels).max())
                    record["largest_class"] /= len(part.test)
                    record["environment"] = environment()
                    results.append(path, record)
                    print(name, seed, table([record]).splitlines()[-1], flush=True)
                shown.append(record)
        text = section(name, shown, machine)
        print(text)
        if options.write:
            pages.write(PAGE, f"features_{name}", text)
    return 0


if __name__ == "__main__":
    command.run(main)
