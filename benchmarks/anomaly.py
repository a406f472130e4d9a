"""Anomaly detection: one class is left out of the training, and must be detected as an anomaly.

python -m benchmarks.anomaly --seeds=0,1,2
python -m benchmarks.anomaly --data=petals,lake,trees
python -m benchmarks.anomaly --elpv=DIR --emoji=DIR --data=elpv32,elpv64,emoji
python -m benchmarks.anomaly --digits=1,9 --methods=pca,bigan     a part of it
python -m benchmarks.anomaly --write                              also updates docs/anomaly.md

PyOD's detectors run with the extra `peers`: pip install -e ".[peers]"

MNIST's 70,000 images are pooled, as in EGBAD (Zenati et al. 2018). A detector is trained on 80 % of
the nine other digits, without labels; it is tested on the remaining 20 % and on all images of the
tenth. No image is in both sets. The same for two data sets of scikit-learn: each digit of `digits`,
and the malignant tumours of `breast_cancer`. ELPV (solar cells) and emoji are read from DIR, the
unpacked packages that `benchmarks.pictures` names. Normal cells have a defect probability of 0,
anomalies of 1; of the emoji, one category is left out. petals, lake and trees are patches of
photographs, some with a defect (`benchmarks.surfaces`). Results are stored in OUT/results.jsonl: a
restarted run computes only the missing ones.
"""

import argparse
import importlib
import sys
import time
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np

from benchmarks import command, pages, pictures, results, surfaces
from benchmarks.choices import names_in
from tf_bigan import data
from tf_bigan.core import hardware
from tf_bigan.run.workdir import environment

PAGE, BLOCK = "docs/anomaly.md", "anomaly"
# The areas of a record, in its order. Records of older runs lack the last.
MEASURES = ("AUPRC", "AUROC", "average precision")
# AUPRC, Zenati et al. 2018, table 4; the other digits are only plotted.
PUBLISHED = {1: 0.287, 4: 0.443, 5: 0.514, 7: 0.347, 9: 0.307}
COMPONENTS, NEIGHBOURS = 50, 10
FEW_ROWS = 5000  # that slow methods learn from
SYSTEM = "cycle_bigan"
EMOJI = ("Flags", "Food & Drink", "Smileys & Emotion")  # categories that are left out in turn
ELPV_SIDES = {"elpv32": 32, "elpv64": 64}
DATA = ("mnist", "digits", "breast_cancer", *ELPV_SIDES, "emoji", *surfaces.PLACES)
SHOWN = {  # (method, its score): column heading
    ("pca", "reconstruction"): "PCA",
    ("isolation_forest", "score"): "isolation forest",
    ("one_class_svm", "score"): "one-class SVM",
    ("local_outlier_factor", "score"): "LOF",
    ("neighbours", "distance"): "kNN on pixels",
    ("autoencoder", "reconstruction"): "autoencoder",
    (SYSTEM, "cross_entropy"): "EGBAD's score",
    (SYSTEM, "combined"): "**the detector**",
}


class Split(NamedTuple):
    """Normal training rows; test rows; which test rows are anomalies.

    images: [N, H, W, C] in [0, 1], or a table [N, F].
    """

    train: np.ndarray
    test: np.ndarray
    anomalous: np.ndarray


def split(images: np.ndarray, labels: np.ndarray, left_out: int, seed: int) -> Split:
    """Trains on 80 % of the rows with other labels; tests on the rest and those of `left_out`.

    Args:
        images: [N, ...].
        labels: [N].
        left_out: the label of the anomalies.
        seed: random seed of the split.
    """
    normal = np.random.default_rng(seed).permutation(np.flatnonzero(labels != left_out))
    learnt = round(0.8 * len(normal))
    test = np.concatenate([normal[learnt:], np.flatnonzero(labels == left_out)])
    return Split(images[normal[:learnt]], images[test], labels[test] == left_out)


def areas(anomalous: np.ndarray, scores: np.ndarray) -> list[float]:
    """`MEASURES` of scores, larger = more anomalous, each in [0, 1].

    AUPRC is the area under the curve of precision P over recall R by the trapezoid rule, as
    published. Its straight lines between two thresholds are optimistic (Davis & Goadrich 2006).
    Average precision Σ_n (R_n - R_{n-1}) P_n has steps instead.

    Args:
        anomalous: bool [N], with both values.
        scores: [N].
    """
    from sklearn.metrics import (
        auc,
        average_precision_score,
        precision_recall_curve,
        roc_auc_score,
    )

    precision, recall, _ = precision_recall_curve(anomalous, scores)
    return [
        float(auc(recall, precision)),
        float(roc_auc_score(anomalous, scores)),
        float(average_precision_score(anomalous, scores)),
    ]


# --- methods: (split, seed, settings) -> {score: anomaly scores of the test rows} -------------


def pca(part: Split, seed: int, settings: None) -> dict[str, np.ndarray]:
    """Σ|x - x_rec| with the first principal components."""
    from sklearn.decomposition import PCA

    train, test = _rows(part)
    model = PCA(min(COMPONENTS, train.shape[1] // 2), random_state=seed).fit(train)
    restored = model.inverse_transform(model.transform(test))
    return {"reconstruction": np.abs(test - restored).sum(axis=1)}


def isolation_forest(part: Split, seed: int, settings: None) -> dict[str, np.ndarray]:
    """scikit-learn's, with its defaults."""
    from sklearn.ensemble import IsolationForest

    train, test = _rows(part)
    return {"score": -IsolationForest(random_state=seed).fit(train).score_samples(test)}


def one_class_svm(part: Split, seed: int, settings: None) -> dict[str, np.ndarray]:
    """scikit-learn's, on at most 5,000 rows, because its cost is quadratic in their number."""
    from sklearn.svm import OneClassSVM

    train, test = _rows(part)
    return {"score": -OneClassSVM(nu=0.1).fit(_few(train, seed)).score_samples(test)}


def local_outlier_factor(part: Split, seed: int, settings: None) -> dict[str, np.ndarray]:
    """scikit-learn's, with its 20 neighbours."""
    from sklearn.neighbors import LocalOutlierFactor

    train, test = _rows(part)
    return {"score": -LocalOutlierFactor(novelty=True).fit(train).score_samples(test)}


def neighbours(part: Split, seed: int, settings: None) -> dict[str, np.ndarray]:
    """The mean distance to the 10 nearest training rows, the baseline of learnt codes."""
    from sklearn.neighbors import NearestNeighbors

    train, test = _rows(part)
    distances, _ = NearestNeighbors(n_neighbors=NEIGHBOURS).fit(train).kneighbors(test)
    return {"distance": distances.mean(axis=1)}


def pyod(name: str, part: Split, seed: int, settings: None) -> dict[str, np.ndarray]:
    """A detector of PyOD. AnoGAN learns from at most 5,000 rows: it takes 500 passes over them."""
    from benchmarks.peers.pyod import scores

    train, test = (rows.reshape(len(rows), -1) for rows in (part.train, part.test))
    if name == "AnoGAN":
        train = _few(train, seed)
    return {"score": scores(name, train, test, seed)}


def detector(system: str, part: Split, seed: int, settings: dict) -> dict[str, np.ndarray]:
    """All scores of a `BiGANDetector` of a system."""
    from tf_bigan import BiGANDetector

    fitted = BiGANDetector(system, random_state=seed, **settings).fit(part.train)
    return fitted.anomaly_scores(part.test)


def settings_of(method: str, data: str, epochs: int | None) -> dict | None:
    """Arguments of a `BiGANDetector` other than its defaults; None for other methods."""
    if method in OTHERS:
        return None
    return {} if epochs is None else {"epochs": epochs}


def _rows(part: Split) -> tuple[np.ndarray, np.ndarray]:
    """Training and test rows; columns of tables are standardised."""
    from sklearn.preprocessing import StandardScaler

    if part.train.ndim == 2:
        scaler = StandardScaler().fit(part.train)
        return scaler.transform(part.train), scaler.transform(part.test)
    return part.train.reshape(len(part.train), -1), part.test.reshape(len(part.test), -1)


def _few(train: np.ndarray, seed: int) -> np.ndarray:
    return train[np.random.default_rng(seed).permutation(len(train))[:FEW_ROWS]]


_SIMPLE = (pca, isolation_forest, one_class_svm, local_outlier_factor, neighbours)
BASELINES = {m.__name__: m for m in _SIMPLE}
SIMPLE = [key for key in SHOWN if key[0] in BASELINES]
PEERS = {f"pyod.{n}": partial(pyod, n) for n in ("AutoEncoder", "DeepSVDD", "AnoGAN", "ALAD")}
OTHERS = BASELINES | PEERS  # than detectors of this library
METHODS = (*OTHERS, "autoencoder", SYSTEM)


def method(name: str) -> Callable:
    """A baseline, a peer, or the detector of the system of that name."""
    return OTHERS.get(name) or partial(detector, name)


def installed(methods: list[str]) -> list[str]:
    """The methods, without peers if their package is missing. Imports it, untimed."""
    if not PEERS.keys() & set(methods):
        return methods
    try:
        importlib.import_module("benchmarks.peers.pyod")
    except ModuleNotFoundError as error:
        print(
            f'{error.name} is not installed: PyOD\'s rows are left out; pip install -e ".[peers]"',
            file=sys.stderr,
        )
        return [name for name in methods if name not in PEERS]
    return methods


# --- data ---------------------------------------------------------------------------------


def anomalies_of(name: str, digits: str) -> tuple[int, ...]:
    """The labels that are left out in turn."""
    if name in ("breast_cancer", *ELPV_SIDES, *surfaces.PLACES):
        return (1,)
    return tuple(range(len(EMOJI))) if name == "emoji" else tuple(map(int, digits.split(",")))


def load(name: str, options: argparse.Namespace) -> tuple[np.ndarray, np.ndarray]:
    """(images [N, H, W, C] in [0, 1] or a table [N, F], labels [N])."""
    from sklearn.datasets import load_breast_cancer, load_digits

    if name in ELPV_SIDES:
        return pictures.elpv(options.elpv, ELPV_SIDES[name])
    if name in surfaces.PLACES:
        return surfaces.surface(name)
    if name == "emoji":
        images, categories = pictures.emoji(options.emoji)
        return images, np.array([EMOJI.index(c) if c in EMOJI else -1 for c in categories])
    if name == "breast_cancer":
        rows, benign = load_breast_cancer(return_X_y=True)
        return rows, 1 - benign  # 1: malignant
    if name == "digits":
        rows, labels = load_digits(return_X_y=True)
        return (rows / 16).astype(np.float32).reshape(-1, 8, 8, 1), labels
    parts = [data.load("mnist", s, data_dir=options.data_dir) for s in ("train", "test")]
    images = np.concatenate([part.as_float() for part in parts])
    return images, np.concatenate([part.labels for part in parts])


# --- tables -------------------------------------------------------------------------------


def tables(records: list[dict]) -> str:
    """All methods on each data set, `MEASURES` of each anomaly, and how many of MNIST's digits are
    above the others."""
    parts = []
    for name in sorted({r["data"] for r in records}):
        parts += [f"### Quality and time, {name}", costs([r for r in records if r["data"] == name])]
    for index, measure in enumerate(MEASURES):
        known = [r for r in records if all(len(areas) > index for areas in r["areas"].values())]
        mnist = [r for r in known if r["data"] == "mnist"]
        small = [r for r in known if r["data"] != "mnist"]
        if mnist:
            parts += [f"### {measure}, MNIST", table(mnist, index)]
            parts += [conclusion(mnist)] if index == 0 else []
        if small:
            parts += [f"### {measure}, other data", table(small, index)]
    parts = ["### AUROC against the best simple method", against_simple(records), *parts]
    mnist = [r for r in records if r["data"] == "mnist"]
    if mnist:
        parts += ["### Every score, MNIST", every_score(mnist)]
    return "\n\n".join(parts)


def against_simple(records: list[dict]) -> str:
    """The detector's mean AUROC over seeds and anomalies, and that of the best simple method of
    each anomaly, chosen by its mean over the seeds."""
    heads = ["data", "best simple method of each anomaly", "the detector", "difference"]
    heads += ["worst difference", "seconds of fit and scores, median"]
    lines = ["| " + " | ".join(heads) + " |", "|" + "---|" * len(heads)]
    index = MEASURES.index("AUROC")
    for name in sorted({r["data"] for r in records}):
        mine = [r for r in records if r["data"] == name]
        ours = _means(mine, SYSTEM, "combined", index)
        simple = [_means(mine, *key, index) for key in SIMPLE]
        best = {
            anomaly: max(means[anomaly] for means in simple if anomaly in means)
            for anomaly in ours
            if any(anomaly in means for means in simple)
        }
        if not best:
            continue
        apart = [ours[anomaly] - best[anomaly] for anomaly in best]
        means = [np.mean(list(best.values())), np.mean([ours[a] for a in best])]
        seconds = [r["seconds"] for r in mine if r["method"] == SYSTEM and "seconds" in r]
        cells = [
            f"{means[0]:.3f}",
            f"{means[1]:.3f}",
            f"{np.mean(apart):+.3f}",
            f"{min(apart):+.3f}",
        ]
        lines.append(
            "| " + " | ".join([name, *cells, f"{np.median(seconds):.0f}" if seconds else ""]) + " |"
        )
    return "\n".join(lines)


def costs(records: list[dict]) -> str:
    """A row per method: `MEASURES` and seconds of fit and scores.

    Means over the runs that the detector also has. Without a detector, over all runs.
    """
    heads = ["method", "runs", *MEASURES, "seconds"]
    lines = ["| " + " | ".join(heads) + " |", "|" + "---|" * len(heads)]
    common = {_part(r) for r in _runs(records, SYSTEM, "combined")}
    for (name, score), head in (SHOWN | {(peer, "score"): peer for peer in PEERS}).items():
        runs = [r for r in _runs(records, name, score) if not common or _part(r) in common]
        if not runs:
            continue
        known = [
            [r["areas"][score][index] for r in runs if index < len(r["areas"][score])]
            for index in range(len(MEASURES))
        ]
        cells = [f"{np.mean(values):.3f}" if values else "" for values in known]
        seconds = [r["seconds"] for r in runs if "seconds" in r]
        cells.append(f"{np.mean(seconds):.1f}" if seconds else "")
        count = f"{len(runs)} of {len(common)}" if len(runs) < len(common) else str(len(runs))
        lines.append("| " + " | ".join([head, count, *cells]) + " |")
    return "\n".join(lines)


def table(records: list[dict], index: int) -> str:
    """One row per anomaly; mean ± standard deviation over the seeds."""
    published = index == 0 and records[0]["data"] == "mnist"
    heads = ["anomaly", "base rate", *(["published"] if published else []), *SHOWN.values()]
    lines = ["| " + " | ".join(heads) + " |", "|" + "---|" * len(heads)]
    for name, anomaly in sorted({(r["data"], r["anomaly"]) for r in records}):
        mine = [r for r in records if (r["data"], r["anomaly"]) == (name, anomaly)]
        shown = str(anomaly) if name == "mnist" else f"{name}, {anomaly}"
        cells = [shown, f"{np.mean([r['base_rate'] for r in mine]):.2f}"]
        if published:
            cells.append(f"{PUBLISHED[anomaly]:.3f}" if anomaly in PUBLISHED else "")
        cells += [results.mean_and_spread(_values(mine, *key, index), 3) for key in SHOWN]
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)


def conclusion(records: list[dict]) -> str:
    """The number of digits where the detector's mean is above the others'."""
    ours = _means(records, SYSTEM, "combined")
    lines = []
    for key, head in list(SHOWN.items())[:-1]:
        theirs = _means(records, *key)
        both = ours.keys() & theirs.keys()
        if both:
            above = sum(ours[digit] > theirs[digit] for digit in both)
            lines.append(f"- {head}: above on {above} of {len(both)} digits")
    both = ours.keys() & PUBLISHED.keys()
    above = sum(ours[digit] > PUBLISHED[digit] for digit in both)
    lines.append(f"- the published figures: above on {above} of {len(both)} digits")
    return "The detector's AUPRC, compared with\n" + "\n".join(lines)


def every_score(records: list[dict]) -> str:
    """AUPRC of each method's scores: the mean over seeds for each digit, and over the digits."""
    digits = sorted({r["anomaly"] for r in records})
    heads = ["method", "score", *map(str, digits), "mean"]
    lines = ["| " + " | ".join(heads) + " |", "|" + "---|" * len(heads)]
    for name, score in sorted({(r["method"], score) for r in records for score in r["areas"]}):
        means = _means(records, name, score)
        cells = [f"{means[digit]:.2f}" if digit in means else "" for digit in digits]
        mean = f"{np.mean(list(means.values())):.3f}"
        lines.append("| " + " | ".join([f"`{name}`", score, *cells, mean]) + " |")
    return "\n".join(lines)


def _runs(records: list[dict], name: str, score: str) -> list[dict]:
    return [r for r in records if r["method"] == name and score in r["areas"]]


def _part(record: dict) -> tuple:
    """What determines the rows of a run, whatever its method."""
    return record["data"], record["anomaly"], record["seed"]


def _values(records: list[dict], name: str, score: str, index: int = 0) -> list[float]:
    return [r["areas"][score][index] for r in _runs(records, name, score)]


def _means(records: list[dict], name: str, score: str, index: int = 0) -> dict[int, float]:
    """{anomaly: the mean of a measure, by default AUPRC, over the seeds}."""
    found = {}
    for anomaly in sorted({r["anomaly"] for r in records}):
        values = _values([r for r in records if r["anomaly"] == anomaly], name, score, index)
        if values:
            found[anomaly] = float(np.mean(values))
    return found


def key_of(record: Mapping) -> tuple:
    """The key of a record: its data, method, anomaly and seed."""
    return tuple(record[name] for name in ("data", "anomaly", "seed", "epochs", "method"))


def of_these_settings(records: list[dict]) -> list[dict]:
    """The records whose settings are the current ones."""
    found = [
        record
        for record in records
        if record.get("settings") == settings_of(*(record[n] for n in ("method", "data", "epochs")))
    ]
    if len(found) < len(records):
        print(f"{len(records) - len(found)} results with other settings are ignored")
    return found


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", default="mnist,digits,breast_cancer")
    parser.add_argument("--digits", default="0,1,2,3,4,5,6,7,8,9", help="digits to leave out")
    parser.add_argument("--seeds", default="0,1,2")
    parser.add_argument("--methods", default=",".join(METHODS), help="baselines, peers and systems")
    parser.add_argument("--epochs", type=int, default=None, help="on MNIST [the default]")
    parser.add_argument("--out", default="runs/anomaly")
    parser.add_argument("--data_dir", default=None)
    parser.add_argument("--elpv", default=None, help="folder of the package elpv-dataset")
    parser.add_argument("--emoji", default=None, help="folder of emoji-datasource-google")
    parser.add_argument("--write", action="store_true", help=f"update {PAGE}")
    options = parser.parse_args()
    names = names_in("data", options.data, DATA)
    path = Path(options.out, "results.jsonl")
    path.parent.mkdir(parents=True, exist_ok=True)
    records = of_these_settings(results.read(path))
    known = {key_of(record) for record in records}
    methods = installed(options.methods.split(","))
    for name in names:
        images, labels = load(name, options)
        for anomaly in anomalies_of(name, options.digits):
            for seed in map(int, options.seeds.split(",")):
                part = split(images, labels, anomaly, seed)
                for chosen in methods:
                    # None: other methods have no epochs; small data use the detector's default.
                    epochs = None if chosen in OTHERS or name != "mnist" else options.epochs
                    record = {"data": name, "anomaly": anomaly, "seed": seed}
                    record |= {"epochs": epochs, "method": chosen}
                    if key_of(record) in known:
                        continue
                    start = time.monotonic()
                    record["settings"] = settings_of(chosen, name, epochs)
                    found = method(chosen)(part, seed, record["settings"])
                    record["seconds"] = round(time.monotonic() - start, 1)
                    record["base_rate"] = float(part.anomalous.mean())
                    record["areas"] = {n: areas(part.anomalous, s) for n, s in found.items()}
                    record["environment"] = environment()
                    results.append(path, record)
                    records.append(record)
                    best = " ".join(f"{n} {a:.3f}" for n, (a, *_) in record["areas"].items())
                    print(
                        name, anomaly, seed, chosen, f"{record['seconds']:.0f} s:", best, flush=True
                    )
    records = [r for r in records if r["epochs"] in (options.epochs, None)]
    seeds = sorted({r["seed"] for r in records})
    text = "\n\n".join(
        [
            pages.machine(": ".join(hardware.choose()[::2])),
            f"Passes over MNIST: {options.epochs or 'the default'}; seeds {seeds}.",
            tables(records),
        ]
    )
    print(text)
    if options.write:
        pages.write(PAGE, BLOCK, text)
    return 0


if __name__ == "__main__":
    command.run(main)
