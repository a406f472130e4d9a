"""evaluate.py: its numbers are those of the functions, and what it measures is the right model."""

import json
import shutil

import keras
import numpy as np
import pytest
from PIL import Image

import evaluate
import tf_bigan as tb
from tf_bigan import evaluation, experiment
from tf_bigan.config import Config
from tf_bigan.presets import PRESETS


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
    return {split: tb.data.load("digits", split) for split in ("train", "test")}


def test_values_are_those_of_the_functions(measured, model, digits):
    record = json.loads((measured[0] / "metrics.json").read_text())
    assert (record["step"], record["split"], record["samples"]) == (72, "test", 1000)
    values, test = record["trained"], digits["test"]
    assert tuple(values) == tuple(record["untrained"]) == evaluation.OFFICIAL_METRICS
    x = test.as_float()
    z = model.prior.sample(1000, seed=12345).numpy()
    assert values["NND"] == pytest.approx(evaluation.nnd(x, model.generate(z)), rel=1e-5)
    error = np.sqrt(np.square(x - model.reconstruct(x)).sum((1, 2, 3))).mean()
    assert values["EGr"] == pytest.approx(error, rel=1e-5)
    codes = {split: model.features(digits[split].as_float())["e"] for split in digits}
    accuracy = evaluation.one_nn_accuracy(
        codes["train"], digits["train"].labels, codes["test"], test.labels
    )
    assert values["NNC_e"] == pytest.approx(accuracy, abs=1e-9)


def test_table_and_report(measured):
    output, out = measured
    lines = out.splitlines()
    assert lines[0].split() == ["trained", "untrained"]
    assert [line.split()[0] for line in lines[1:11]] == list(evaluation.OFFICIAL_METRICS)
    assert f"wrote {output}/metrics.json and {output}/report.png" in out
    assert min(Image.open(output / "report.png").size) > 1000
    assert {path.name for path in output.iterdir()} == {"metrics.json", "report.png"}


def test_the_untrained_model_is_the_one_before_the_first_step(model):
    fresh = experiment.untrained(model)
    options = PRESETS["digits"] | {"width": 16, "steps_per_execution": 2}
    before, _ = experiment.build_model(Config(**options), (8, 8, 1), 24)
    for ours, theirs in zip(fresh.get_weights(), before.get_weights(), strict=True):
        np.testing.assert_array_equal(ours, theirs)


def test_some_metrics_of_a_file_with_statistics_of_the_whole_data(tiny_run, tmp_path, command):
    shutil.copy(tiny_run[0] / "model.keras", tmp_path / "m.keras")
    arguments = ("evaluate", f"--model={tmp_path}/m.keras", "--dataset=digits", "--samples=1000")
    values = {}
    for posthoc in ("--posthoc", "--noposthoc"):
        status, out, err = command(*arguments, "--metrics=EGr, NND/10", "--nountrained", posthoc)
        assert status == 0, err
        record = json.loads((tmp_path / "metrics.json").read_text())
        assert record["posthoc"] == (posthoc == "--posthoc")
        assert list(record["trained"]) == ["EGr", "NND/10"] and "untrained" not in record
        values[posthoc] = record["trained"]["EGr"]
    # The finished model has such statistics already, of other draws.
    assert values["--posthoc"] != values["--noposthoc"]
    assert values["--posthoc"] == pytest.approx(values["--noposthoc"], rel=1e-3)
    assert out.splitlines()[0].split() == ["trained"]


@pytest.mark.parametrize("file", ["no model.keras", "one of an earlier step"])
def test_an_unfinished_run_is_measured_at_its_newest_checkpoint(tiny_run, tmp_path, command, file):
    run = tmp_path / "run"
    shutil.copytree(tiny_run[0], run)
    (run / "model.keras").unlink()
    if file == "one of an earlier step":
        shutil.copy(run / "checkpoints" / "step-00000070.keras", run / "model.keras")
    status, out, err = command("evaluate", f"--workdir={run}", "--metrics=EGr", "--nountrained")
    assert status == 0, err
    newest = run / "checkpoints" / "step-00000072.keras"
    assert out.startswith(f"the run is not finished: measuring {newest}")
    record = json.loads((run / "metrics.json").read_text())
    test = tb.data.load("digits", "test").as_float()
    reconstructions = keras.saving.load_model(newest).reconstruct(test)
    error, _ = evaluation.inversion_error(test, reconstructions)
    assert record["step"] == 72
    assert record["trained"]["EGr"] == pytest.approx(error, rel=1e-6)


def test_names_of_the_metrics():
    assert evaluate.OFFICIAL_METRICS == evaluation.OFFICIAL_METRICS
