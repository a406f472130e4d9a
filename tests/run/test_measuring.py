"""Measuring while a model trains: a chosen subset, and the best checkpoint by one of it."""

import contextlib
import dataclasses
import json
from functools import partial
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from tests.run.conftest import new_run
from tf_bigan import data, evaluation
from tf_bigan.errors import UserError
from tf_bigan.run import build, measure, presets, trained
from tf_bigan.run.config import Config
from tf_bigan.run.workdir import Workdir


@pytest.fixture(scope="module")
def digits():
    return data.load("digits", "train"), data.load("digits", "test")


@pytest.fixture(scope="module")
def model():
    model, _ = build.build_model(
        Config(width=8, latent_dim=5, networks="paper", prior="uniform", ema=0), (8, 8, 1), 10
    )
    rng = np.random.default_rng(0)
    for network in (model.encoder, model.generator):
        for weight in network.trainable_variables:  # with small ones it would be nearly linear
            weight.assign(rng.normal(0, 0.5, weight.shape))
    return model


@pytest.fixture(scope="module")
def classifier(digits):
    """What it sees does not matter here."""
    return evaluation.train_feature_classifier(digits[0].as_float(), digits[0].labels, steps=1)


@pytest.mark.slow
def test_a_chosen_subset_and_the_best_checkpoint_by_one_of_it(
    tmp_path, command, monkeypatch, eagerly, few_batches
):
    train = partial(evaluation.train_feature_classifier, steps=1)
    monkeypatch.setattr(evaluation, "train_feature_classifier", train)
    status, _, err = command(
        *("train", "--dataset=digits", "--width=16", "--epochs=2", "--eval_every=1"),
        *("--batch_size=512", "--ema=0", "--networks=mlp", "--model=bigan"),
        *("--picture_every=9", "--eval_metrics=sliced_wasserstein,probe_100,NND/100"),
        *("--monitor=val_probe_100", f"--workdir={tmp_path}/run"),
    )
    assert status == 0, err
    lines = [json.loads(line) for line in (tmp_path / "run" / "metrics.jsonl").open()]
    names = {"sliced_wasserstein", "probe_100", "NND/100"}
    assert [set(line) for line in lines] == [names | {"epoch", "step", "seconds"}] * 3
    best = json.loads((tmp_path / "run" / "checkpoints" / "best.json").read_text())
    assert best["monitor"] == "probe_100"
    assert best["value"] == max(line["probe_100"] for line in lines[1:])


@pytest.mark.parametrize("fingerprint", ["that of the digits", "another", None])
def test_images_that_have_changed_since_the_training(fingerprint, digits, tmp_path, caplog):
    if fingerprint == "that of the digits":
        fingerprint = data.load("digits", "train", validation=None).fingerprint
    run = Workdir(new_run(tmp_path / "run", model="autoencoder", penalty="none"))
    run.prepare(run.read_config(), {}, 1249, fingerprint)
    options = {"split": "test", "metrics": ["EGr"], "references": False}
    for changes in ({}, {"dataset": "digits", "image_size": "9"}):
        (one,) = trained.trained_runs(str(run.root), changes)
        with contextlib.suppress(UserError):  # the chosen size is not the model's
            measure.load(one, {}, **options)
    warned = ["have changed since the training" in text for text in caplog.messages]
    assert sum(warned) == (fingerprint == "another")


def test_values_are_those_of_the_functions(digits, model):
    train, held_out = digits
    evaluator = measure.ModelEvaluator(train, held_out, ["knn", "NND/100"], references=False)
    kernel = model.encoder.latent.kernel
    kernel.assign(2.0**20 * kernel)  # which the neighbours do not see
    try:
        codes = [model.features(part.as_float())["e-"] for part in digits]
        squashed = [model.encode(part.as_float()) for part in digits]
        values = evaluator.measure(model).means()
    finally:
        kernel.assign(2.0**-20 * kernel)
    assert values.keys() == {"knn", "NND/100"}
    expected, other = (
        evaluation.knn_accuracy(a, train.labels, b, held_out.labels) for a, b in (codes, squashed)
    )
    # Squashed, such codes are corners of a cube, 32 at most, and tell far less.
    one_image = 100 / len(held_out)
    assert expected > other + 20 * one_image
    assert values["knn"] == pytest.approx(expected, abs=1.5 * one_image)


def test_each_seed_draws_its_own_samples(digits, model):
    train, held_out = digits
    evaluator = measure.ModelEvaluator(
        train, held_out, ["sliced_wasserstein"], seeds=(0, 3), samples=60, references=False
    )
    records = evaluator.measure(model).records
    assert records.seed.tolist() == [0, 3] and set(records.column) == {"trained"}
    expected = [
        evaluation.sliced_wasserstein(held_out.as_float(), model.sample(60, seed=first))
        for first in (measure.FIRST_DRAW, measure.FIRST_DRAW + 3)
    ]
    assert records.value.tolist() == pytest.approx(expected, rel=1e-5)
    # One draw taken twice would be at the same distance; these are .3 % apart.
    assert abs(expected[0] - expected[1]) > 1e-4 * expected[0]


def test_accuracy_is_in_percent(digits):
    classifier, _ = build.build_model(
        Config(model="sgan", networks="mlp", width=8), (8, 8, 1), 10, 10
    )
    held_out = digits[1].take(200)
    named = classifier.classify(held_out.as_float()).argmax(-1)
    right = np.arange(200) % 4 == 0
    held_out = dataclasses.replace(held_out, labels=np.where(right, named, (named + 1) % 10))
    found = measure.ModelEvaluator(None, held_out, ["accuracy"], references=False).measure(
        classifier
    )
    assert found.means() == {"accuracy": 25.0}


def test_accuracy_of_a_code_is_of_matched_classes(digits):
    infogan, _ = build.build_model(
        Config(model="infogan", networks="mlp", width=8, prior="normal2+uniform1+categorical3"),
        (8, 8, 1),
        10,
    )
    held_out = digits[1].take(200)
    found = infogan.codes(held_out.as_float())[1].argmax(-1)
    assert (infogan.assign(held_out.as_float()) == found).all()
    assert len(np.unique(found)) > 1  # other classes than the data's, of which a quarter is wrong
    right = np.arange(200) % 4 > 0
    held_out = dataclasses.replace(held_out, labels=np.where(right, 5 + found, 9))
    evaluator = measure.ModelEvaluator(None, held_out, ["code_accuracy"], references=False)
    assert evaluator.measure(infogan).means() == {"code_accuracy": 75.0}
    gan, _ = build.build_model(Config(model="gan", networks="mlp", width=8), (8, 8, 1), 10)
    assert evaluator.measure(gan).left_out == {
        "code_accuracy": "needs a system with a categorical code"
    }


def test_the_classifier_is_there_for_what_can_use_it(digits, classifier):
    gan, _ = build.build_model(Config(model="gan", networks="mlp", width=8), (8, 8, 1), 10)
    names = ["class_agreement", "classifier_score"]
    evaluator = measure.ModelEvaluator(*digits, names, samples=100, references=False)
    evaluator._classifiers[0] = classifier
    found = evaluator.measure(gan)
    assert found.left_out == {"class_agreement": "needs an encoder"}
    assert list(found.means()) == ["classifier_score"]


def test_kept_classes_of_a_model_and_of_the_untrained_one(digits, model, classifier, monkeypatch):
    monkeypatch.setattr(measure, "calibrate", lambda *arguments, **options: None)  # takes seconds
    evaluator = measure.ModelEvaluator(*digits, ["class_agreement"], samples=100)
    evaluator._classifiers[0] = classifier
    found = evaluator.measure(model)
    assert found.records.column.tolist() == ["trained", "untrained"]
    x = digits[1].as_float()
    expected = evaluation.class_agreement(classifier(x)[1], classifier(model.reconstruct(x))[1])
    assert found.records.value[0] == pytest.approx(expected, abs=100.5 / len(x))  # one image
    assert 0 <= found.records.value[1] <= 100 and found.shares.empty
    assert found.classifiers[0]["digest"] == classifier.digest


def test_too_few_images_are_left_out_with_the_reason(digits, model, classifier):
    train, held_out = digits
    names = ["kernel_distance", "sliced_wasserstein", "probe_100", "probe_all"]
    evaluator = measure.ModelEvaluator(train.take(99), held_out.take(15), names, references=False)
    evaluator._classifiers[0] = classifier
    found = evaluator.measure(model)
    assert found.left_out["kernel_distance"] == "features_a: expected at least 20 rows, got 15"
    assert found.left_out["probe_100"] == "train_labels: expected at least 100 labels, got 99"
    assert list(found.means()) == ["sliced_wasserstein", "probe_all"]


def test_a_metric_that_one_seed_cannot_give_is_in_no_table(digits, model, monkeypatch):
    def fails_with_seed_1(function):
        def fails(inputs):
            if inputs.seed == 1:
                raise evaluation.Unmeasurable("not today")
            return function(inputs)

        return fails

    names = ["sliced_wasserstein", "probe_100", "one_nn"]
    for name in names:
        metric = evaluation.METRICS[name]
        changed = metric._replace(function=fails_with_seed_1(metric.function))
        monkeypatch.setitem(evaluation.METRICS, name, changed)
    evaluator = measure.ModelEvaluator(*digits, names, seeds=(0, 1), references=False)
    found = evaluator.measure(model)
    assert found.left_out == {"sliced_wasserstein": "not today", "probe_100": "not today"}
    assert list(found.means()) == ["one_nn"]


def test_images_that_are_not_finite_end_the_measurement(digits, model):
    kernel = model.generator.pixels.kernel
    before = kernel.numpy()
    kernel.assign(before * np.nan)
    try:
        with pytest.raises(UserError, match=r"^the model of step 0 cannot be measured: EGr: "):
            measure.ModelEvaluator(*digits, ["EGr"], references=False).measure(model)
    finally:
        kernel.assign(before)


def test_a_classifier_that_cannot_be_read_is_no_reason_to_leave_out(digits, model, monkeypatch):
    def unreadable(*arguments, **options):
        raise UserError("path: cannot read it")

    monkeypatch.setattr(evaluation, "train_feature_classifier", unreadable)
    with pytest.raises(UserError, match="cannot read it"):
        measure.ModelEvaluator(*digits, ["coverage"], references=False).measure(model)


def test_a_monitored_metric_that_the_data_cannot_give(tmp_path, command, monkeypatch, eagerly):
    train = partial(evaluation.train_feature_classifier, steps=1)
    monkeypatch.setattr(evaluation, "train_feature_classifier", train)
    images = np.random.default_rng(0).integers(0, 256, (100, 8, 8), np.uint8)
    np.savez(tmp_path / "few.npz", images=images, labels=np.arange(100) % 2)
    status, _, err = command(
        *("train", f"--dataset=npz:{tmp_path}/few.npz", "--width=8", "--batch_size=8"),
        *("--eval_metrics=kernel_distance,EGr", "--monitor=kernel_distance"),
        f"--workdir={tmp_path}/run",
    )
    reason = "features_a: expected at least 20 rows, got 14"
    assert status == 1 and err.splitlines()[-1] == f"train.py: --monitor=kernel_distance: {reason}"
    left = {path.name for path in (tmp_path / "run").iterdir()}
    assert left == {".lock", "config.json", "checkpoints"}
    assert not list((tmp_path / "run" / "checkpoints").iterdir())


def test_what_one_epoch_cannot_give_is_said_once_and_ends_nothing(model, caplog):
    trained = SimpleNamespace(step=SimpleNamespace(numpy=lambda: 9))
    left_out = {"coverage": "all the same", "recall": "all the same"}
    records = pd.DataFrame({"column": ["trained"], "metric": ["EGr"], "seed": [0], "value": [2.0]})
    found = measure.Measured(records, records[:0], left_out)
    evaluator = SimpleNamespace(measure=lambda model: found)
    values = measure.values_of(evaluator, "coverage")
    for _ in range(2):
        assert values(trained) == pytest.approx({"EGr": 2.0, "coverage": np.nan}, nan_ok=True)
    assert sorted(record.message for record in caplog.records) == [
        "coverage left out: all the same",
        "recall left out: all the same",
    ]
    with pytest.raises(UserError, match="^--monitor=coverage: all the same$"):
        measure.values_of(evaluator, "coverage")(model)
    assert measure.values_of(evaluator, "EGr")(model) == {"EGr": 2.0}


@pytest.mark.parametrize(
    ("options", "metrics", "monitor"),
    [
        ({}, {"NND/100", "EGr", "EGr_b", "fd_random"}, "NND/100"),
        (
            {"eval_metrics": "class_agreement", "monitor": "val_class_agreement"},
            {"class_agreement"},
            "class_agreement",
        ),
        ({"eval_metrics": "representation"}, {"one_nn", "knn"}, None),
        ({"eval_metrics": "EGr,accuracy", "monitor": "EGr"}, None, "accuracy needs a system that"),
        ({"eval_metrics": "official,accuracy", "monitor": "accuracy"}, None, "accuracy needs a"),
        ({"monitor": "accuracy"}, None, "--monitor=accuracy: accuracy needs a system"),
        ({"eval_every": 0}, None, None),
        ({"eval_every": 0, "monitor": "EGr"}, None, "monitor=EGr: nothing is measured"),
    ],
)
def test_what_is_watched(digits, model, options, metrics, monitor):
    if metrics is None and monitor is not None:
        with pytest.raises(UserError, match=monitor):
            measure.while_training(Config(**options), model, *digits)
        return
    evaluator, monitored = measure.while_training(Config(**options), model, *digits)
    assert monitored == monitor
    assert metrics is None if evaluator is None else metrics <= set(evaluator.metrics)


def test_a_system_names_the_metric_of_its_best_checkpoint(digits, model, monkeypatch):
    """Where it is measured; where not, by what BiGAN's is. It is never a mistake of the user's."""
    monkeypatch.setitem(presets.SYSTEMS, "bigan", presets.System(monitor="EGr"))
    for options, monitor in {
        (): "EGr",
        (("eval_metrics", "NND/100"),): "NND/100",
        (("eval_metrics", "EGr_b"),): None,
        (("eval_every", 0),): None,
        (("monitor", "NND/100"),): "NND/100",
    }.items():
        assert measure.while_training(Config(**dict(options)), model, *digits)[1] == monitor


def test_the_model_is_left_as_it_was(digits, model):
    before = [np.array(weight) for weight in model.get_weights()]
    few = digits[0].take(200)  # for five steps of statistics
    evaluator = measure.ModelEvaluator(few, digits[1], ["EGr"])
    with measure.recalibrated(model, few):
        found = evaluator.measure(model)
    assert set(found.records.column) == {"trained", "untrained"}
    for weight, earlier in zip(model.get_weights(), before, strict=True):
        np.testing.assert_array_equal(weight, earlier)


def loaded(evaluators, split="test", **options):
    model = SimpleNamespace(image_shape=(8, 8, 1))
    config = Config(dataset="digits", **options)
    trained = SimpleNamespace(workdir=None, load=lambda: model, config=config)
    return measure.load(trained, evaluators, split=split, metrics=["EGr"])[1]


def test_models_on_the_same_images_share_a_evaluator():
    evaluators = {}
    first, same, other = (
        loaded(evaluators, "test", validation=20, seed=seed) for seed in (0, 0, 1)
    )
    assert first is same and first.key != other.key  # other training images
    assert (first.held_out.images == other.held_out.images).all()
    own = loaded(evaluators, "validation", validation=20)
    assert own.split == "validation" and len(own.held_out) == 20
    assert len(evaluators) == 3


def test_a_model_for_other_images():
    with pytest.raises(UserError, match=r"for images of shape \(8, 8, 1\), but digits has \(4, 4"):
        loaded({}, image_size="4")


def test_no_untrained_reference_without_what_the_losses_need(digits, caplog):
    sgan, _ = build.build_model(
        Config(model="sgan", networks="mlp", width=8), (8, 8, 1), 10, classes=10
    )
    unlabelled = [dataclasses.replace(part, labels=None) for part in digits]
    found = measure.ModelEvaluator(*unlabelled, ["NND/100"], samples=100).measure(sgan)
    assert found.records.column.tolist() == ["trained"]
    assert "no values of an untrained model: SGAN needs a data set with labels" in caplog.text


def test_labels_are_numbered_as_in_the_training(tmp_path):
    pixels = np.random.default_rng(0).integers(0, 256, (30, 8, 8, 1), np.uint8)
    names = np.array(["dog", "fox", "cat"])[np.arange(30) % 3]
    two = names != "cat"
    np.savez(tmp_path / "two.npz", images=pixels[two], labels=names[two])
    config = Config(dataset=f"npz:{tmp_path / 'two.npz'}", model="sgan", networks="mlp", width=8)
    model, _ = build.build_model(config, (8, 8, 1), 10, classes=3)
    workdir = Workdir(tmp_path / "run")
    workdir.prepare(config, {}, 20, class_names=("cat", "dog", "fox"))
    model.save(workdir.model)
    run = trained.Trained("run", config, workdir)
    _, evaluator = measure.load(run, {}, split="test", metrics=["accuracy"], references=False)
    held_out = evaluator.held_out
    assert held_out.class_names == ("cat", "dog", "fox") and set(held_out.labels) <= {1, 2}
    rows = [np.flatnonzero((pixels == x).all((1, 2, 3)))[0] for x in held_out.images]
    assert [held_out.class_names[label] for label in held_out.labels] == names[rows].tolist()
