"""tf-bigan detect: what it reads, what the detector is given, and what it writes."""

import csv
import os
import re
import shutil
import warnings

import joblib
import numpy as np
import pytest
from PIL import Image

from tf_bigan.data import decoding
from tf_bigan.detect import __main__ as detect
from tf_bigan.detect.page import coloured, report
from tf_bigan.explore.detector.explorer import DetectorExplorer, load
from tf_bigan.export.formats import ONNX
from tf_bigan.run.flags import run

ODD = [os.fsdecode(b"\xff.png"), "a\nb.webp", 'c"d,e.gif', "sub/f.tiff"]


class Brightness:
    """Stands for BiGANDetector: the score is the mean of the pixels."""

    threshold_ = 0.5
    fitted = None

    def __init__(self, model, **parameters):
        pass

    def check_parameters(self):
        pass

    def fit(self, images):
        Brightness.fitted = images

    def score_samples(self, images):
        Brightness.scored = images
        return -images.mean((1, 2, 3)) / 255

    def ranks(self, scores):
        return scores

    def heat_map(self, images):
        return (images.mean(-1) / 255).astype(np.float32)


@pytest.fixture
def call(capsys):
    """A function that runs the command: (exit status, stdout, stderr)."""

    def call(*arguments):
        detect.FLAGS.unparse_flags()
        argv = ["tf-bigan detect", *map(str, arguments)]
        status = run(detect.main, argv, detect.__doc__, detect.FLAGS)
        return status, *capsys.readouterr()

    return call


@pytest.fixture
def brightness(monkeypatch):
    monkeypatch.setattr(detect, "BiGANDetector", Brightness)


def save(path, pixels, **options):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path, **options)


def grey(level, height=8, width=8):
    return np.full((height, width), level, np.uint8)


def rows_of(path):
    with open(path, newline="", encoding="utf-8", errors="surrogateescape") as file:
        return list(csv.DictReader(file))


def test_any_format_and_name(call, brightness, tmp_path):
    for i in range(4):
        save(tmp_path / f"normal/train/{i}.png", grey(i))  # a folder's name means nothing here
    for level, name in enumerate(ODD, 1):
        lossless = {"lossless": True} if name.endswith("webp") else {}
        save(tmp_path / "new" / name, grey(50 * level), **lossless)
    out, options = tmp_path / "s.csv", ("--image_size=8", "--channels=1")
    folders = (f"--normal={tmp_path}/normal", f"--data={tmp_path}/new")
    status, text, err = call(*folders, *options, f"--out={out}")
    assert status == 0, err
    assert text.startswith("4 normal pictures, 4 to score, 8x8") and "2 of 4 are outliers" in text
    assert Brightness.fitted.shape == (4, 8, 8, 1)
    rows = {row["file"]: row for row in rows_of(out)}
    assert set(rows) == set(ODD) and list(rows) == sorted(ODD)
    for level, name in enumerate(ODD, 1):
        assert float(rows[name]["score"]) == pytest.approx(50 * level / 255, abs=0.002)
        assert float(rows[name]["probability"]) == pytest.approx(50 * level / 255, abs=0.002)
        assert rows[name]["is_outlier"] == str(int(50 * level / 255 > 0.5))
        assert (tmp_path / f"s-heat_maps/{name}.heat_map.png").is_file()
    assert (tmp_path / "s.html").is_file()


def test_the_detector_is_pickled_with_how_pictures_were_read(call, brightness, tmp_path):
    for i in range(4):
        save(tmp_path / f"normal/{i}.png", grey(60 * i))
    folders = (f"--normal={tmp_path}/normal", f"--data={tmp_path}/normal")
    options = ("--resize=pad", "--background=navy", f"--out={tmp_path}/s.csv")
    status, _, err = call(*folders, *options, f"--pickle={tmp_path}/new/detector.joblib")
    assert status == 0, err
    detector = joblib.load(tmp_path / "new/detector.joblib")
    assert detector.reading_ == {"resize": "pad", "background": "navy"}


@pytest.mark.parametrize("kind", ["zip", "gztar"])
def test_archives(call, brightness, tmp_path, kind):
    for i in range(4):
        save(tmp_path / f"pictures/{i}.png", grey(80 * i))
    archive = shutil.make_archive(str(tmp_path / "a"), kind, tmp_path / "pictures")
    out = tmp_path / "s.csv"
    status, _, err = call(f"--normal={archive}", f"--data={archive}", f"--out={out}")
    assert status == 0, err
    assert [row["file"] for row in rows_of(out)] == [f"{i}.png" for i in range(4)]
    np.testing.assert_array_equal(Brightness.fitted[:, 0, 0, 0], [0, 80, 160, 240])


@pytest.mark.parametrize(
    "options, form",
    [
        ((), {}),
        (("--resize=pad", "--background=navy"), {"resize": "pad", "background": "navy"}),
        (("--resize=stretch", "--channels=3"), {"resize": "stretch", "channels": 3}),
        (("--channels=4", "--image_size=8x16"), {"channels": 4, "size": (8, 16)}),
    ],
)
def test_pictures_become_what_they_are_in_training(call, brightness, tmp_path, options, form):
    pixels = np.random.default_rng(0).integers(0, 256, (20, 30, 4), np.uint8)
    save(tmp_path / "a/x.png", pixels)  # coloured and transparent
    for i in range(4):
        save(tmp_path / f"b/{i}.png", grey(7 + i, 20, 30))
    folders = (f"--normal={tmp_path}/b", f"--data={tmp_path}/a", f"--out={tmp_path}/s.csv")
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        status, _, err = call(*folders, "--noheat_maps", *options)
    assert status == 0, err
    told = any("transparent, blended" in str(warning.message) for warning in caught)
    assert told == (form.get("channels") != 4)
    expected = {"channels": 3, "size": (32, 32)} | form
    for path, found in (("a/x.png", Brightness.scored), ("b/0.png", Brightness.fitted)):
        wanted = decoding.decode(Image.open(tmp_path / path), **expected)[0]
        np.testing.assert_array_equal(found[:1], wanted[None])


def test_what_cannot_be_read_is_counted_or_refused(call, brightness, tmp_path):
    for i in range(4):
        save(tmp_path / f"new/{i}.png", grey(100 + i))
    (tmp_path / "new/broken.png").write_bytes((tmp_path / "new/0.png").read_bytes()[:50])
    options = (f"--normal={tmp_path}/new", f"--data={tmp_path}/new", f"--out={tmp_path}/s.csv")
    with pytest.warns(UserWarning, match=r"1 of 5 left out: 1 broken \(broken.png\)"):
        assert call(*options)[0] == 0
    assert [row["file"] for row in rows_of(tmp_path / "s.csv")] == [f"{i}.png" for i in range(4)]
    os.remove(tmp_path / "s.csv")
    status, _, err = call(*options, "--strict_data")
    assert status == 2 and "1 broken (broken.png)" in err and err.count("\n") == 1
    assert not (tmp_path / "s.csv").exists()


@pytest.mark.parametrize(
    "options, message",
    [
        (["--data=new"], "give --normal=DIR"),
        (["--normal=new", "--data=new"], "--normal=new is too small (1 usable): give at"),
        (["--normal=none", "--data=new"], "cannot read the folder none"),
        (["--normal=new", "--data=empty"], "empty holds no pictures"),
        (
            ["--normal=new", "--data=new", "--image_size=7"],
            "--image_size=7: give sides of at least",
        ),
        (["--normal=new", "--data=new", "--image_size=a"], "--image_size=a: give SIDE or HxW"),
        (["--normal=new", "--data=new", "--channels=2"], "--channels=2"),
        (["--normal=new", "--data=new", "--resize=squeeze"], "--resize=squeeze"),
        (["--normal=new", "--data=new", "--background=bleu"], "--background=bleu is no colour"),
        (["--normal=new", "--data=new", "--out=a.txt"], "--out=a.txt: the file of scores"),
        (["--normal=new", "--data=new", "--model=bigna"], "--model=bigna is unknown"),
        (["--normal=new", "--data=new", f"--seed={2**31}"], "--seed"),
    ],
)
def test_bad_input(call, tmp_path, monkeypatch, options, message):
    monkeypatch.chdir(tmp_path)
    save(tmp_path / "new/0.png", grey(9))
    (tmp_path / "empty").mkdir()
    status, _, err = call(*options)
    assert status == 2 and re.search(re.escape(message), err) and err.count("\n") == 1, err
    assert sorted(os.listdir()) == ["empty", "new"]


def test_normal_pictures_that_are_all_the_same(call, tmp_path):
    for i in range(5):
        save(tmp_path / f"same/{i}.png", grey(9, 8 + i))  # the same once resized
    folders = (f"--normal={tmp_path}/same", f"--data={tmp_path}/same")
    status, _, err = call(*folders, "--seed=0", f"--out={tmp_path}/s.csv")
    assert status == 2 and "same: all 5 pictures are the same" in err and err.count("\n") == 1, err


@pytest.mark.slow
def test_a_real_detector(call, eagerly, tmp_path):
    rng = np.random.default_rng(0)
    for i in range(20):
        save(tmp_path / f"normal/{i}.png", rng.integers(0, 99, (8, 8), np.uint8))
    save(tmp_path / "new/odd.png", grey(255))
    save(tmp_path / "new/usual.png", rng.integers(0, 99, (8, 8), np.uint8))
    options = ("--model=autoencoder", "--epochs=1", "--image_size=8", f"--out={tmp_path}/s.csv")
    folders = (f"--normal={tmp_path}/normal", f"--data={tmp_path}/new")
    status, _, err = call(*folders, *options, f"--pickle={tmp_path}/detector.joblib")
    assert status == 0, err
    odd, usual = rows_of(tmp_path / "s.csv")
    assert float(odd["score"]) > float(usual["score"]) and odd["is_outlier"] == "1"
    explorer = DetectorExplorer(load(tmp_path / "detector.joblib"))
    found = explorer.look(explorer.fitting.read(tmp_path / "new/odd.png").pixels)
    assert found.score == pytest.approx(float(odd["score"]), rel=1e-5)
    assert found.probability == pytest.approx(float(odd["probability"]), rel=1e-5)


@pytest.mark.parametrize("option", ["pickle", "saved_model"])
def test_a_directory_in_the_way_stays_and_is_named_before_the_training(
    call, brightness, tmp_path, option
):
    for i in range(4):
        save(tmp_path / f"normal/{i}.png", grey(i))
    Brightness.fitted = None
    options = (f"--{option}={tmp_path}/normal", f"--out={tmp_path}/s.csv")
    status, _, err = call(f"--normal={tmp_path}/normal", f"--data={tmp_path}/normal", *options)
    assert status == 2 and f"{option}={tmp_path}/normal" in err and err.count("\n") == 1
    assert len(list((tmp_path / "normal").iterdir())) == 4 and Brightness.fitted is None


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--out=o/b.csv", "--pickle=o/b.csv"), "pickle=.*b.csv is also written by --out"),
        (("--out=o/b.csv", "--pickle=o/../o/b.html"), "pickle=.*b.html is also written by --out"),
        (("--out=o/b.csv", "--saved_model=o"), "saved_model=.*o is also written by --out"),
        (("--pickle=o/m", "--saved_model=o/m"), "saved_model=.*m is also written by --pickle"),
        (("--pickle=o/m/d", "--saved_model=o/m"), "saved_model=.*m is also written by --pickle"),
    ],
)
def test_each_output_has_a_path_of_its_own(
    call, brightness, tmp_path, monkeypatch, options, message
):
    monkeypatch.chdir(tmp_path)
    for i in range(4):
        save(tmp_path / f"normal/{i}.png", grey(i))
    Brightness.fitted = None
    status, _, err = call("--normal=normal", "--data=normal", *options)
    assert status == 2 and re.search(message, err) and err.count("\n") == 1, err
    assert Brightness.fitted is None and not (tmp_path / "o").exists()


def test_a_converter_that_is_missing_is_named_before_the_training(
    call, brightness, tmp_path, monkeypatch
):
    for i in range(4):
        save(tmp_path / f"normal/{i}.png", grey(i))
    monkeypatch.setattr(ONNX, "modules", {"no_such_module": "some-package"})
    Brightness.fitted = None
    folders = (f"--normal={tmp_path}/normal", f"--data={tmp_path}/normal")
    status, _, err = call(*folders, f"--saved_model={tmp_path}/detector.onnx")
    assert status == 2 and "onnx files need some-package" in err and Brightness.fitted is None


def test_no_heat_maps_of_earlier_scores_are_left(call, brightness, tmp_path):
    for i in range(4):
        save(tmp_path / f"normal/{i}.png", grey(i))
    options = [f"--normal={tmp_path}/normal", f"--data={tmp_path}/normal", "--image_size=8"]
    options.append(f"--out={tmp_path}/s.csv")
    maps = tmp_path / "s-heat_maps"
    assert call(*options)[0] == 0 and len(list(maps.iterdir())) == 4
    assert call(*options, "--noheat_maps")[0] == 0 and not maps.exists()
    maps.mkdir()
    (maps / "mine.txt").touch()  # what the command did not write stays
    assert call(*options, "--noheat_maps")[0] == 0 and (maps / "mine.txt").exists()


def test_a_name_too_long_for_a_heat_map_is_named_before_the_training(call, brightness, tmp_path):
    for i in range(4):
        save(tmp_path / f"normal/{i}.png", grey(i))
    save(tmp_path / f"new/{'a' * 239}.png", grey(9))  # its heat map's name has 256 bytes
    Brightness.fitted = None
    options = [f"--normal={tmp_path}/normal", f"--data={tmp_path}/new", "--image_size=8"]
    options += [f"--out={tmp_path}/s.csv", f"--pickle={tmp_path}/detector.joblib"]
    status, _, err = call(*options)
    assert status == 2 and "aaa.png leaves no room" in err and err.count("\n") == 1, err
    assert Brightness.fitted is None
    assert call(*options, "--noheat_maps")[0] == 0 and (tmp_path / "detector.joblib").exists()


def test_nothing_of_others_is_overwritten(call, brightness, tmp_path):
    for i in range(4):
        save(tmp_path / f"normal/{i}.png", grey(i))
    save(tmp_path / "new/odd.png", grey(255))
    (tmp_path / "s-heat_maps").mkdir()
    (tmp_path / "s-heat_maps" / "mine.txt").write_text("")
    Brightness.fitted = None
    options = ("--image_size=8", f"--out={tmp_path}/s.csv")
    status, _, err = call(f"--normal={tmp_path}/normal", f"--data={tmp_path}/new", *options)
    assert status == 2 and "is not a folder of heat maps" in err
    assert not (tmp_path / "s.csv").exists() and Brightness.fitted is None
    for name in ("r.csv", "q.html"):
        (tmp_path / name).mkdir()
        options = ("--image_size=8", f"--out={tmp_path / name[0]}.csv")
        status, _, err = call(f"--normal={tmp_path}/normal", f"--data={tmp_path}/new", *options)
        assert status == 2 and f"{name} is a directory" in err and (tmp_path / name).is_dir()
    for option, name in (("out", "scores.csv"), ("out", "scores.html"), ("pickle", "notes")):
        (tmp_path / name).write_text("precious")
        options = ("--image_size=8", f"--{option}={(tmp_path / name).with_suffix('.csv')}")
        if option == "pickle":
            options = ("--image_size=8", f"--out={tmp_path}/t.csv", f"--pickle={tmp_path / name}")
        status, _, err = call(f"--normal={tmp_path}/normal", f"--data={tmp_path}/new", *options)
        assert status == 2 and f"{name} exists" in err, err
        assert (tmp_path / name).read_text() == "precious"
        (tmp_path / name).unlink()
    options = ("--image_size=8", f"--out={tmp_path}/new/u.csv")
    status, _, err = call(f"--normal={tmp_path}/normal", f"--data={tmp_path}/new", *options)
    assert status == 2 and "would lie among the pictures of" in err and "--noheat_maps" in err
    options = ("--image_size=8", f"--out={tmp_path}/new/odd.png/s.csv", "--noheat_maps")
    status, _, err = call(f"--normal={tmp_path}/normal", f"--data={tmp_path}/new", *options)
    assert status == 2 and "cannot be a directory: " in err and "odd.png is a file" in err


def test_the_page_has_the_strangest_first():
    images = np.linspace(0, 1, 30, dtype=np.float32)[:, None, None, None] * np.ones((1, 8, 8, 1))
    scores = np.arange(30.0)
    content = report(images, scores, scores > 27, images[..., 0], {})
    assert content.facts == "30 pictures, 2 of them outliers."
    titles = [figure.title for figure in content.sections[0].figures]
    assert titles[0] == "The strangest" and "29 to 6" in content.sections[0].figures[0].note
    assert "0 to 23" in content.sections[0].figures[2].note
    assert content.sections[0].figures[0].picture[5, 5, 0] == 255  # image 29 is white


def test_heat_maps_have_one_scale():
    colours = coloured(np.array([0.0, 1.0, 2.0, 9.0]).reshape(4, 1, 1), scale=2.0)
    assert colours[0].max() < 0.02 and colours[2].sum() > colours[1].sum()
    np.testing.assert_array_equal(colours[2], colours[3])
