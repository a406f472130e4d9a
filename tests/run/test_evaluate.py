"""evaluate.py: its numbers are those of the functions, and what it measures is the right model."""

import csv
import json
import shutil

import keras
import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

import tf_bigan as tb
from tests.small import eager
from tf_bigan import evaluation
from tf_bigan.data.splits import balanced_rows
from tf_bigan.evaluation.registry import METRICS, in_groups
from tf_bigan.run import build, compare, measure, pictures, presets
from tf_bigan.run.config import Config
from tf_bigan.run.presets import PRESETS
from tf_bigan.run.trained import trained_runs

OFFICIAL = in_groups(METRICS, "official")


@pytest.fixture(scope="module")
def measured(tiny_run, tmp_path_factory, command):
    """(where the results are, stdout) of all metrics of the tiny run."""
    output = tmp_path_factory.mktemp("measured") / "new" / "output"
    status, out, err = command(
        "evaluate", f"--workdir={tiny_run[0]}", f"--output={output}", "--samples=1000"
    )
    assert status == 0, err
    return output, out


@pytest.fixture(scope="module")
def model(tiny_run):
    return keras.saving.load_model(tiny_run[0] / "model.keras")


@pytest.fixture(scope="module")
def digits():
    return {split: tb.data.load("digits", split, validation=None) for split in ("train", "test")}


def test_values_are_those_of_the_functions(measured, model, digits):
    record = json.loads((measured[0] / "metrics.json").read_text())
    assert (record["step"], record["split"], record["samples"]) == (72, "test", 1000)
    values, test = record["trained"], digits["test"]
    assert tuple(values) == tuple(record["untrained"]) == OFFICIAL
    x = test.as_float()
    z = model.prior.sample(1000, seed=12345).numpy()
    distances, _ = evaluation.nearest(x, model.generate(z))
    assert values["NND"] == pytest.approx(distances.mean(), rel=1e-5)
    error = np.sqrt(np.square(x - model.reconstruct(x)).sum((1, 2, 3))).mean()
    assert values["EGr"] == pytest.approx(error, rel=1e-5)
    codes = {split: model.features(digits[split].as_float())["e"] for split in digits}
    accuracy = evaluation.one_nn_accuracy(
        codes["train"], digits["train"].labels, codes["test"], test.labels
    )
    assert values["NNC_e"] == pytest.approx(accuracy, abs=150 / len(test))  # one image, at most


def test_table_and_report(measured):
    output, out = measured
    lines = out.splitlines()
    assert lines[0].split() == ["trained", "untrained"]
    assert [line.split()[0] for line in lines[1:11]] == list(OFFICIAL)
    files = ("metrics.json", "report.png", "report.html")
    assert f"wrote {output}/metrics.json, {output}/report.png and {output}/report.html" in out
    assert min(Image.open(output / "report.png").size) > 1000
    assert {path.name for path in output.iterdir()} == set(files)


def test_the_untrained_model_is_the_one_before_the_first_step(model):
    tf.random.set_seed(3)
    expected = tf.random.uniform((2,)), tf.random.uniform((2,))
    tf.random.set_seed(3)
    first = tf.random.uniform((2,))
    fresh = measure.untrained(model)  # which leaves the user's seeds alone
    for ours, theirs in zip((first, tf.random.uniform((2,))), expected, strict=True):
        np.testing.assert_array_equal(ours, theirs)
    given = {"networks": "mlp", "width": 16, "steps_per_execution": 2}
    options = presets.combined(PRESETS["digits"], given)
    before, _ = build.build_model(Config(**options), (8, 8, 1), 24)
    for ours, theirs in zip(fresh.get_weights(), before.get_weights(), strict=True):
        np.testing.assert_array_equal(ours, theirs)


@pytest.mark.slow
def test_some_metrics_of_a_file_with_statistics_of_the_whole_data(
    tiny_run, model, digits, tmp_path, command, monkeypatch, undrawn
):
    drawn = []

    def kept(model, held_out):
        drawn.append(model.reconstruct(held_out.as_float()))
        return []

    monkeypatch.setattr(pictures, "figures", kept)
    spoilt = keras.saving.load_model(tiny_run[0] / "model.keras")
    for weight in spoilt.inference_model().generator.non_trainable_weights:
        weight.assign(100.0 * weight)  # moving means and variances
    spoilt.save(tmp_path / "m.keras")
    arguments = ("evaluate", f"--model={tmp_path}/m.keras", "--dataset=digits", "--samples=1000")
    values = {}
    for recalibrate in (True, False):
        flag = f"--recalibrate_batch_norm={recalibrate}"
        status, out, err = command(*arguments, "--metrics=EGr, NND/10", "--nountrained", flag)
        assert status == 0, err
        record = json.loads((tmp_path / "metrics.json").read_text())
        assert record["recalibrate_batch_norm"] == recalibrate
        assert list(record["trained"]) == ["EGr", "NND/10"] and "untrained" not in record
        values[recalibrate] = record["trained"]["EGr"]
        error, _ = evaluation.inversion_error(digits["test"].as_float(), drawn[-1])
        assert error == pytest.approx(values[recalibrate], rel=1e-5)  # the same model's
    # The finished model has such statistics already, of other draws.
    test = digits["test"].as_float()
    error, _ = evaluation.inversion_error(test, model.reconstruct(test))
    assert values[True] == pytest.approx(error, rel=3e-3)
    assert abs(values[False] - error) > 0.01 * error  # as spoilt
    assert out.splitlines()[0].split() == ["trained"]


@pytest.fixture
def unfinished(tiny_run, tmp_path):
    """(the tiny run without its model, its newest checkpoint)."""
    run = tmp_path / "run"
    shutil.copytree(tiny_run[0], run)
    (run / "model.keras").unlink()
    return run, run / "checkpoints" / "step-00000072.keras"


@pytest.mark.slow
def test_an_unfinished_run_is_measured_at_its_newest_checkpoint(unfinished, command, undrawn):
    run, newest = unfinished
    status, out, err = command("evaluate", f"--workdir={run}", "--metrics=EGr", "--nountrained")
    assert status == 0, err
    assert out.startswith(f"the run has no finished model: using {newest}")
    record = json.loads((run / "metrics.json").read_text())
    test = tb.data.load("digits", "test").as_float()
    reconstructions = keras.saving.load_model(newest).reconstruct(test)
    error, _ = evaluation.inversion_error(test, reconstructions)
    assert record["step"] == 72
    assert record["trained"]["EGr"] == pytest.approx(error, rel=1e-5)


@pytest.mark.parametrize("file", ["one of an earlier step", "a damaged one"])
def test_a_model_that_is_not_the_runs_last_is_passed_over(unfinished, capsys, file):
    run, newest = unfinished
    if file == "a damaged one":
        (run / "model.keras").write_bytes(b"half")
    else:
        shutil.copy(run / "checkpoints" / "step-00000064.keras", run / "model.keras")
    (trained,) = trained_runs(f"{run}", {})
    assert int(trained.load().step.numpy()) == 72
    assert capsys.readouterr().out == f"the run has no finished model: using {newest}\n"


@pytest.fixture(scope="module")
def quick_parts():
    """Classifiers of few steps, statistics of few batches: what becomes of them is tested here."""
    thorough, calibrate = evaluation.train_feature_classifier, measure.calibrate

    def train(*arguments, **options):
        with eager():
            return thorough(*arguments, steps=4, **options)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(evaluation, "train_feature_classifier", train)
        patch.setattr(measure, "calibrate", lambda model, parts, steps: calibrate(model, parts, 5))
        yield


@pytest.fixture(scope="module")
def everything(tiny_run, tmp_path_factory, command, quick_parts):
    """(where the results are, stdout, metrics.json) of all groups with two seeds."""
    output = tmp_path_factory.mktemp("everything")
    with pytest.MonkeyPatch.context() as patch:  # the pictures are `measured`'s
        patch.setattr(compare.report, "report_png", lambda *arguments: None)
        status, out, err = command(
            *("evaluate", f"--workdir={tiny_run[0]}", f"--output={output}", "--samples=300"),
            *("--metrics=coverage,sliced_wasserstein,probe_100,one_nn,latent,EGr", "--seeds=2"),
        )
    assert status == 0, err
    return output, out, json.loads((output / "metrics.json").read_text())


def test_every_value_comes_with_reference_values(everything, model, digits):
    output, out, record = everything
    assert len(list((output / "classifiers").iterdir())) == 2
    assert record["seeds"] == [0, 1]
    assert list(record["generation"]) == ["trained", "floor", "noise", "one class"]
    assert list(record["representation"]) == ["trained", "untrained", "pixels", "PCA"]
    assert list(record["trained"]) == list(record["untrained"])
    heads = [line.split() for line in out.splitlines() if line.startswith("  ")]
    assert [head[0] for head in heads] == ["trained"] * 3
    for classifier in record["classifiers"]:
        line = f"classifier of seed {classifier['seed']}: accuracy {classifier['accuracy']:.2f} %"
        assert line in out and classifier["digest"] in out
    # Each by the function of its name.
    by_seed = record["by_seed"]
    train, test = digits["train"], digits["test"]
    pixels = [part.as_float().reshape(len(part), -1) for part in (train, test)]
    for seed in (0, 1):
        rows = balanced_rows(train.labels, 100, seed)
        expected = evaluation.logistic_probe_accuracy(
            *(pixels[0][rows], train.labels[rows], pixels[1], test.labels)
        )
        assert by_seed["representation"]["pixels"]["probe_100"][seed] == pytest.approx(expected)
        z = model.prior.sample(300, seed=12345 + seed).numpy()
        expected, _ = evaluation.latent_error(z, model.encode(model.generate(z)))
        values = by_seed["model"]["trained"]["latent_error"]
        assert values[seed] == pytest.approx(expected, rel=1e-5)
        samples = model.generate(z[:299])
        expected = evaluation.sliced_wasserstein(test.as_float(), samples)
        values = by_seed["generation"]["trained"]["sliced_wasserstein"]
        assert values[seed] == pytest.approx(expected, rel=1e-4)
    assert record["trained"]["latent_error"] == pytest.approx(
        np.mean(by_seed["model"]["trained"]["latent_error"])
    )
    # The classes that the classifiers see, of the same samples.
    shares = record["class_histogram"]
    assert list(shares) == [str(digit) for digit in range(10)]
    assert list(shares["0"]) == ["held-out", *record["generation"]]
    for column in shares["0"]:
        assert sum(rows[column] for rows in shares.values()) == pytest.approx(1)
    classifier = evaluation.train_feature_classifier(
        train.as_float(), train.labels, seed=1, path=output / "classifiers"
    )
    for column, images in (("held-out", test.as_float()), ("trained", samples)):
        expected = evaluation.class_histogram(classifier(images)[1])
        found = [rows[column][1] for rows in by_seed["class_histogram"].values()]
        np.testing.assert_allclose(found, expected, atol=1.5 / len(images))  # one image, at most
    # What no random choice is in has one value, and no spread.
    assert len(by_seed["representation"]["pixels"]["one_nn"]) == 1
    assert len(by_seed["model"]["trained"]["EGr"]) == 1
    (line,) = (line for line in out.splitlines() if line.startswith("one_nn"))
    assert "±" not in line
    assert sum("±" in line for line in out.splitlines()) == 5


@pytest.mark.slow
def test_several_models_in_one_table(tiny_run, tmp_path, command):
    for seed in (0, 1):
        run = tmp_path / f"digits-{seed}"
        run.mkdir()
        record = json.loads((tiny_run[0] / "config.json").read_text())
        record["config"]["seed"] = seed
        (run / "config.json").write_text(json.dumps(record))
        shutil.copy(tiny_run[0] / "metrics.jsonl", run)
    model = keras.saving.load_model(tiny_run[0] / "model.keras")
    model.save(tmp_path / "digits-0" / "model.keras")
    for weight in model.inference_model().generator.trainable_variables:
        weight.assign(0.5 * weight)
    model.save(run / "model.keras")
    (tmp_path / "no_run").mkdir()
    status, out, err = command(
        "evaluate", f"--workdir={tmp_path}/*", "--metrics=EGr", "--nountrained"
    )
    assert status == 0, err
    output = tmp_path / "comparison"
    files = {"comparison.csv", "comparison.md", "report.html"}
    assert {path.name for path in output.iterdir()} == files
    (row,) = csv.DictReader((output / "comparison.csv").open())
    heads = ["metric", "digits-0", "digits-1", "digits, 2 runs", "digits, 2 runs sd"]
    assert list(row) == heads and row["metric"] == "EGr"
    test = tb.data.load("digits", "test").as_float()
    expected, _ = evaluation.inversion_error(test, model.reconstruct(test))
    values = [float(row[head]) for head in heads[1:]]
    assert values[1] == pytest.approx(expected, rel=1e-5)
    assert abs(values[0] - values[1]) > 1e-4 * values[0]
    assert values[2:] == pytest.approx([np.mean(values[:2]), np.std(values[:2], ddof=1)])
    assert out.splitlines()[0].split()[:2] == ["digits-0", "digits-1"]
    markdown = (output / "comparison.md").read_text()
    assert f"| EGr | {values[0]:.2f} | {values[1]:.2f} |" in markdown
    page = (output / "report.html").read_text()
    assert page.count("<h2>digits-") == 2 and page.count("<polyline") == 2 * 4


@pytest.mark.slow
def test_metrics_that_a_model_does_not_allow_are_left_out(tmp_path, command, quick_parts, undrawn):
    model, _ = build.build_model(Config(model="gan", networks="mlp", width=8), (8, 8, 1), 10)
    model.save(tmp_path / "gan.keras")
    run = ("evaluate", f"--model={tmp_path}/gan.keras", "--dataset=digits", "--samples=100")
    with pytest.MonkeyPatch.context() as patch:  # known before any work
        patch.delattr(measure.ModelEvaluator, "measure")
        status, out, err = command(*run, "--metrics=all,EGr,accuracy")
    reasons = "EGr needs an encoder; accuracy needs a system that classifies: leave it out"
    assert status == 2 and reasons in err
    status, out, err = command(*run, "--metrics=representation", "--nountrained")
    assert status == 2 and "nothing can be measured: one_nn needs an encoder" in err
    assert {path.name for path in tmp_path.iterdir()} == {"gan.keras"}
    status, out, err = command(*run, "--metrics=NND/10,coverage,latent", "--nountrained")
    assert status == 0, err
    assert "latent_error left out: needs an encoder" in out
    record = json.loads((tmp_path / "metrics.json").read_text())
    assert set(record["left_out"]) == {"latent_error", "latent_error_b"}
    assert list(record["trained"]) == ["NND/10"]
    assert list(record["generation"]["trained"]) == ["coverage"]


@pytest.mark.slow
def test_the_largest_seed(tiny_run, tmp_path, command, quick_parts, undrawn):
    run = ("evaluate", f"--workdir={tiny_run[0]}", f"--output={tmp_path}", "--samples=100")
    names = "--metrics=NND/100,CLS_e-,clustering,kernel_distance,sliced_wasserstein,probe_100"
    status, _, err = command(*run, "--nountrained", names, f"--seeds={2**31 - 1},")
    assert status == 0, err
    record = json.loads((tmp_path / "metrics.json").read_text())
    assert record["seeds"] == [2**31 - 1] and "left_out" not in record
    status, _, err = command(*run, names, f"--seeds={2**31},")
    assert status == 2 and "seeds=2147483648" in err


def test_an_error_in_the_code_is_not_a_user_error(tiny_run, tmp_path, command, monkeypatch):
    def broken(*arguments):
        raise ValueError("operands could not be broadcast together")

    monkeypatch.setattr(evaluation.inputs.InversionError, "update", broken)
    with pytest.raises(ValueError, match="^operands"):
        command("evaluate", f"--workdir={tiny_run[0]}", f"--output={tmp_path}", "--metrics=EGr")


@pytest.mark.slow
@pytest.mark.parametrize("both", [False, True])
def test_commas_in_the_names_of_runs(tiny_run, tmp_path, command, undrawn, both):
    runs = [tmp_path / name for name in ("lr=1e-3,bs=64", "lr=1e-3,bs=32")]
    for run in runs:
        shutil.copytree(tiny_run[0], run)
    text = ",".join(map(str, runs if both else runs[:1]))
    status, out, err = command("evaluate", f"--workdir={text}", "--metrics=EGr", "--nountrained")
    assert status == 0, err
    assert ("lr=1e-3,bs=32" in out) == both
    assert (tmp_path / "comparison" if both else runs[0]).joinpath("report.html").exists()


def test_unlabelled_images_have_the_metrics_that_need_no_labels(tmp_path, command, undrawn):
    images = np.random.default_rng(0).integers(0, 256, (120, 8, 8), np.uint8)
    np.savez(tmp_path / "noise.npz", images=images)
    model, _ = build.build_model(Config(model="gan", networks="mlp", width=8), (8, 8, 1), 10)
    model.save(tmp_path / "gan.keras")
    status, out, err = command(
        *("evaluate", f"--model={tmp_path}/gan.keras", f"--dataset=npz:{tmp_path}/noise.npz"),
        *("--metrics=sliced_wasserstein,memorisation_ratio,fd_random", "--samples=100"),
    )
    assert status == 0, err
    assert "_random: in the features of an untrained network of fixed seed" in out
    record = json.loads((tmp_path / "metrics.json").read_text())
    assert list(record["generation"]) == ["trained", "floor", "noise"]
    assert set(record["generation"]["floor"]) == {
        *("sliced_wasserstein", "memorisation_ratio", "fd_random")
    }
