"""Time and memory of all metrics for 10,000 real and 10,000 generated MNIST images.

python -m benchmarks.evaluation
python -m benchmarks.evaluation --write                 also updates docs/evaluation.md
python -m benchmarks.evaluation --neighbours            only nearest neighbours, 10,000 in 60,000

Only the metrics are timed, on arrays without a model: the samples are blends of training images,
and random features of the same sizes replace the encoder. All columns are included: floor,
ceilings, raw pixels and PCA.
"""

import argparse
import resource
import sys
import time
from collections.abc import Iterator

import numpy as np
from sklearn.metrics import pairwise_distances_chunked
from sklearn.neighbors import NearestNeighbors

from benchmarks import pages
from tf_bigan import data, evaluation
from tf_bigan.core import hardware
from tf_bigan.evaluation.registry import in_groups

PAGE, BLOCK = "docs/evaluation.md", "evaluation"
_LATENT, _HIDDEN = 50, 1024  # features of the paper's encoder


def peak_memory() -> float:
    """Peak memory of this process, in GB."""
    unit = 1024 if sys.platform.startswith("linux") else 1  # getrusage: kB on Linux, bytes on macOS
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 1e9


def stand_ins(images: np.ndarray, count: int) -> np.ndarray:
    """Blends of each image with a shifted one: [count, H, W, C], similar to samples."""
    chosen = np.random.default_rng(0).integers(0, len(images), (2, count))
    return 0.7 * images[chosen[0]] + 0.3 * np.roll(images[chosen[1]], 1, axis=2)


def measured(train, held_out, samples) -> Iterator[tuple[str, int]]:
    """Measures everything; yields the name and the number of values of each part."""
    (x, labels), (x_test, test_labels) = train, held_out
    rng = np.random.default_rng(1)
    width = x[0].size
    projections = {
        layer: rng.normal(0, width**-0.5, (width, units)).astype(np.float32)
        for layer, units in (("e", _LATENT), ("e-", _HIDDEN))
    }

    def encode(images):
        rows = images.reshape(len(images), -1)
        return {layer: np.maximum(rows @ weights, 0) for layer, weights in projections.items()}

    inputs = evaluation.Inputs(
        *(x_test, test_labels, x, labels),
        generate=lambda z: samples[z[:, 0]],
        encode=encode,
        reconstruct=lambda images: 0.9 * images,
        z=np.arange(len(samples))[:, None],
        progress=True,
    )
    names = in_groups(evaluation.METRICS, "official")
    yield "official", len(evaluation.compute(names, inputs)[0])
    classifier = evaluation.train_feature_classifier(x, labels, progress=True)
    yield "the classifier", 1
    inputs = inputs.reseeded(0, inputs.z, classifier)
    names = in_groups(evaluation.METRICS, "generation")
    counts = [len(evaluation.compute(names, inputs)[0])]
    counts += [len(evaluation.compute(names, one)[0]) for one in inputs.references().values()]
    yield "generation, floor and ceilings", sum(counts)
    z = rng.normal(size=(len(samples), _LATENT))
    yield "latent", len(evaluation.latent_error(z, z + 1))
    pixels = [images.reshape(len(images), -1) for images in (x, x_test)]
    names = in_groups(evaluation.METRICS, "representation")
    for name, features in (
        ("features", [encode(images)["e"] for images in (x, x_test)]),
        ("raw pixels", pixels),
        ("PCA", evaluation.pca_features(*pixels)),
    ):
        given = evaluation.Inputs(x_test, test_labels, x, labels, features=tuple(features))
        yield f"representation, {name}", len(evaluation.compute(names, given)[0])


def neighbours() -> str:
    """Exact nearest neighbours of 10,000 rows among 60,000, with two functions of scikit-learn."""
    lines = ["| values per row | function | seconds | processor seconds |", "|---:|---|---:|---:|"]
    functions = {
        "`evaluation.nearest` (`pairwise_distances_argmin`)": evaluation.nearest,
        '`NearestNeighbors(algorithm="brute")`': lambda queries, rows: (
            NearestNeighbors(n_neighbors=1, algorithm="brute").fit(rows).kneighbors(queries)
        ),
        "`pairwise_distances_chunked`": lambda queries, rows: list(
            pairwise_distances_chunked(
                queries, rows, reduce_func=lambda block, _: block.argmin(axis=1), working_memory=64
            )
        ),
    }
    rng = np.random.default_rng(0)
    for width in (784, 50):
        queries, rows = (rng.random((n, width), np.float32) for n in (10_000, 60_000))
        for name, function in functions.items():
            start = np.array([time.monotonic(), time.process_time()])
            function(queries, rows)
            seconds = np.array([time.monotonic(), time.process_time()]) - start
            lines.append(f"| {width} | {name} | {seconds[0]:.1f} | {seconds[1]:.1f} |")
    return "\n".join(lines)


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--train", type=int, default=10_000, help="training images, at most")
    parser.add_argument("--samples", type=int, default=10_000)
    parser.add_argument("--data_dir", default=None)
    parser.add_argument("--write", action="store_true", help=f"update {PAGE}")
    parser.add_argument("--neighbours", action="store_true", help="only exact nearest neighbours")
    options = parser.parse_args()
    if options.neighbours:
        print(neighbours())
        return 0
    machine = pages.machine(": ".join(hardware.choose()[::2]))
    sets = [data.load("mnist", split, data_dir=options.data_dir) for split in ("train", "test")]
    sets[0] = sets[0].take(options.train)
    train, held_out = ((part.as_float(), part.labels) for part in sets)
    samples = stand_ins(train[0], options.samples)
    before = peak_memory()
    rows, total = [], np.zeros(2)
    last = np.array([time.monotonic(), time.process_time()])
    for name, count in measured(train, held_out, samples):
        now = np.array([time.monotonic(), time.process_time()])
        rows.append(f"| {name} | {count} | {now[0] - last[0]:.1f} | {now[1] - last[1]:.1f} |")
        total, last = total + now - last, now
    text = "\n".join(
        [
            machine,
            "",
            f"{len(held_out[0]):,} real (held-out) and {len(samples):,} generated MNIST images; "
            f"{len(train[0]):,} training images for classifier, neighbours and probes.",
            "",
            "| part | values | seconds | processor seconds |",
            "|---|---:|---:|---:|",
            *rows,
            f"| **all** | | **{total[0]:.1f}** | **{total[1]:.1f}** |",
            "",
            f"Peak memory of the process: {peak_memory():.2f} GB, of which {before:.2f} GB are "
            "TensorFlow and the images.",
        ]
    )
    print(text)
    if options.write:
        pages.write(PAGE, BLOCK, text)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
