"""train.py: what it says, what it writes, what can be done with it."""

import dataclasses
import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

import tf_bigan as tb
from tests.core.test_resume import state
from tf_bigan.run import evaluate, presets, train
from tf_bigan.run.config import Config
from tf_bigan.run.presets import PRESETS
from tf_bigan.run.trained import load, trained_files

ROOT = Path(__file__).parents[2]


@pytest.mark.smoke
@pytest.mark.parametrize("script", ["train", "evaluate"])
def test_help_is_complete_and_fits_the_terminal(script, command):
    status, out, err = command(script, "--help")
    assert (status, err) == (0, "")
    lines = out.splitlines()
    assert max(map(len, lines)) <= 100
    module = {"train": train, "evaluate": evaluate}[script]
    assert all(re.search(rf"^  --(\[no\])?{name}( |$)", out, re.M) for name in module.FLAGS)
    groups = [line for line in lines if line.endswith(":") and not line.startswith(" ")]
    assert "run:" in groups and "data:" in groups and "output:" in groups
    assert "<" not in out
    if script == "train":
        assert all(preset in out for preset in PRESETS)
        assert (
            "--batch_size          images in a step, over all replicas [64]"
            in lines[lines.index("training:") + 2]
        )


def test_dry_run_writes_nothing(tmp_path, command, monkeypatch):
    monkeypatch.chdir(tmp_path)
    status, out, err = command("train", "--dry_run", "--width=16", "--epochs=10", "--latent_dim=3")
    assert status == 0, err
    start, end = out.index("{"), out.index("}") + 1
    given = {"width": 16, "epochs": 10, "latent_dim": 3}
    expected = Config(**presets.combined(PRESETS["digits"], given))
    assert Config.from_dict(json.loads(out[start:end])) == expected
    # G: to a map of 4·4·16, its batch norm, a transposed convolution of 4·4 and a bias.
    assert f"generator: {3 * 256 + 4 * 16 + 16 * 16 + 1:,} weights" in out
    assert "20 steps per epoch, about " in out and "; 10 epochs about " in out
    assert "workdir: runs/digits, a new run" in out
    assert not any(tmp_path.iterdir())


def test_a_dry_run_says_how_much_is_left(tiny_run, tiny_options, command, eagerly, monkeypatch):
    monkeypatch.setattr(train, "DRY_RUN_SECONDS", 0.0)
    run = (f"--workdir={tiny_run[0]}", *tiny_options, "--dry_run")
    status, out, err = command("train", *run, "--epochs=5")
    assert status == 0, err
    assert "step-00000072.keras\n" in out and "; 2 epochs left about " in out


def test_workdir(tiny_run, tiny_options):
    workdir, out = tiny_run
    record = json.loads((workdir / "config.json").read_text())
    options = dict(option.removeprefix("--").split("=") for option in tiny_options)
    values = {name: int(v) if v.isdecimal() else v for name, v in options.items()}
    expected = Config(**presets.combined(PRESETS["digits"], values))
    assert Config.from_dict(record["config"]) == expected
    assert record["environment"]["tensorflow"] == tf.__version__
    assert record["environment"]["keras"] == keras.__version__
    assert {"tf_bigan", "numpy", "python", "machine", "git_revision"} < set(record["environment"])

    assert sorted(path.name for path in workdir.iterdir()) == [
        *(".lock", "checkpoints", "config.json", "logs", "metrics.jsonl", "model.keras", "samples")
    ]
    names = {path.name for path in (workdir / "checkpoints").iterdir()}
    steps = {f"step-{step:08d}.keras" for step in (56, 64, 72)}
    assert names == steps | {"best.keras", "best.json"}
    pictures = ("samples", "reconstructions", "interpolations")
    assert {path.name for path in (workdir / "samples").iterdir()} == {
        f"{name}-epoch-{epoch:04d}.png" for name in pictures for epoch in (0, 3)
    }
    assert Image.open(workdir / "samples" / "samples-epoch-0003.png").size == (8 * 65 + 1,) * 2
    records = [json.loads(line) for line in (workdir / "metrics.jsonl").open()]
    assert [(record["epoch"], record["step"]) for record in records] == [
        (epoch, 24 * epoch) for epoch in range(4)
    ]
    assert all({"seconds", "NND/100", "EGr", "EGr_b"} <= set(record) for record in records)
    best = json.loads((workdir / "checkpoints" / "best.json").read_text())
    assert best["value"] == min(record["NND/100"] for record in records[1:])

    (events,) = (workdir / "logs").glob("events.*")
    tags = {
        (event.step, value.tag)
        for event in tf.compat.v1.train.summary_iterator(str(events))
        for value in event.summary.value
    }
    assert {(72, "train/loss_D"), (72, "metrics/NND/100"), (0, "samples"), (72, "samples")} < tags


@pytest.mark.slow
def test_a_finished_run_says_so_and_continues_with_more_epochs(
    tiny_run, tiny_options, tmp_path, command, eagerly, few_batches
):
    workdir = tmp_path / "run"
    shutil.copytree(tiny_run[0], workdir)
    started = [path.name for path in (workdir / "logs").iterdir()]
    status, out, _ = command("train", f"--workdir={workdir}", *tiny_options)
    assert status == 0
    assert f"{workdir} is trained already: 3 epochs (--epochs=N to continue)" in out
    assert "epoch 3/3" not in out
    assert [path.name for path in (workdir / "logs").iterdir()] == started
    before, after = (state(run / "model.keras") for run in (tiny_run[0], workdir))
    assert before.keys() == after.keys()
    assert all(value.tobytes() == after[name].tobytes() for name, value in before.items())

    status, out, _ = command("train", f"--workdir={workdir}", *tiny_options, "--epochs=4")
    assert status == 0
    assert "resuming at step 72" in out and "epoch 4/4" in out and "epoch 3/4" not in out
    assert int(load(workdir).step.numpy()) == 96
    lines = (workdir / "metrics.jsonl").read_text().splitlines()
    assert [line[:12] for line in lines] == [f'{{"epoch": {i},' for i in range(5)]


@pytest.mark.parametrize("options", [[], ["--dry_run"]])
def test_a_run_does_not_go_on_with_other_images(tiny_run, tiny_options, tmp_path, command, options):
    """Its steps would be those of other epochs."""
    workdir = tmp_path / "run"
    shutil.copytree(tiny_run[0], workdir)
    record = json.loads((workdir / "config.json").read_text())
    (workdir / "config.json").write_text(json.dumps(record | {"images": record["images"] - 7}))
    status, _, err = command("train", f"--workdir={workdir}", *tiny_options, *options)
    line = f"run with {record['images'] - 7:,} training images, now there are {record['images']:,}"
    assert status == 2 and line in err


def test_the_projector_has_the_names_of_classes(bigan_run):
    names = tuple("abcdefghij")
    held_out = dataclasses.replace(tb.data.load("digits", "test").take(9), class_names=names)
    workdir = train.Workdir(bigan_run)
    listed = train.run_callbacks(
        workdir.read_config(), workdir, load(bigan_run), held_out, held_out.batches(4), (None, None)
    )
    (dashboard,) = (one for one in listed if isinstance(one, tb.callbacks.Dashboard))
    assert dashboard.labels.tolist() == [names[label] for label in held_out.labels]


def test_output_through_a_pipe(tiny_run):
    workdir, out = tiny_run
    assert "\r" not in out and "\x1b" not in out
    lines = out.splitlines()
    assert lines[0].startswith("training cycle_bigan in ")
    assert [line[:9] for line in lines[1:5]] == [f"epoch {epoch}/3" for epoch in range(4)]
    for line in lines[2:5]:
        assert all(word in line for word in ("loss_D", "loss_EG", "NND/100", "images/s"))
    assert f"tensorboard --logdir={workdir}/logs" in out
    assert f"tf-bigan evaluate --workdir={workdir}" in out


@pytest.mark.slow
def test_model_file_needs_keras_and_the_package_only(tiny_run, tmp_path):
    file = tiny_run[0] / "model.keras"
    code = (
        "import tf_bigan, keras, numpy\n"
        f"model = keras.saving.load_model({str(file)!r})\n"
        f"numpy.save({str(tmp_path / 'samples.npy')!r}, model.sample(4, seed=1))"
    )
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True)
    expected = keras.saving.load_model(file).sample(4, seed=1)
    np.testing.assert_allclose(np.load(tmp_path / "samples.npy"), expected, atol=1e-5)


@pytest.mark.slow
def test_learns_from_colour_images_that_are_streamed(tmp_path, command, monkeypatch, eagerly):
    """With fewer images than any picture or measurement asks for."""
    images = tb.data.folder.Folder.images
    monkeypatch.setattr(
        tb.data.folder.Folder, "images", lambda self, *form: images(self, *form[:3])
    )
    monkeypatch.setattr(tb.data.StreamedImages, "fixed", lambda self, limit: self)
    (tmp_path / "images").mkdir()
    rng = np.random.default_rng(0)
    for i in range(12):
        pixels = rng.integers(0, 256, (10, 12, 3), np.uint8)
        Image.fromarray(pixels).save(tmp_path / "images" / f"{i}.png")
    run = f"--workdir={tmp_path}/run"
    status, out, err = command(
        *("train", f"--dataset=folder:{tmp_path}/images", run, "--epochs=1", "--batch_size=4"),
        *("--latent_dim=2", "--networks=dcgan", "--width=4", "--image_size=8x10"),
    )
    assert status == 0, err
    assert "8 images 8x10x3, streamed" in err and "2 images 8x10x3, streamed" in err
    status, out, err = command("evaluate", run, "--samples=100", "--nountrained")
    assert status == 0, err
    assert "NNC_e left out: needs labels" in out
    assert (tmp_path / "run" / "report.png").exists()


OWN = """
import keras
from tf_bigan.models import BiGAN

@keras.saving.register_keras_serializable("own_package")
class Own(BiGAN):
    pass
"""


@pytest.mark.slow
@pytest.mark.smoke
def test_a_model_of_ones_own_is_resumed_and_measured(
    tmp_path, command, monkeypatch, eagerly, undrawn
):
    package = tmp_path / "own_package"
    package.mkdir()
    (package / "__init__.py").touch()
    (package / "own_model.py").write_text(OWN)
    monkeypatch.syspath_prepend(tmp_path)
    options = [
        *("--model=own_package.own_model", f"--workdir={tmp_path}/run", "--width=8", "--ema=0"),
        *("--eval_every=0", "--batch_size=512", "--precision=float32", "--jit_compile=false"),
        "--networks=mlp",
    ]

    def forget():  # as in a new process
        sys.modules.pop("own_package.own_model")
        keras.saving.get_custom_objects().pop("own_package>Own")

    assert command("train", *options, "--epochs=1")[0] == 0
    forget()
    status, out, err = command("train", *options, "--epochs=2")
    assert status == 0, err
    assert "resuming at step 3 " in out
    forget()
    status, out, err = command(
        "evaluate", f"--workdir={tmp_path}/run", "--metrics=EGr", "--nountrained"
    )
    assert status == 0, err
    assert train.Workdir(tmp_path / "run").read_config().model == "own_package.own_model"
    forget()
    (trained,) = trained_files(f"{tmp_path}/run/model.keras", {"dataset": "digits"})
    assert type(trained.load()).__name__ == "Own"


@pytest.mark.parametrize(
    ("arguments", "name"),
    [
        ([], "digits"),
        (["--model=bigan"], "digits-bigan"),
        (["--dataset=mnist"], "mnist"),
        (["--model=wgan_gp"], "digits-wgan_gp"),
        (["--preset=paper_mnist"], "paper_mnist"),
        (["--preset=best_mnist"], "best_mnist"),
        (["--preset=best_mnist", "--model=bigan"], "best_mnist-bigan"),
    ],
)
def test_each_system_has_a_directory_of_its_own(arguments, name):
    train.FLAGS.unparse_flags()
    train.FLAGS(["train.py", *arguments])
    assert train.default_workdir(train.config_from_flags(train.FLAGS)) == f"runs/{name}"


def opened_splits(monkeypatch) -> list[str]:
    """The splits of data that are opened from now on."""
    opened, choose = [], tb.data.splits.choose

    def record(parts, split, *arguments):
        opened.append(split)
        return choose(parts, split, *arguments)

    monkeypatch.setattr(tb.data.splits, "choose", record)
    return opened


@pytest.mark.slow
def test_training_never_reads_the_test_images(tmp_path, command, monkeypatch, eagerly, undrawn):
    options = ["--width=4", "--epochs=1", "--batch_size=512", "--jit_compile=false", "--ema=0"]
    options += ["--networks=mlp", "--model=autoencoder"]  # the fewest
    opened = opened_splits(monkeypatch)
    status, _, err = command("train", f"--workdir={tmp_path}/validated", *options)
    assert status == 0, err
    assert set(opened) == {"train", "validation"}
    assert (tmp_path / "validated" / "checkpoints" / "best.keras").exists()

    opened.clear()
    workdir = tmp_path / "all"
    status, _, err = command("train", f"--workdir={workdir}", *options, "--validation=0")
    assert status == 0, err
    assert set(opened) == {"train"}
    # Nothing is left to measure on, and nothing picks a best checkpoint.
    assert not (workdir / "metrics.jsonl").exists()
    assert not (workdir / "checkpoints" / "best.keras").exists()
    assert list((workdir / "samples").glob("reconstructions-*.png"))

    opened.clear()
    quick = ("--metrics=EGr", "--nountrained")
    status, _, err = command("evaluate", f"--workdir={tmp_path}/validated", *quick)
    assert status == 0 and "test" in opened, err


@pytest.mark.slow
def test_a_run_is_opened_from_anywhere(tmp_path, command, monkeypatch, eagerly, undrawn):
    """Its paths do not depend on where train.py ran, nor on how they were written."""
    (tmp_path / "pictures").mkdir()
    rng = np.random.default_rng(0)
    for i in range(12):
        Image.fromarray(rng.integers(0, 256, (8, 8), np.uint8)).save(f"{tmp_path}/pictures/{i}.png")
    monkeypatch.chdir(tmp_path)
    options = ["--workdir=lr=1,bs=4", "--epochs=1", "--batch_size=4", "--width=4"]
    options += ["--data_dir=.", "--eval_every=0", "--networks=mlp", "--model=autoencoder"]
    status, _, err = command("train", "--dataset=folder:pictures", *options)
    assert status == 0, err
    monkeypatch.chdir("/")
    config = train.Workdir(tmp_path / "lr=1,bs=4").read_config()
    assert config.dataset == f"folder:{tmp_path}/pictures" and config.data_dir == str(tmp_path)
    quick = ("--metrics=EGr", "--nountrained")
    status, _, err = command("evaluate", f"--workdir={tmp_path}/lr=1,bs=4", *quick)
    assert status == 0, err
    monkeypatch.chdir(tmp_path / "pictures")
    options[0] = "--workdir=../lr=1,bs=4"
    status, out, err = command("train", "--dataset=folder:../pictures/", *options)
    assert status == 0 and "is trained already" in out, err


@pytest.mark.slow
def test_load_gives_the_model_of_a_run(tiny_run):
    for path in (tiny_run[0], tiny_run[0] / "model.keras", str(tiny_run[0])):
        assert int(load(path).step.numpy()) == 72
    with pytest.raises(tb.UserError, match="nowhere does not exist: give a .keras file"):
        load("nowhere")
