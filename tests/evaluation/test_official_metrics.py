import numpy as np
import pytest

from tf_bigan.evaluation import (
    OFFICIAL_METRICS,
    inversion_error,
    linear_probe_accuracy,
    nnd,
    official_metrics,
    one_nn_accuracy,
    to_uint8_levels,
)

RNG = np.random.default_rng(0)
PROJECT = RNG.normal(size=(16, 6))
TRAIN, TEST = (RNG.random((n, 4, 4, 1)).astype(np.float32) for n in (150, 60))
TRAIN_LABELS, TEST_LABELS = (x[:, 0, :3, 0].argmax(axis=1) for x in (TRAIN, TEST))
Z = RNG.normal(size=(1030, 6))


def encode(x):
    hidden = x.reshape(len(x), -1)
    # At the scale of 8 a probe of few steps gets further than the nearest neighbours.
    return {"e": hidden @ PROJECT, "e-": 8 * np.maximum(hidden - 0.5, 0).reshape(len(x), 4, 4)}


def generate(z):
    return (1 / (1 + np.exp(-z @ PROJECT.T))).reshape(-1, 4, 4, 1).astype(np.float32)


def reconstruct(x):
    return generate(encode(x)["e"] - 4)


DATA = (TEST, TEST_LABELS, TRAIN, TRAIN_LABELS)
MODEL = {"generate": generate, "encode": encode, "reconstruct": reconstruct, "z": Z}


def test_every_value_is_the_metric_of_its_name():
    values, left_out = official_metrics(*DATA, **MODEL, gallery=100, batch=64)
    assert tuple(values) == OFFICIAL_METRICS and left_out == {}
    samples = generate(Z)
    rounded = to_uint8_levels(samples)
    features, test_features = encode(TRAIN[:100]), encode(TEST)
    expected = {
        "NND/100": nnd(TEST, samples[:10]),
        "NND/10": nnd(TEST, samples[:103]),
        "NND": nnd(TEST, samples),
        "NNC_e": one_nn_accuracy(
            features["e"], TRAIN_LABELS[:100], test_features["e"], TEST_LABELS
        ),
        "NNC_e-": one_nn_accuracy(
            features["e-"], TRAIN_LABELS[:100], test_features["e-"], TEST_LABELS
        ),
        "CLS_e-": linear_probe_accuracy(
            features["e-"], TRAIN_LABELS[:100], test_features["e-"], TEST_LABELS
        ),
    }
    expected["EGr"], expected["EGr_b"] = inversion_error(TEST, reconstruct(TEST))
    expected["EGg"], expected["EGg_b"] = inversion_error(rounded, reconstruct(rounded))
    assert np.diff(sorted(expected.values())).min() > 0.01  # none can stand in for another
    for name in OFFICIAL_METRICS:
        assert values[name] == pytest.approx(expected[name], rel=1e-5), name


def test_a_gallery_of_sorted_classes_has_all_of_them():
    order = np.argsort(TRAIN_LABELS, kind="stable")
    data = TEST, TEST_LABELS, TRAIN[order], TRAIN_LABELS[order]
    chosen = np.sort(np.random.default_rng(0).permutation(150)[:100])
    assert TRAIN_LABELS[order][:100].max() < TRAIN_LABELS[order][chosen].max()
    values, _ = official_metrics(*data, encode=encode, metrics=("NNC_e",), gallery=100)
    features = encode(data[2][chosen])["e"], data[3][chosen]
    assert values["NNC_e"] == one_nn_accuracy(*features, encode(TEST)["e"], TEST_LABELS)


def test_the_batch_does_not_matter():
    distances = [name for name in OFFICIAL_METRICS if name[:2] in ("NN", "EG")]
    whole = official_metrics(*DATA, **MODEL, metrics=distances, batch=10_000).values
    for batch in (7, 103, 500):
        blocks = official_metrics(*DATA, **MODEL, metrics=distances, batch=batch).values
        assert blocks == pytest.approx(whole, rel=1e-6)


def test_a_subset_computes_only_what_it_needs():
    drawn = []

    def counted(z):
        drawn.append(len(z))
        return generate(z)

    values, left_out = official_metrics(
        *DATA,
        generate=counted,
        encode=lambda x: pytest.fail("not needed"),
        reconstruct=reconstruct,
        z=Z,
        metrics=("EGr", "NND/100"),
        batch=4,
    )
    assert tuple(values) == ("EGr", "NND/100") and left_out == {}
    assert sum(drawn) == 10 and max(drawn) == 4


def test_a_gan_has_no_encoder():
    values, left_out = official_metrics(*DATA, generate=generate, z=Z)
    assert set(values) == {"NND/100", "NND/10", "NND"}
    assert set(left_out) == set(OFFICIAL_METRICS) - set(values)
    assert left_out["NNC_e"] == "needs encode"
    assert left_out["EGg"] == "needs reconstruct"


def test_an_encoder_has_no_generator():
    values, left_out = official_metrics(*DATA, encode=encode)
    assert set(values) == {"NNC_e", "NNC_e-", "CLS_e-"}
    assert left_out["NND"] == "needs generate, z"


def test_without_labels_there_is_no_classification():
    values, left_out = official_metrics(TEST, None, TRAIN, None, **MODEL)
    assert set(left_out) == {"NNC_e", "NNC_e-", "CLS_e-"}
    assert left_out["NNC_e"] == "needs train_labels, test_labels"
    assert len(values) == 7


def test_an_encoder_without_hidden_layer():
    values, left_out = official_metrics(*DATA, encode=lambda x: {"e": encode(x)["e"]})
    assert set(values) == {"NNC_e"}
    assert left_out["CLS_e-"] == "the encoder has no layer 'e-'"


def test_a_collapsed_encoder_and_a_single_class_leave_out_the_accuracies():
    def collapsed(images):
        return {"e": 0 * encode(images)["e"], "e-": encode(images)["e-"]}

    values, left_out = official_metrics(*DATA, encode=collapsed)
    assert set(values) == {"NNC_e-", "CLS_e-"}
    assert left_out["NNC_e"] == "the encoder's layer 'e' is the same for all images"
    one_class = (DATA[0], 0 * DATA[1], DATA[2], 0 * DATA[3])
    values, left_out = official_metrics(*one_class, encode=encode)
    assert not values and left_out["CLS_e-"] == "needs train_labels of at least 2 classes"


def test_progress():
    calls = []
    official_metrics(
        *DATA,
        **MODEL,
        metrics=("EGr", "NNC_e", "NND/10"),
        batch=50,
        progress=lambda *call: calls.append(call),
    )
    assert calls == [
        ("reconstruct", 50, 60),
        ("reconstruct", 60, 60),
        ("encode train", 50, 150),
        ("encode train", 100, 150),
        ("encode train", 150, 150),
        ("encode test", 50, 60),
        ("encode test", 60, 60),
        ("generate", 50, 103),
        ("generate", 100, 103),
        ("generate", 103, 103),
    ]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"metrics": ("NND", "NNC_f")}, r"^metrics: unknown 'NNC_f'; did you mean .*NNC_e"),
        ({"z": Z[:99], "metrics": ("NND/100",)}, r"^z: NND/100 needs at least 100 draws"),
        ({"batch": 0}, r"^batch: expected an integer at least 1, got 0"),
        ({"gallery": 0}, r"^gallery: expected an integer at least 1, got 0"),
        ({"test_labels": TEST_LABELS[:5]}, r"^test_labels: expected 60 labels"),
        ({"train_labels": TRAIN_LABELS[:5]}, r"^train_labels: expected 150 labels, .* got 5"),
        ({"test_images": TEST * 255}, r"^test_images: expected pixels in \[0, 1\]"),
        ({"train_images": TRAIN * np.nan}, r"^train_images: .* NaN"),
        ({"generate": lambda z: generate(z) * 2 - 1}, r"^generate\(z\): expected pixels in"),
        (
            {"generate": lambda z: generate(z)[:3]},
            r"^generate: expected images .* got \(3, 4, 4, 1\)",
        ),
        (
            {"generate": lambda z: np.zeros((len(z), 5, 5, 1))},
            r"^generate: expected images .* got \(\d+, 5, 5, 1\)",
        ),
    ],
)
def test_bad_input(change, message):
    names = ("test_images", "test_labels", "train_images", "train_labels")
    arguments = {**dict(zip(names, DATA, strict=True)), **MODEL, **change}
    with pytest.raises(ValueError, match=message):
        official_metrics(**arguments)
