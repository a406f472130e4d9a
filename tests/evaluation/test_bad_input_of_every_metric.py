"""Every metric against every kind of bad input: one line, that begins with the argument's name."""

import numpy as np
import pytest

from tf_bigan import evaluation, report

RNG = np.random.default_rng(0)
N = 60
ROWS, OTHER_ROWS = RNG.normal(size=(2, N, 6))
IMAGES, OTHER_IMAGES, THIRD_IMAGES = RNG.random((3, N, 8, 8, 1)).astype(np.float32)
LABELS = np.arange(N) % 3
SHARES = np.full((N, 3), 1 / 3)

FEATURES = ("train_features", "train_labels", "test_features", "test_labels")
LABELLED = dict(zip(FEATURES, (ROWS, LABELS, OTHER_ROWS, LABELS), strict=True))
PAIR = {"features_a": ROWS, "features_b": OTHER_ROWS}
# function: its arguments by name
METRICS = {
    "class_agreement": {"probabilities": SHARES, "probabilities_rec": SHARES},
    "class_histogram": {"probabilities": SHARES},
    "classifier_score": {"probabilities": SHARES},
    "clustering": {"features": ROWS, "labels": LABELS},
    "clustering_accuracy": {"features": ROWS, "labels": LABELS},
    "frechet_distance": PAIR,
    "inversion_error": {"images": IMAGES, "reconstructions": OTHER_IMAGES},
    "kernel_distance": PAIR,
    "knn_accuracy": LABELLED,
    "latent_error": {"z": ROWS, "z_hat": OTHER_ROWS},
    "linear_probe_accuracy": LABELLED,
    "logistic_probe_accuracy": LABELLED,
    "memorisation": {
        "samples": IMAGES,
        "train_images": OTHER_IMAGES,
        "held_out_images": THIRD_IMAGES,
    },
    "one_nn_accuracy": LABELLED,
    "prdc": {"real_features": ROWS, "fake_features": OTHER_ROWS},
    "random_features": {"images": IMAGES},
    "sliced_wasserstein": {"a": ROWS, "b": OTHER_ROWS},
    "heat_maps": {"images": IMAGES, "reconstructions": OTHER_IMAGES},
    "train_feature_classifier": {"images": IMAGES, "labels": LABELS, "steps": 1},
}


def spoilt(array):
    """{kind: the array, wrong in that way}."""
    array = np.asarray(array)
    if array.ndim == 1:
        return {
            "rank": array[:, None],
            "dtype": array.astype(float),
            "length": array[:-1],
        }
    if array.ndim == 4:
        return {
            "rank": array[..., 0],
            "range": array * 255,
            "dtype": (array * 255).astype(np.int64),
            "NaN": np.where(array > 0.9, np.nan, array),
            "none": array[:0],
        }
    return {
        "rank": array[0],
        "dtype": array.astype(str),
        "NaN": np.where(array > np.median(array) - 1e-9, np.nan, array),
        "size": array * 1e110,
        "infinity": np.where(array > np.median(array) - 1e-9, np.inf, array),
        "none": array[:0],
    }


CASES = [
    (name, argument, kind)
    for name, arguments in METRICS.items()
    for argument, value in arguments.items()
    if argument != "steps"
    for kind in spoilt(value)
]


def refused(name: str, arguments: dict, by: tuple[str, ...]):
    with pytest.raises(ValueError) as error:
        getattr(evaluation if hasattr(evaluation, name) else report, name)(**arguments)
    message = str(error.value)
    assert message.startswith(tuple(f"{argument}{mark}" for argument in by for mark in ": =")), (
        message
    )
    assert "\n" not in message


def test_good_input_is_taken():
    for name, arguments in METRICS.items():
        getattr(evaluation if hasattr(evaluation, name) else report, name)(**arguments)


@pytest.mark.parametrize(("name", "argument", "kind"), CASES)
def test_a_wrong_array(name, argument, kind):
    arguments = METRICS[name]
    # Of two arrays that must be alike, the message may name the other one.
    by = (argument,) if kind not in ("rank", "none") else tuple(arguments)
    refused(name, arguments | {argument: spoilt(arguments[argument])[kind]}, by)


@pytest.mark.parametrize(
    "name", [n for n, a in METRICS.items() if sum(v is OTHER_ROWS for v in a.values())]
)
def test_unequal_widths(name):
    first, second = (n for n, v in METRICS[name].items() if v is ROWS or v is OTHER_ROWS)
    refused(name, METRICS[name] | {second: OTHER_ROWS[:, 1:]}, (first, second))


@pytest.mark.parametrize("name", [n for n, a in METRICS.items() if a.keys() & {*FEATURES}])
def test_constant_features(name):
    first = next(iter(METRICS[name]))
    refused(name, METRICS[name] | {first: np.ones_like(ROWS)}, (first,))


@pytest.mark.parametrize(
    "name",
    ["frechet_distance", "kernel_distance", "latent_error", "prdc", "sliced_wasserstein"],
)
def test_identical_rows_have_a_distance(name):
    first, second = METRICS[name]
    for argument in (first, second):
        arguments = METRICS[name] | {argument: np.ones_like(ROWS)}
        assert np.isfinite(getattr(evaluation, name)(**arguments)).all()


@pytest.mark.parametrize(
    "name", [n for n, a in METRICS.items() if a.keys() & {"train_labels", "labels"}]
)
def test_a_single_class(name):
    argument = "labels" if "labels" in METRICS[name] else "train_labels"
    refused(name, METRICS[name] | {argument: 0 * LABELS}, (argument,))


@pytest.mark.parametrize(
    ("name", "arguments", "by"),
    [
        ("kernel_distance", {"features_a": ROWS[:19]}, "features_a"),
        ("frechet_distance", {"features_b": ROWS[:1]}, "features_b"),
        ("prdc", {"real_features": ROWS[:5]}, "real_features"),
        (
            "knn_accuracy",
            {"train_features": ROWS[:4], "train_labels": LABELS[:4]},
            "train_features",
        ),
        ("clustering_accuracy", {"features": ROWS[:1], "labels": LABELS[:1]}, "features"),
        ("inversion_error", {"images": IMAGES[:1], "reconstructions": IMAGES[:1]}, "images"),
        ("latent_error", {"z": ROWS[:1], "z_hat": ROWS[:1]}, "z"),
        ("train_feature_classifier", {"images": IMAGES[:9], "labels": LABELS[:9]}, "images"),
        ("knn_accuracy", {"k": 0}, "k"),
        ("prdc", {"k": 0}, "k"),
        ("sliced_wasserstein", {"seed": 2**31}, "seed"),
        ("clustering_accuracy", {"seed": -1}, "seed"),
        ("linear_probe_accuracy", {"learning_rate": 0.0}, "learning_rate"),
    ],
)
def test_too_few_rows(name, arguments, by):
    refused(name, METRICS[name] | arguments, (by,))
