"""The command that scores a folder of pictures, and mistakes in it."""

import csv
import re

import numpy as np
import pytest
from PIL import Image

from tf_bigan.detect import __main__ as command_line
from tf_bigan.detect.page import coloured, report
from tf_bigan.detect.pictures import all_grey, files_of, read
from tf_bigan.run.flags import run


def call(capsys, *arguments) -> tuple[int, str]:
    command_line.FLAGS.unparse_flags()
    argv = ["tf-bigan detect", *map(str, arguments)]
    status = run(command_line.main, argv, command_line.__doc__, command_line.FLAGS)
    return status, capsys.readouterr().err


@pytest.fixture
def folders(tmp_path):
    """Normal pictures are dark noise; of the five others, the one in a subfolder is bright."""
    rng = np.random.default_rng(0)
    for folder, count in (("normal", 30), ("data", 4)):
        (tmp_path / folder).mkdir()
        for i in range(count):
            pixels = rng.integers(0, 60, (12, 10), np.uint8)
            Image.fromarray(pixels).save(tmp_path / folder / f"{i}.png")
    (tmp_path / "data" / "more").mkdir()
    Image.new("L", (10, 12), 250).save(tmp_path / "data" / "more" / "odd.jpg")
    (tmp_path / "data" / "broken.png").write_text("no picture")
    return tmp_path


def test_scores_heat_maps_and_a_page(capsys, folders, eagerly):
    out = folders / "out" / "scores.csv"
    arguments = [f"--normal={folders / 'normal'}", f"--data={folders / 'data'}", f"--out={out}"]
    arguments += ["--image_size=8", "--epochs=1", "--model=autoencoder"]
    for _ in range(2):  # the second call replaces the files of the first
        status, err = call(capsys, *arguments)
        assert status == 0 and "1 of 6 images cannot be read" in err and "broken.png" in err
    with out.open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["file"] for row in rows] == ["0.png", "1.png", "2.png", "3.png", "more/odd.jpg"]
    scores = [float(row["score"]) for row in rows]
    assert np.argmax(scores) == 4 and rows[4]["is_outlier"] == "1"
    assert float(rows[4]["probability"]) > 0.9
    maps = sorted(p.name for p in (out.parent / "scores-heat_maps").rglob("*.png"))
    assert maps == [f"{i}.png.heat_map.png" for i in range(4)] + ["odd.jpg.heat_map.png"]
    page = out.with_suffix(".html").read_text()
    assert "5 pictures" in page and "The strangest" in page


def test_nothing_of_others_is_overwritten(capsys, folders, eagerly):
    (folders / "scores-heat_maps").mkdir()
    (folders / "scores-heat_maps" / "mine.txt").write_text("")
    arguments = [f"--normal={folders / 'normal'}", f"--data={folders / 'data'}", "--image_size=8"]
    arguments += [f"--out={folders / 'scores.csv'}", "--epochs=1", "--model=autoencoder"]
    status, err = call(capsys, *arguments)
    assert status == 2 and "is not a folder of heat maps" in err
    assert not (folders / "scores.csv").exists()


@pytest.mark.parametrize(
    "arguments, message",
    [
        ([], "give --normal=DIR"),
        (["--data=none"], "holds no PNG or JPEG files|cannot read the folder"),
        (["--out=scores.txt"], "--out=.*must end in .csv"),
        (["--false_alarm_rate=2"], "--false_alarm_rate=2.0: it must be a float in"),
        (["--channels=2"], "--channels=2: choose 1"),
        (["--image_size=4"], "image_size"),
    ],
)
def test_mistakes_in_the_command(capsys, folders, arguments, message):
    given = [f"--normal={folders / 'normal'}", f"--data={folders / 'data'}"] if arguments else []
    status, err = call(capsys, *given, *arguments)
    assert status == 2 and err.count("\n") == 1
    assert re.search(message, err), err


def test_pictures_of_a_folder(folders):
    files = files_of(folders / "data")
    assert [file.name for file in files] == [
        "0.png", "1.png", "2.png", "3.png", "broken.png", "odd.jpg",
    ]  # fmt: skip
    assert all_grey(files)
    good, images = read(files, (6, 5), 3)
    assert len(good) == 5 and images.shape == (5, 6, 5, 3) and images.dtype == np.uint8
    assert np.abs(images[4].astype(int) - 250).max() < 3


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
