"""train.py --init_from: another run's weights, which a resumed run needs no more."""

import json
import re
import shutil

import keras
import numpy as np
import pytest

import tf_bigan as tb
from tests.run.conftest import new_run
from tf_bigan.run import build

pytestmark = pytest.mark.usefixtures("loaded_once")
OPTIONS = [
    *("--dataset=digits", "--networks=mlp", "--width=8", "--latent_dim=4", "--batch_size=500"),
    *("--precision=float32", "--eval_every=0", "--picture_every=9", "--jit_compile=false"),
]


def trained(command, workdir, *options):
    status, _, err = command("train", f"--workdir={workdir}", *OPTIONS, *options)
    assert status == 0, err
    return err


@pytest.mark.slow
def test_a_resumed_run_gives_the_same_bits_without_the_first(command, tmp_path, eagerly):
    source, run = new_run(tmp_path / "source", model="gan", latent_dim=4, seed=9), tmp_path / "run"
    option = f"--init_from={source}"
    err = trained(command, run, option, "--epochs=1")
    lines = [line for line in err.splitlines() if line.startswith("starting from")]
    assert len(lines) == 1 and f"{source}/model.keras of step 0: " in lines[0]
    assert lines[0].endswith("new: discriminator.latent, discriminator.condition, "
                             "discriminator.joint.0, discriminator.joint.1, encoder")  # fmt: skip
    trained(command, tmp_path / "whole", option, "--epochs=2")
    shutil.rmtree(source)
    assert command("train", f"--workdir={run}", *OPTIONS, option, "--dry_run")[0] == 0
    assert "starting from" not in trained(command, run, option, "--epochs=2")
    resumed, whole = (keras.saving.load_model(d / "model.keras") for d in (run, tmp_path / "whole"))
    for a, b in zip(resumed.get_weights(), whole.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)
    config = json.loads((run / "config.json").read_text())["config"]
    assert config["init_from"] == str(source)
    status, _, err = command("train", f"--workdir={run}", *OPTIONS, "--epochs=2")
    assert status == 2 and f"init_from={source} there, None here" in err


def test_it_is_also_an_option_of_a_preset(bigan_run, capsys):
    options = {"networks": "mlp", "width": 8, "latent_dim": 4, "seed": 3, "ema": 0.0}
    model = tb.models.BiGAN.from_preset("digits", (8, 8, 1), init_from=str(bigan_run), **options)
    assert f"{bigan_run}/model.keras of step 0: " in capsys.readouterr().err
    expected = tb.load(bigan_run).encoder.weights
    for a, b in zip(model.encoder.weights, expected, strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize(
    ("start", "message"),
    [
        (".", "holds no run (no config.json)"),
        ("file.keras", "file.keras cannot be loaded as a model"),
        ("unfinished", "no checkpoint in"),
        ("other", "no layer of this BiGAN has the shapes of one of the new BiGAN"),
    ],
)
def test_what_cannot_be_a_start(start, message, bigan_run, tmp_path):
    (tmp_path / "file.keras").write_text("not a model")
    if start == "unfinished":
        shutil.copytree(bigan_run, tmp_path / start, ignore=shutil.ignore_patterns("*.keras"))
    if start == "other":
        new_run(tmp_path / start, width=3, latent_dim=7)
    model = tb.load(bigan_run)
    with pytest.raises(tb.UserError, match=re.escape(message)) as error:
        build.start_from(model, str(tmp_path / start))
    assert str(error.value).startswith(f"init_from={tmp_path / start}: ")


def test_a_mistake_is_one_line_and_nothing_is_written(command, tmp_path):
    run, start = tmp_path / "run", tmp_path / "nowhere"
    status, _, err = command("train", f"--workdir={run}", f"--init_from={start}", *OPTIONS)
    line = err.splitlines()[-1]
    assert status == 2 and line.startswith(f"train.py: --init_from={start}: {start} does not exist")
    assert not run.exists()


def test_an_empty_path_is_refused(command, tmp_path):
    status, _, err = command("train", f"--workdir={tmp_path / 'run'}", "--init_from=", *OPTIONS)
    assert status == 2 and "--init_from= is empty" in err
