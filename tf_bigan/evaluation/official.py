"""The ten numbers that the official BiGAN code prints, under their official names.

Names and protocol: train_gan.py and lib/metrics.py of github.com/jeffdonahue/bigan
(Donahue et al. 2017, "Adversarial Feature Learning").
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import NamedTuple

import numpy as np

from tf_bigan.errors import did_you_mean
from tf_bigan.evaluation.checks import as_images, as_labels, check_count
from tf_bigan.evaluation.inversion import InversionError, to_uint8_levels
from tf_bigan.evaluation.neighbours import RunningNearest
from tf_bigan.evaluation.one_nn import one_nn_accuracy
from tf_bigan.evaluation.probe import linear_probe_accuracy

_SAMPLE_FRACTIONS = {"NND/100": 100, "NND/10": 10, "NND": 1}
_CLASSIFIERS = {
    "NNC_e": ("e", one_nn_accuracy),
    "NNC_e-": ("e-", one_nn_accuracy),
    "CLS_e-": ("e-", linear_probe_accuracy),
}
_INVERSIONS = ("EGr", "EGr_b", "EGg", "EGg_b")

OFFICIAL_METRICS = (*_SAMPLE_FRACTIONS, *_CLASSIFIERS, *_INVERSIONS)

Progress = Callable[[str, int, int], None]


class OfficialMetrics(NamedTuple):
    """Values by metric name, and the reason for each metric that was left out."""

    values: dict[str, float]
    left_out: dict[str, str]


def official_metrics(
    test_images,
    test_labels=None,
    train_images=None,
    train_labels=None,
    *,
    generate: Callable[[np.ndarray], np.ndarray] | None = None,
    encode: Callable[[np.ndarray], Mapping[str, np.ndarray]] | None = None,
    reconstruct: Callable[[np.ndarray], np.ndarray] | None = None,
    z=None,
    metrics: Sequence[str] = OFFICIAL_METRICS,
    gallery: int = 50_000,
    batch: int = 1000,
    seed: int = 0,
    progress: Progress | None = None,
) -> OfficialMetrics:
    """Computes the chosen official metrics; what a model or data set cannot give is left out.

    NND needs `generate` and `z`; NNC and CLS need `encode`, the training images and both arrays
    of labels; EGr needs `reconstruct`; EGg needs `generate`, `z` and `reconstruct`. Nothing that
    the chosen metrics do not need is computed, so ("NND/100", "EGr") is cheap.

    Args:
        test_images: held-out images [N, H, W, C] in [0, 1]; officially 10,000.
        test_labels: their classes [N], or None.
        train_images: training images [M, H, W, C] in [0, 1], or None; the first `gallery` of them
            are the 1-NN gallery and the probe's training set. Where a class has less than half of
            its share among these, as in a file sorted by class, `gallery` of all are drawn instead,
            always the same ones.
        train_labels: their classes [M], or None.
        generate: latent draws [B, ...] -> G(z) [B, H, W, C] in [0, 1].
        encode: x [B, H, W, C] -> {"e": E's output before the squashing [B, latent],
            "e-": the last hidden layer [B, ...]}. Either key may be missing.
        reconstruct: x -> G(E(x)), both [B, H, W, C] in [0, 1].
        z: latent draws [S, ...]; officially 100,000. NND takes all, NND/10 the first tenth,
            NND/100 the first hundredth.
        metrics: names out of `OFFICIAL_METRICS`.
        gallery: most training images to use; officially 50,000.
        batch: images a call of the callables, also the unit of memory.
        seed: of the order of the rows that the probe is trained on.
        progress: called as progress(stage, done, total) after every batch.

    Returns:
        `OfficialMetrics(values, left_out)`, both in the order of `metrics`. Distances in pixel
        units of [0, 1]; NNC and CLS in percent.

    Raises:
        ValueError: for an unknown metric, a count below 1, and arrays of a wrong shape, range or
            length.
    """
    _check_names(metrics)
    check_count(gallery, "gallery", 1)
    check_count(batch, "batch", 1)
    test_images = as_images(test_images, "test_images")
    left_out = _missing_parts(
        metrics,
        {
            "generate": generate,
            "encode": encode,
            "reconstruct": reconstruct,
            "z": z,
            "test_labels": test_labels,
            "train_images": train_images,
            "train_labels": train_labels,
        },
    )
    wanted = {name for name in metrics if name not in left_out}

    def batches(array: np.ndarray, stage: str) -> Iterable[np.ndarray]:
        for start in range(0, len(array), batch):
            yield array[start : start + batch]
            if progress is not None:
                progress(stage, min(start + batch, len(array)), len(array))

    values = {}
    if wanted & {"EGr", "EGr_b"}:
        inversion = InversionError()
        for images in batches(test_images, "reconstruct"):
            inversion.update(images, reconstruct(images))
        values["EGr"], values["EGr_b"] = inversion.result()

    if wanted & _CLASSIFIERS.keys():
        train_images = as_images(train_images, "train_images")
        train_labels = as_labels(train_labels, "train_labels", len(train_images))
        chosen = _gallery(train_labels, gallery)
        train_images, train_labels = train_images[chosen], train_labels[chosen]
        test_labels = as_labels(test_labels, "test_labels", len(test_images))
        layers = {_CLASSIFIERS[name][0] for name in wanted & _CLASSIFIERS.keys()}
        train_features = _features(encode, batches(train_images, "encode train"), layers)
        test_features = _features(encode, batches(test_images, "encode test"), layers)
        for name in wanted & _CLASSIFIERS.keys():
            layer, accuracy = _CLASSIFIERS[name]
            reason = _nothing_to_learn(layer, train_features.get(layer), train_labels)
            if reason is not None:
                left_out[name] = reason
                continue
            options = {"seed": seed} if accuracy is linear_probe_accuracy else {}
            values[name] = accuracy(
                *(train_features[layer], train_labels, test_features[layer], test_labels),
                **options,
            )

    if wanted & {*_SAMPLE_FRACTIONS, "EGg", "EGg_b"}:
        values |= _sample_metrics(wanted, test_images, generate, reconstruct, z, batches)

    return OfficialMetrics(
        {name: values[name] for name in metrics if name in values},
        {name: left_out[name] for name in metrics if name in left_out},
    )


def _sample_metrics(wanted, test_images, generate, reconstruct, z, batches) -> dict[str, float]:
    """NND on nested prefixes of the samples and EGg, from one pass in which none is kept."""
    z = np.asarray(z)
    ends = {name: len(z) // _SAMPLE_FRACTIONS[name] for name in wanted & _SAMPLE_FRACTIONS.keys()}
    for name, end in ends.items():
        if end == 0:
            raise ValueError(f"z: {name} needs at least {_SAMPLE_FRACTIONS[name]} draws")
    invert = bool(wanted & {"EGg", "EGg_b"})
    running = RunningNearest(test_images)
    inversion = InversionError()
    values = {}
    for draws in batches(z if invert else z[: max(ends.values())], "generate"):
        samples = as_images(generate(draws), "generate(z)")
        expected = (len(draws), *test_images.shape[1:])
        if samples.shape != expected:
            raise ValueError(f"generate: expected images {expected}, got {samples.shape}")
        if invert:
            rounded = to_uint8_levels(samples)
            inversion.update(rounded, reconstruct(rounded))
        # A prefix may end inside this batch.
        for end in sorted({*ends.values()}):
            part, samples = np.split(samples, [max(0, min(end - running.seen, len(samples)))])
            if len(part):
                running.update(part)
                if running.seen == end:
                    mean = float(running.distances.mean())
                    values |= {name: mean for name in ends if ends[name] == end}
    if invert:
        values["EGg"], values["EGg_b"] = inversion.result()
    return {name: value for name, value in values.items() if name in wanted}


def _gallery(labels: np.ndarray, most: int) -> slice | np.ndarray:
    """The training rows to use: the first ones, or drawn ones where these lack a class."""
    classes, counts = np.unique(labels, return_counts=True)
    first = labels[:most]
    shares = [np.mean(first == name) for name in classes]
    if (np.asarray(shares) >= counts / len(labels) / 2).all():
        return slice(most)
    return np.sort(np.random.default_rng(0).permutation(len(labels))[:most])


def _features(encode, batches, layers) -> dict[str, np.ndarray]:
    blocks = {layer: [] for layer in layers}
    for images in batches:
        codes = encode(images)
        for layer in layers & codes.keys():
            blocks[layer].append(np.asarray(codes[layer]))
    return {layer: np.concatenate(parts) for layer, parts in blocks.items() if parts}


def _nothing_to_learn(layer: str, features, labels) -> str | None:
    """Why no classifier can be trained on these; None if one can."""
    if features is None:
        return f"the encoder has no layer {layer!r}"
    if len(np.unique(labels)) < 2:
        return "needs train_labels of at least 2 classes"
    if (features == features[0]).all():
        return f"the encoder's layer {layer!r} is the same for all images"
    return None


def _check_names(metrics) -> None:
    for name in metrics:
        if name not in OFFICIAL_METRICS:
            raise ValueError(f"metrics: unknown {name!r}{did_you_mean(name, OFFICIAL_METRICS)}")


def _missing_parts(metrics, parts) -> dict[str, str]:
    """The reason for each metric whose parts are not all there."""
    classify = ("encode", "train_images", "train_labels", "test_labels")
    needs = {
        **dict.fromkeys(_SAMPLE_FRACTIONS, ("generate", "z")),
        **dict.fromkeys(_CLASSIFIERS, classify),
        **dict.fromkeys(("EGr", "EGr_b"), ("reconstruct",)),
        **dict.fromkeys(("EGg", "EGg_b"), ("generate", "z", "reconstruct")),
    }
    left_out = {}
    for name in metrics:
        missing = [part for part in needs[name] if parts[part] is None]
        if missing:
            left_out[name] = f"needs {', '.join(missing)}"
    return left_out
