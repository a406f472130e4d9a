"""tf-bigan generate: the images of model.sample, as files."""

import errno
import os
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import tf_bigan as tb
from tests.run.conftest import new_run
from tf_bigan.report import pictures
from tf_bigan.run import generate

pytestmark = pytest.mark.usefixtures("loaded_once")


def files_in(directory) -> set[str]:
    return {p.relative_to(directory).as_posix() for p in directory.rglob("*") if p.is_file()}


def test_the_files_hold_what_the_model_samples(bigan_run, command, tmp_path, monkeypatch):
    monkeypatch.setattr(generate, "BATCH", 3)  # several pieces, the last one smaller
    out = tmp_path / "new" / "samples"
    options = ("--count=8", "--seed=5", "--truncation=0.7")
    status, text, err = command("generate", f"--workdir={bigan_run}", f"--out={out}", *options)
    assert status == 0 and f"wrote 8 images of {bigan_run}" in text, err
    assert files_in(out) == {"grid.png", "samples.npz", *(f"images/{i:06d}.png" for i in range(8))}
    model = tb.load(bigan_run)
    expected = np.rint(model.sample(8, seed=5, truncation=0.7) * 255).astype(np.uint8)
    with np.load(out / "samples.npz") as arrays:
        assert set(arrays) == {"images", "z"} and arrays["images"].dtype == np.uint8
        np.testing.assert_array_equal(arrays["z"], model.prior.sample(8, 5, 0.7))
        # What rounding decides may depend on the number of rows in a product.
        assert np.abs(arrays["images"].astype(int) - expected).max() <= 1
        for number, image in enumerate(arrays["images"]):
            picture = np.asarray(Image.open(out / f"images/{number:06d}.png"))
            np.testing.assert_array_equal(picture, image[..., 0])
    assert len(tb.data.load(f"npz:{out / 'samples.npz'}")) == 7  # without its test images
    assert Image.open(out / "grid.png").size == (3 * 65 + 1, 3 * 65 + 1)  # 8 in rows of 3


def test_classes_are_generated_in_turn(classes_run, command, tmp_path):
    out = tmp_path / "samples"
    options = ("--count=5", "--classes=2,0")
    status, _, err = command("generate", f"--workdir={classes_run}", f"--out={out}", *options)
    assert status == 0, err
    with np.load(out / "samples.npz") as arrays:
        np.testing.assert_array_equal(arrays["labels"], [2, 0, 2, 0, 2])
        np.testing.assert_array_equal(arrays["z"][:, 4:], np.eye(3)[[2, 0, 2, 0, 2]])
    assert files_in(out / "images") == {f"{c}/{i:06d}.png" for i, c in enumerate([2, 0, 2, 0, 2])}
    assert Image.open(out / "grid.png").size == (2 * 65 + 1, 3 * 65 + 1)  # a column for each


def test_without_a_choice_classes_are_the_priors(classes_run, command, tmp_path):
    out = tmp_path / "samples"
    options = ("--count=40", "--format=npz")
    status, _, err = command("generate", f"--workdir={classes_run}", f"--out={out}", *options)
    assert status == 0 and files_in(out) == {"samples.npz"}, err
    with np.load(out / "samples.npz") as arrays:
        np.testing.assert_array_equal(arrays["z"][:, 4:].argmax(1), arrays["labels"])
        assert set(arrays["labels"]) == {0, 1, 2}


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--count=0"], "--count=0: it must be an int in [1, inf)"),
        (["--count=-3"], "--count=-3: it must be an int"),
        (["--truncation=0"], "truncation=0.0: it must be a float in (0, inf)"),
        (["--seed=-1"], "--seed=-1: it must be"),
        (["--classes=1"], "--classes=1: the model has no classes"),
        (["--format=jpg"], "--format=jpg: jpg is unknown; did you mean png?"),
        (["--format=png,"], "an empty name is unknown"),
        (["--model=model.keras"], "give either --workdir=DIR of a run or --model=FILE.keras"),
        (["--workdir=nowhere"], "nowhere does not exist"),
        (["--out="], "give --out=DIR"),
    ],
)
def test_mistakes_are_one_line(options, message, bigan_run, command, tmp_path):
    out = tmp_path / "samples"
    status, _, err = command("generate", f"--workdir={bigan_run}", f"--out={out}", *options)
    assert status == 2 and message in err and err.count("\n") == 1, err
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("classes", "message"),
    [
        *((text, "there is no class 3: give classes from 0 to 2") for text in ("3", "0,3")),
        *((text, "give numbers from 0 on") for text in ("-1", "0,,1", "x")),
        *((text, "there is no such class") for text in ("9" * 22, "9" * 5_000)),
    ],
)
def test_a_class_that_does_not_exist(classes, message, classes_run, command, tmp_path):
    options = (f"--classes={classes}", f"--out={tmp_path / 'samples'}")
    status, _, err = command("generate", f"--workdir={classes_run}", *options)
    assert status == 2 and f"--classes={classes}: {message}" in err and err.count("\n") == 1
    assert not list(tmp_path.iterdir())


def test_a_run_that_cannot_generate(command, tmp_path):
    out = f"--out={tmp_path / 'samples'}"
    workdir = new_run(tmp_path / "run")
    (workdir / "model.keras").unlink()
    status, _, err = command("generate", f"--workdir={workdir}", out)
    assert status == 2 and f"no checkpoint in {workdir}/checkpoints" in err
    text = (workdir / "config.json").read_text()
    (workdir / "config.json").write_text(text.replace('"bigan"', '"dann"'))
    status, _, err = command("generate", f"--workdir={workdir}", out)
    assert status == 2 and "DANN has no generator; systems with generator: alad, ali," in err
    (workdir / "config.json").unlink()
    status, _, err = command("generate", f"--workdir={workdir}", out)
    assert status == 2 and f"{workdir} holds no run (no config.json)" in err


def test_what_is_there_is_not_replaced(bigan_run, command, tmp_path):
    run, out = f"--workdir={bigan_run}", tmp_path / "samples"
    out.mkdir()
    (out / "mine").touch()
    status, _, err = command("generate", run, f"--out={out}")
    assert status == 2 and f"--out={out} is not empty: give another path" in err
    status, _, err = command("generate", run, f"--out={out / 'mine'}")
    assert status == 2 and "mine exists" in err
    assert files_in(tmp_path) == {"samples/mine"}
    (out / "mine").unlink()


def test_an_empty_directory_is_filled(bigan_run, command, tmp_path):
    out, link = tmp_path / "samples", tmp_path / "link"
    link.symlink_to(out)
    out.mkdir()
    (out / ".incomplete-killed").mkdir()  # by SIGKILL
    run, before = f"--workdir={bigan_run}", out.stat()
    assert command("generate", run, f"--out={link}", "--count=1", "--format=png")[0] == 0
    assert files_in(out) == {"images/000000.png"} and link.is_symlink()
    assert os.listdir(out) == ["images"] and out.stat().st_ino == before.st_ino


@pytest.mark.parametrize("kind", ["png", "npz"])
def test_a_full_disk_leaves_nothing(kind, bigan_run, command, tmp_path, monkeypatch):
    def full(*arguments):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    if kind == "png":
        monkeypatch.setattr(Path, "write_bytes", full)
    else:
        monkeypatch.setattr(generate.NpzFile, "_join", full)
    out = tmp_path / "samples"
    options = (f"--format={kind}", "--count=2", f"--out={out}")
    status, _, err = command("generate", f"--workdir={bigan_run}", *options)
    assert status == 1 and f"cannot write {out}: No space left on device" in err, err
    assert err.count("\n") == 1 and not list(tmp_path.iterdir())


def test_a_directory_without_permission(bigan_run, command, tmp_path, monkeypatch):
    def refuse(prefix, dir):
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), dir)

    monkeypatch.setattr("tf_bigan.atomic.tempfile.mkdtemp", refuse)  # root may write anywhere
    status, _, err = command("generate", f"--workdir={bigan_run}", f"--out={tmp_path / 'samples'}")
    assert status == 1 and f"cannot write {tmp_path / 'samples'}: Permission denied" in err, err
    assert err.count("\n") == 1


def test_more_images_than_memory(bigan_run, command, tmp_path):
    options = ("--count=1000000000000", f"--out={tmp_path / 'samples'}")
    status, _, err = command("generate", f"--workdir={bigan_run}", *options)
    assert status == 1 and "out of memory: " in err and "Ask for fewer" in err, err
    assert "{{" not in err and err.count("\n") == 1 and not list(tmp_path.iterdir())


def test_images_that_are_not_finite_are_refused(bigan_run, command, tmp_path, monkeypatch):
    model = tb.load(bigan_run)
    monkeypatch.setattr(model, "generate", lambda z: np.full((len(z), 8, 8, 1), np.nan))
    monkeypatch.setattr(generate, "load_with", lambda path, network: (model, "it"))
    status, _, err = command("generate", f"--workdir={bigan_run}", f"--out={tmp_path / 'samples'}")
    assert status == 1 and "not finite" in err and not list(tmp_path.iterdir())


def test_pictures_of_other_channels_are_left_to_npz(bigan_run, command, tmp_path, monkeypatch):
    model = tb.load(bigan_run)
    monkeypatch.setattr(model, "image_shape", (8, 8, 2))
    monkeypatch.setattr(generate, "load_with", lambda path, network: (model, "it"))
    monkeypatch.setattr(pictures, "png_bytes", None)
    status, _, err = command("generate", f"--workdir={bigan_run}", f"--out={tmp_path / 'samples'}")
    assert status == 2 and "2 channels" in err and "--format=npz" in err
