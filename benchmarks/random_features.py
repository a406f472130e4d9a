"""Does fd_random order spoilt MNIST images as fd_classifier does?

python -m benchmarks.random_features
python -m benchmarks.random_features --write            also updates docs/evaluation.md
"""

import argparse

import numpy as np
from scipy import ndimage
from scipy.stats import spearmanr

from benchmarks import pages
from tf_bigan import data, evaluation

PAGE, BLOCK = "docs/evaluation.md", "random features"
_IMAGES = 1000
_SIZES = (250, 1000, 4000)


def spoilt(images: np.ndarray, labels: np.ndarray, count: int) -> dict[str, dict]:
    """{corruption: {strength: images [count, H, W, C]}}, the strengths ascending."""
    x = images[:count]
    noise = np.random.default_rng(0).normal(size=x.shape)
    series = {
        "blur, σ in pixels": {s: ndimage.gaussian_filter(x, (0, s, s, 0)) for s in (0.5, 1, 1.5)},
        "noise, σ": {s: x + s * noise for s in (0.1, 0.2, 0.4)},
        "contrast lost, %": {s: x + s / 100 * (0.5 - x) for s in (5, 20, 50)},
        "another image mixed in, %": {s: x + s / 100 * (x[::-1] - x) for s in (10, 20, 40)},
        "shift, pixels": {s: np.roll(x, s, axis=2) for s in (1, 2, 4)},
        "rotation, degrees": {
            s: ndimage.rotate(x, s, axes=(1, 2), reshape=False, order=1) for s in (10, 20, 40)
        },
        "classes missing, of 10": {s: images[labels < 10 - s][:count] for s in (1, 4, 8)},
    }
    return {
        name: {s: np.clip(found, 0, 1).astype(np.float32) for s, found in strengths.items()}
        for name, strengths in series.items()
    }


def table(real: np.ndarray, others: np.ndarray, labels: np.ndarray, classifier) -> list[str]:
    """The distances from the real images, and their rank correlation."""
    features = {
        "fd_random": evaluation.random_features,
        "fd_classifier": lambda images: classifier(images)[0],
    }
    of_real = {name: function(real) for name, function in features.items()}

    def distances(images):
        return [
            evaluation.frechet_distance(of_real[name], function(images))
            for name, function in features.items()
        ]

    floor = distances(others[: len(real)])
    rows = [f"| none (the floor) | | {_text(floor[:1])} | {_text(floor[1:])} |"]
    pairs = [floor]
    for name, strengths in spoilt(others, labels, len(real)).items():
        found = [distances(images) for images in strengths.values()]
        pairs += found
        levels = ", ".join(map(str, strengths))
        rows.append(f"| {name} | {levels} | {' | '.join(map(_text, zip(*found, strict=True)))} |")
    rank = spearmanr(*np.transpose(pairs)).statistic
    return [
        f"| {len(real):,} other MNIST images, with | strengths | fd_random | fd_classifier |",
        "|---|---|---|---|",
        *rows,
        "",
        f"Rank correlation (Spearman) of the two over the {len(pairs)} sets: {rank:.2f}.",
    ]


def floors(images: np.ndarray) -> str:
    """fd_random between two disjoint sets, for several numbers of images."""
    found = []
    for count in _SIZES:
        halves = map(evaluation.random_features, np.split(images[: 2 * count], 2))
        value = evaluation.frechet_distance(*halves)
        found.append(f"{_text([value])} with {count:,} images each")
    return f"fd_random of two sets without any corruption: {', '.join(found)}."


def _text(values) -> str:
    return ", ".join(f"{value:.2g}" if value < 10 else f"{value:.0f}" for value in values)


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data_dir", default=None)
    parser.add_argument("--write", action="store_true", help=f"update {PAGE}")
    options = parser.parse_args()
    train, test = (
        data.load("mnist", part, data_dir=options.data_dir) for part in ("train", "test")
    )
    classifier = evaluation.train_feature_classifier(train.as_float(), train.labels, progress=True)
    # The test images come from two groups of writers, one after the other.
    order = np.random.default_rng(0).permutation(len(test))
    images, labels = test.as_float()[order], test.labels[order]
    real, others = np.split(images, [_IMAGES])
    lines = [*table(real, others, labels[_IMAGES:], classifier), "", floors(images)]
    print("\n".join(lines))
    if options.write:
        pages.write(PAGE, BLOCK, "\n".join(lines))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
