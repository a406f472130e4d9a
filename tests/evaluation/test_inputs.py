"""The metrics of the registry: each value is that of the function of its name."""

import dataclasses

import numpy as np
import pytest
from sklearn.datasets import load_digits

from tf_bigan.data.splits import balanced_rows
from tf_bigan.errors import UserError
from tf_bigan.evaluation import (
    METRICS,
    Inputs,
    NotFinite,
    Unmeasurable,
    class_agreement,
    class_histogram,
    classes_covered,
    classifier_score,
    clustering,
    compute,
    frechet_distance,
    inversion_error,
    kernel_distance,
    knn_accuracy,
    latent_error,
    linear_probe_accuracy,
    logistic_probe_accuracy,
    matched_accuracy,
    memorisation,
    nearest,
    one_nn_accuracy,
    prdc,
    random_features,
    sliced_wasserstein,
    to_uint8_levels,
    train_feature_classifier,
)
from tf_bigan.evaluation import inputs as module
from tf_bigan.evaluation.registry import in_groups

X, Y = load_digits(return_X_y=True)
ORDER = np.random.default_rng(0).permutation(len(X))
X, Y = (X[ORDER] / 16).astype(np.float32).reshape(-1, 8, 8, 1), Y[ORDER]
TRAIN, TRAIN_LABELS, HELD_OUT, HELD_OUT_LABELS = X[:900], Y[:900], X[900:1300], Y[900:1300]
PROJECT = np.random.default_rng(1).normal(size=(64, 12)).astype(np.float32)
Z = np.random.default_rng(2).integers(0, len(X) - 1300, (1030, 1))
OFFICIAL = in_groups(METRICS, "official")
GENERATION = in_groups(METRICS, "generation")
LIKE_FID = [name for name in GENERATION if "classifier" in METRICS[name].needs]


def generate(z):
    return X[1300:][z[:, 0]] ** 1.5


def encode(x):
    pixels = x.reshape(len(x), -1)
    # At the scale of 8 a probe of few steps gets further than the nearest neighbours.
    return {"e": pixels @ PROJECT, "e-": 8 * np.maximum(pixels - 0.5, 0).reshape(len(x), 8, 8)}


def infer(x):
    return np.rint(8 * x.mean(axis=(1, 2, 3)))[:, None]


def reconstruct(x):
    return 0.8 * x


DATA = (HELD_OUT, HELD_OUT_LABELS, TRAIN, TRAIN_LABELS)
MODEL = {
    "generate": generate,
    "encode": encode,
    "reconstruct": reconstruct,
    "infer": infer,
    "classify": lambda x: np.eye(10)[np.arange(len(x)) % 10],
    "assign": lambda x: np.arange(len(x)) // 50 % 4,
    "z": Z,
}


@pytest.fixture(scope="module")
def classifier():
    return train_feature_classifier(TRAIN, TRAIN_LABELS, steps=200)


@pytest.fixture(scope="module")
def inputs(classifier):
    return Inputs(*DATA, **MODEL, classifier=classifier, seed=3)


def nnd(samples):
    return nearest(HELD_OUT, samples)[0].mean()


@pytest.mark.slow
def test_every_value_is_the_metric_of_its_name(inputs, classifier):
    values, left_out = compute(METRICS, inputs)
    assert list(values) == [name for name in METRICS if name != "probe_1000"]
    assert left_out == {"probe_1000": "train_labels: expected at least 1000 labels, got 900"}
    samples = generate(Z)
    rounded = to_uint8_levels(samples)
    (features, probabilities), (real, _) = classifier(samples[:400]), classifier(HELD_OUT)
    e, hidden = ((encode(TRAIN)[n], TRAIN_LABELS, encode(HELD_OUT)[n], HELD_OUT_LABELS)
                 for n in ("e", "e-"))  # fmt: skip

    def probe(count):
        rows = balanced_rows(TRAIN_LABELS, count, 3)
        return logistic_probe_accuracy(hidden[0][rows], hidden[1][rows], *hidden[2:])

    clusters, kernel = clustering(*hidden[2:], seed=3), kernel_distance(real, features, seed=3)
    pooled = random_features(HELD_OUT), random_features(samples[:400])
    random_kernel = kernel_distance(*pooled, seed=3)
    in_random = {
        "fd": frechet_distance(*pooled),
        "kernel_distance": random_kernel.value,
        "kernel_distance_error": random_kernel.standard_error,
        **prdc(*pooled)._asdict(),
    }
    expected = {
        "NND/100": nnd(samples[:10]),
        "NND/10": nnd(samples[:103]),
        "NND": nnd(samples),
        "NNC_e": one_nn_accuracy(*e),
        "NNC_e-": one_nn_accuracy(*hidden),
        "CLS_e-": linear_probe_accuracy(*hidden, seed=3),
        "accuracy": 100 * np.mean(np.arange(400) % 10 == HELD_OUT_LABELS),
        "code_accuracy": matched_accuracy(np.arange(400) // 50 % 4, HELD_OUT_LABELS),
        "fd_classifier": frechet_distance(real, features),
        "kernel_distance": kernel.value,
        "kernel_distance_error": kernel.standard_error,
        **prdc(real, features)._asdict(),
        **{f"{name}_random": value for name, value in in_random.items()},
        "classifier_score": classifier_score(probabilities),
        "class_agreement": class_agreement(classifier(HELD_OUT)[1], classifier(0.8 * HELD_OUT)[1]),
        "classes_covered": classes_covered(class_histogram(probabilities)),
        "sliced_wasserstein": sliced_wasserstein(HELD_OUT, samples[:400]),
        "one_nn": one_nn_accuracy(*hidden),
        "knn": knn_accuracy(*hidden),
        "probe_100": probe(100),
        "probe_all": logistic_probe_accuracy(*hidden),
        "clustering": clusters.accuracy,
        "clustering_nmi": clusters.nmi,
        "clustering_ari": clusters.ari,
    }
    expected["EGr"], expected["EGr_b"] = inversion_error(HELD_OUT, reconstruct(HELD_OUT))
    expected["EGg"], expected["EGg_b"] = inversion_error(rounded, reconstruct(rounded))
    expected["latent_error"], expected["latent_error_b"] = latent_error(Z, infer(samples))
    for name, value in expected.items():
        assert values[name] == pytest.approx(value, rel=1e-4), name
    distances = [expected[name] for name in OFFICIAL if name[:2] in ("NN", "EG")]
    assert np.diff(sorted(distances)).min() > 0.01  # none can stand in for another
    assert METRICS.keys() - expected.keys() == {
        *("probe_1000", "memorisation_ratio", "memorisation_nearer_train")
    }


def test_a_probe_needs_so_many_labels():
    few = Inputs(*DATA[:2], TRAIN[:99], TRAIN_LABELS[:99], encode=encode)
    values, left_out = compute(["probe_100", "probe_all"], few)
    assert list(values) == ["probe_all"]
    assert left_out["probe_100"] == "train_labels: expected at least 100 labels, got 99"
    many = Inputs(*DATA[:2], TRAIN[:300], np.arange(300) % 120, encode=encode)
    _, left_out = compute(["probe_100"], many)
    assert left_out["probe_100"] == "train_labels: 100 labels are too few for 120 classes"


def test_sorted_classes_are_drawn_from_all_training_images(monkeypatch):
    monkeypatch.setattr(module, "_NEIGHBOURS", 600)
    order = np.argsort(TRAIN_LABELS, kind="stable")
    chosen = np.sort(np.random.default_rng(0).permutation(900)[:600])
    assert TRAIN_LABELS[order][:600].max() < TRAIN_LABELS[order][chosen].max()
    for rows, expected in ((order, order[chosen]), (np.arange(900), np.arange(600))):
        sorted_ = Inputs(*DATA[:2], TRAIN[rows], TRAIN_LABELS[rows], encode=encode)
        features, labels, _, _ = sorted_.official_classification("e")
        np.testing.assert_array_equal(labels, TRAIN_LABELS[expected])
        np.testing.assert_allclose(features, encode(TRAIN[expected])["e"], rtol=1e-4, atol=1e-4)


def test_the_size_of_blocks_does_not_matter(monkeypatch):
    inputs = Inputs(*(part[:250] for part in DATA), **MODEL | {"z": Z[:310]}, seed=3)
    names = [name for name in OFFICIAL if name[:2] in ("NN", "EG")]
    whole, _ = compute(names, inputs)
    for images in (7, 103):
        monkeypatch.setattr(module, "_BLOCK_VALUES", 64 * images)
        blocks, left_out = compute(names, dataclasses.replace(inputs))
        assert list(blocks) == names and left_out == {}
        assert blocks == pytest.approx(whole, rel=1e-6)


def test_only_what_is_needed_is_computed():
    drawn = []

    def counted(z):
        drawn.append(len(z))
        return generate(z)

    options = MODEL | {"generate": counted, "encode": lambda x: pytest.fail("not needed")}
    inputs = Inputs(*DATA, **options)
    compute(["EGr", "NND/100"], inputs)
    assert drawn == [10]
    compute(["NND/10", "NND"], inputs)
    assert sum(drawn) == len(Z)  # nearest samples are not searched twice


@pytest.mark.parametrize(
    ("without", "group", "reason"),
    [
        (("encode", "reconstruct"), {"NND/100", "NND/10", "NND"}, "needs an encoder"),
        (("generate", "z"), {"NNC_e", "NNC_e-", "CLS_e-"}, "needs a generator"),
        (("held_out_labels",), {n for n in OFFICIAL if n[:3] in ("NND", "EGr", "EGg")}, "labels"),
        (("train", "train_labels"), {n for n in OFFICIAL if n[:3] in ("NND", "EGr", "EGg")},
         "needs training images"),
    ],
)  # fmt: skip
def test_what_is_not_there_is_left_out(without, group, reason):
    images = dict(zip(("held_out", "held_out_labels", "train", "train_labels"), DATA, strict=True))
    arguments = {n: v for n, v in (images | MODEL).items() if n not in without}
    values, left_out = compute(OFFICIAL, Inputs(**arguments))
    assert set(values) == set(group) and set(left_out) == set(OFFICIAL) - group
    assert all(reason in text for text in left_out.values())


@pytest.mark.parametrize(
    ("arguments", "left_out"),
    [
        ({"samples": X[1300:1400]}, {"NND": "z"}),
        ({"samples": X[1300:1400], "z": Z}, {"NND": "generate"}),
        (
            {name: MODEL[name] for name in ("generate", "encode", "z")},
            {"EGr": "reconstruct", "EGg": "reconstruct", "latent_error": "infer"},
        ),
    ],
)
def test_functions_that_are_not_there(arguments, left_out):
    names = ["sliced_wasserstein", *left_out]
    values, reasons = compute(names, Inputs(*DATA, **arguments))
    assert list(values) == ["sliced_wasserstein"]
    assert reasons == {n: f"needs the argument {what} of Inputs" for n, what in left_out.items()}


@pytest.mark.parametrize("shape", [(400,), (3, 10), (400, 2, 10)])
def test_a_classifier_of_a_wrong_shape(shape):
    inputs = Inputs(HELD_OUT, HELD_OUT_LABELS, classify=lambda x: np.zeros(shape))
    assert compute(["accuracy"], inputs)[1]["accuracy"].startswith("classify(x): expected ")


def test_labels_may_be_a_list():
    lists = Inputs(HELD_OUT, HELD_OUT_LABELS.tolist(), TRAIN, TRAIN_LABELS.tolist(), encode=encode)
    names = ["NNC_e", "probe_100"]
    assert compute(names, lists) == compute(names, Inputs(*DATA, encode=encode))
    with pytest.raises(Unmeasurable, match="^train_labels: expected 0 labels, .* got 900"):
        Inputs(HELD_OUT, HELD_OUT_LABELS, None, TRAIN_LABELS)


def test_images_without_labels_have_the_metrics_that_need_none():
    unlabelled = Inputs(HELD_OUT, None, TRAIN, **MODEL)
    values, left_out = compute(GENERATION, unlabelled)
    names = list(values)
    assert names == [
        *("fd_random", "kernel_distance_random", "kernel_distance_error_random"),
        *("precision_random", "recall_random", "density_random", "coverage_random"),
        *("sliced_wasserstein", "memorisation_ratio", "memorisation_nearer_train"),
    ]
    assert left_out.keys() == set(LIKE_FID)
    references = unlabelled.references()
    assert list(references) == ["floor", "noise"]
    for inputs in references.values():
        assert list(compute(names, inputs)[0]) == names


def test_an_encoder_without_a_hidden_layer_and_a_collapsed_one():
    inputs = Inputs(*DATA, encode=lambda x: {"e": encode(x)["e"]})
    values, left_out = compute(OFFICIAL, inputs)
    assert set(values) == {"NNC_e"}
    assert left_out["CLS_e-"] == "the encoder has no layer 'e-'"
    # The others are of the output where there is no hidden layer.
    assert compute(["one_nn"], inputs)[0]["one_nn"] == values["NNC_e"]
    inputs = Inputs(*DATA, encode=lambda x: {"e": 0 * encode(x)["e"], "e-": encode(x)["e-"]})
    values, left_out = compute(OFFICIAL, inputs)
    assert set(values) == {"NNC_e-", "CLS_e-"}
    assert left_out["NNC_e"].startswith("train_features: expected rows that differ, all 900")


def test_a_collapsed_generator_is_measured(classifier):
    collapsed = Inputs(
        *DATA,
        generate=lambda z: np.repeat(X[1300:1301], len(z), axis=0),
        z=Z,
        classifier=classifier,
    )
    values, left_out = compute(GENERATION, collapsed)
    assert left_out == {}
    assert values["recall"] == 0 and values["classes_covered"] == 1
    assert values["classifier_score"] == pytest.approx(1)
    real = classifier(HELD_OUT)[0].astype(np.float64)
    one = classifier(X[1300:1301])[0].astype(np.float64)
    expected = np.square(real.mean(0) - one).sum() + real.var(axis=0, ddof=1).sum()
    assert values["fd_classifier"] == pytest.approx(expected, rel=1e-3)


def test_floor_and_ceilings_place_a_value(inputs):
    # Of three seeds of the classifier and the draws no bar here is nearer than half its margin.
    table = {"value": compute(GENERATION, inputs)[0]}
    table |= {name: compute(GENERATION, one)[0] for name, one in inputs.references().items()}
    assert list(table) == ["value", "floor", "noise", "one class"]
    of = {name: {column: row[name] for column, row in table.items()} for name in GENERATION}
    for name in (
        *("fd_classifier", "kernel_distance", "fd_random", "kernel_distance_random"),
        "sliced_wasserstein",
    ):
        row = of[name]
        assert row["floor"] < row["value"] < row["noise"], name
        assert row["value"] < row["one class"], name
    for name in ("precision", "density", "coverage", "recall", "classifier_score"):
        assert of[name]["floor"] > of[name]["noise"] + 0.2, name
    for name in ("coverage", "recall", "classifier_score", "classes_covered"):
        assert of[name]["floor"] > of[name]["one class"] + 0.4, name
    assert of["precision"]["one class"] > 0.6  # one class alone is still precise
    error = of["kernel_distance_error"]["floor"]
    assert abs(of["kernel_distance"]["floor"]) < 4 * error
    assert of["density"]["floor"] == pytest.approx(1, abs=0.15)
    assert of["classes_covered"]["floor"] == 10
    # One or two, and a share of .98: some images may be taken for those of another class.
    assert of["classes_covered"]["one class"] <= 4
    # Training images are more than held-out ones, and so nearer to what is new.
    ratio, nearer = of["memorisation_ratio"], of["memorisation_nearer_train"]
    assert 0.7 < ratio["floor"] < 0.95 and 50 < nearer["floor"] < 90
    assert ratio["value"] == pytest.approx(ratio["floor"], abs=0.1)
    # Images of one class are not compared with themselves.
    assert ratio["one class"] > 0.8 and nearer["one class"] < 80
    assert ratio["noise"] == pytest.approx(1, abs=0.1)


def test_memorisation_tells_copies_from_new_images():
    copies = Inputs(*DATA, samples=TRAIN[:300])
    values, _ = compute(["memorisation_ratio", "memorisation_nearer_train"], copies)
    # All but those of "one class", at most half of a class, are copies of images to compare with.
    assert values["memorisation_ratio"] < 0.1 and values["memorisation_nearer_train"] > 95
    halves, compared, one_class = copies._split
    expected = memorisation(TRAIN[:300], TRAIN[compared], HELD_OUT[halves[0]])
    assert tuple(values.values()) == expected
    assert not set(compared) & set(one_class) and len(compared) + len(one_class) == 900
    assert len(set(TRAIN_LABELS[one_class])) == 1


def test_references_are_as_many_images_as_the_samples_and_repeatable():
    inputs = Inputs(*DATA, samples=X[1300:1330], seed=1)
    floor, noise, one_class = (one.sample_images for one in inputs.references().values())
    assert len(floor) == len(noise) == 30 and len(one_class) <= 30
    known = {image.tobytes() for image in TRAIN}
    assert {image.tobytes() for image in [*floor, *one_class]} <= known
    assert len({image.tobytes() for image in floor}) == 30
    again, other = dataclasses.replace(inputs), dataclasses.replace(inputs, seed=2)
    np.testing.assert_array_equal(again.references()["noise"].sample_images, noise)
    assert (other.references()["floor"].sample_images != floor).any()


def test_an_error_in_the_code_is_not_taken_for_one_of_the_data():
    def broken(z):
        raise ValueError("operands could not be broadcast together")

    with pytest.raises(ValueError, match="broadcast") as error:
        compute(["NND"], Inputs(*DATA, generate=broken, z=Z))
    assert not isinstance(error.value, UserError)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"held_out_labels": HELD_OUT_LABELS[:5]}, r"^held_out_labels: expected 400 labels"),
        ({"train_labels": TRAIN_LABELS[:5]}, r"^train_labels: expected 900 labels, .* got 5"),
        ({"held_out": HELD_OUT * 255}, r"^held_out has values from 0 to 255"),
        ({"train": TRAIN * np.nan}, r"^train: .* NaN"),
        ({"train": TRAIN[:, :7]}, r"^train: expected images \(8, 8, 1\) as in held_out"),
        ({"samples": X[..., [0, 0]]}, r"^samples: expected images \(8, 8, 1\)"),
    ],
)
def test_bad_input(change, message):
    images = dict(zip(("held_out", "held_out_labels", "train", "train_labels"), DATA, strict=True))
    with pytest.raises(Unmeasurable, match=message):
        Inputs(**images | change)


@pytest.mark.parametrize(
    ("generated", "message"),
    [
        (lambda z: generate(z) * 2 - 1, r"^generate\(z\) has values"),
        (lambda z: generate(z)[:3], r"^generate\(z\): expected images .* got \(3, 8, 8, 1\)"),
        (lambda z: np.zeros((len(z), 5, 5, 1)), r"^generate\(z\): .* got \(\d+, 5, 5, 1\)"),
    ],
)
def test_bad_samples(generated, message):
    with pytest.raises(Unmeasurable, match=message):
        Inputs(*DATA, generate=generated, z=Z).nnd(1)
    with pytest.raises(NotFinite, match=r"^generate\(z\): .* NaN"):
        Inputs(*DATA, generate=lambda z: generate(z) * np.nan, z=Z).nnd(1)


def test_too_few_draws_and_an_unknown_metric():
    few = Inputs(*DATA, generate=generate, z=Z[:99])
    assert compute(["NND/100"], few)[1] == {"NND/100": "z: expected at least 100 draws, got 99"}
    with pytest.raises(UserError, match="^metrics=NNC_f is unknown; did you mean .*NNC_e"):
        compute(["NNC_f"], few)
