import numpy as np
import pytest
from sklearn.datasets import load_digits

from tf_bigan.evaluation import (
    GENERATION_METRICS,
    class_histogram,
    classes_covered,
    classifier_score,
    frechet_distance,
    generation_metrics,
    kernel_distance,
    prdc,
    sliced_wasserstein,
    train_feature_classifier,
)

X, Y = load_digits(return_X_y=True)
ORDER = np.random.default_rng(0).permutation(len(X))
X, Y = (X[ORDER] / 16).astype(np.float32).reshape(-1, 8, 8, 1), Y[ORDER]
TRAIN, TRAIN_LABELS, HELD_OUT, SAMPLES = X[:900], Y[:900], X[900:1300], X[1300:] ** 1.5
COLUMNS = ("value", "floor", "ceiling_noise", "ceiling_collapsed")


@pytest.fixture(scope="module")
def classifier():
    return train_feature_classifier(TRAIN, TRAIN_LABELS, steps=200)


@pytest.fixture(scope="module")
def result(classifier):
    return generation_metrics(TRAIN, TRAIN_LABELS, HELD_OUT, SAMPLES, classifier=classifier)


def test_every_value_is_the_metric_of_its_name(result, classifier):
    real, real_probabilities = classifier(HELD_OUT)
    features, probabilities = classifier(SAMPLES)
    histogram = class_histogram(probabilities)
    expected = {
        "fd_classifier": frechet_distance(real, features),
        "kernel_distance": kernel_distance(real, features).value,
        "kernel_distance_error": kernel_distance(real, features).standard_error,
        **prdc(real, features)._asdict(),
        "classifier_score": classifier_score(probabilities),
        "classes_covered": classes_covered(histogram),
        "sliced_wasserstein": sliced_wasserstein(HELD_OUT, SAMPLES),
    }
    assert tuple(result.table) == GENERATION_METRICS
    assert all(tuple(row) == COLUMNS for row in result.table.values())
    for name, value in expected.items():
        assert result.table[name]["value"] == pytest.approx(value, rel=1e-4), name
    np.testing.assert_array_equal(result.histograms["value"], histogram)
    histogram = class_histogram(real_probabilities)
    np.testing.assert_array_equal(result.histograms["held_out"], histogram)
    assert result.classifier is classifier


def test_floor_and_ceilings_place_a_value(result):
    # Of three seeds of the classifier and the draws no bar here is nearer than half its margin.
    table = result.table
    for name in ("fd_classifier", "kernel_distance", "sliced_wasserstein"):
        row = table[name]
        assert row["floor"] < row["value"] < row["ceiling_noise"], name
        assert row["value"] < row["ceiling_collapsed"], name
    for name in ("precision", "density", "coverage", "recall", "classifier_score"):
        assert table[name]["floor"] > table[name]["ceiling_noise"] + 0.2, name
    for name in ("coverage", "recall", "classifier_score", "classes_covered"):
        assert table[name]["floor"] > table[name]["ceiling_collapsed"] + 0.4, name
    assert table["precision"]["ceiling_collapsed"] > 0.6  # one class alone is still precise
    error = table["kernel_distance_error"]["floor"]
    assert abs(table["kernel_distance"]["floor"]) < 4 * error
    assert table["density"]["floor"] == pytest.approx(1, abs=0.15)
    assert table["classes_covered"]["floor"] == 10
    # One or two, and a share of .98: some images may be taken for those of another class.
    assert table["classes_covered"]["ceiling_collapsed"] <= 4
    assert result.histograms["ceiling_collapsed"].max() > 0.8


def test_memorisation_tells_copies_from_new_images(result, classifier):
    ratios, nearer = (result.table[f"memorisation_{n}"] for n in ("ratio", "nearer_train"))
    # Training images are more than held-out ones, and so nearer to what is new.
    assert 0.7 < ratios["floor"] < 0.95 and 50 < nearer["floor"] < 90
    assert ratios["value"] == pytest.approx(ratios["floor"], abs=0.1)
    # Collapsed images are out of the training set, but not compared with themselves.
    assert ratios["ceiling_collapsed"] > 0.8 and nearer["ceiling_collapsed"] < 80
    copies = generation_metrics(
        *(TRAIN, TRAIN_LABELS, HELD_OUT, TRAIN[:300]),
        classifier=classifier,
        metrics=("memorisation_ratio", "memorisation_nearer_train"),
        columns=("value", "ceiling_noise"),
    )
    ratio, nearer = (copies.table[f"memorisation_{n}"] for n in ("ratio", "nearer_train"))
    # All but those that make up the collapsed column, at most half of a class.
    assert ratio["value"] < 0.1 and nearer["value"] > 95
    assert ratio["ceiling_noise"] == pytest.approx(1, abs=0.1)


def test_it_is_repeatable_and_reports_progress(classifier):
    calls = []
    arguments = (TRAIN[:400], TRAIN_LABELS[:400], HELD_OUT[:100], SAMPLES[:60])

    def fd_and_all(**options):
        table = generation_metrics(*arguments, classifier=classifier, **options).table
        return table["fd_classifier"], table

    fd, table = fd_and_all(progress=lambda *call: calls.append(call))
    count = len(GENERATION_METRICS)
    assert calls == [(column, i, count) for column in COLUMNS for i in range(1, count + 1)]
    assert fd_and_all()[1] == table
    other, _ = fd_and_all(seed=1)
    assert other["value"] == fd["value"] and other["floor"] != fd["floor"]


def test_all_sets_are_as_many_images_as_the_samples(classifier):
    judged = []

    def listening(images):
        judged.append(images)
        return classifier(images)

    arguments = (TRAIN[:400], TRAIN_LABELS[:400], HELD_OUT[:100], SAMPLES[:30])
    generation_metrics(*arguments, classifier=listening, metrics=("classes_covered",))
    held_out, value, floor, noise, collapsed = judged
    np.testing.assert_array_equal(held_out, HELD_OUT[:100])
    np.testing.assert_array_equal(value, SAMPLES[:30])
    assert len(floor) == len(noise) == 30 and len(collapsed) <= 30
    known = {image.tobytes() for image in TRAIN[:400]}
    assert {image.tobytes() for image in [*floor, *collapsed]} <= known
    assert len({image.tobytes() for image in floor}) == 30


def test_it_trains_a_classifier_where_none_is_given(monkeypatch):
    import tf_bigan.evaluation.generation as module

    def quick(images, labels, seed, progress):
        progress("train classifier", 1, 1)
        return train_feature_classifier(images, labels, seed=seed, steps=5)

    monkeypatch.setattr(module, "train_feature_classifier", quick)
    calls = []
    arguments = (TRAIN[:400], TRAIN_LABELS[:400], HELD_OUT[:100], SAMPLES[:60])
    result = generation_metrics(*arguments, seed=3, progress=lambda *call: calls.append(call))
    assert calls[0] == ("train classifier", 1, 1)
    assert result.classifier.seed == 3


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"train_images": TRAIN * 255}, r"^train_images: expected pixels in \[0, 1\]"),
        ({"train_labels": TRAIN_LABELS[:5]}, r"^train_labels: expected 900 labels"),
        ({"train_labels": TRAIN_LABELS * 0}, r"^train_labels: expected at least 2 classes"),
        ({"held_out_images": HELD_OUT[:39]}, r"^held_out_images: expected at least 40 images"),
        ({"held_out_images": HELD_OUT[:, :7]}, r"^held_out_images: expected images \(8, 8, 1\)"),
        ({"samples": SAMPLES[:19]}, r"^samples: expected at least 20 images, got 19"),
        ({"samples": SAMPLES[..., [0, 0]]}, r"^samples: expected images \(8, 8, 1\)"),
        ({"samples": SAMPLES * 0}, r"^samples: expected images that differ, all are the same"),
        ({"samples": SAMPLES * np.nan}, r"^samples: .* NaN"),
        (
            {"train_images": TRAIN[:60], "train_labels": TRAIN_LABELS[:60]},
            r"^train_images: expected at least 40 of one class",
        ),
    ],
)
def test_bad_input(classifier, change, message):
    good = {
        "train_images": TRAIN,
        "train_labels": TRAIN_LABELS,
        "held_out_images": HELD_OUT,
        "samples": SAMPLES,
    }
    with pytest.raises(ValueError, match=message):
        generation_metrics(**{**good, **change}, classifier=classifier)
