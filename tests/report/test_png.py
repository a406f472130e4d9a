import sys

import numpy as np
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.text import Text
from PIL import Image

from tf_bigan.errors import UserError
from tf_bigan.report import report_png

RNG = np.random.default_rng(0)


def parts(height=8, width=8, channels=1):
    def images(*count):
        return RNG.random((*count, height, width, channels)).astype(np.float32)

    return {
        "samples": images(30),
        "originals": images(12),
        "reconstructions": images(12),
        "interpolations": images(3, 6),
        "codes": RNG.normal(size=(80, 5)),
        "labels": RNG.integers(0, 10, 80),
        "metrics": {"trained": {"NND": 4.6, "EGr": 7.3}, "untrained": {"NND": 13.4}},
    }


@pytest.mark.parametrize("shape", [(8, 8, 1), (20, 31, 3)])
def test_the_whole_report(tmp_path, shape):
    report_png(tmp_path / "report.png", **parts(*shape), title="A title", dpi=50)
    picture = np.asarray(Image.open(tmp_path / "report.png"))
    assert picture.shape == (570, 810, 3)  # (2 * 5.4 + 0.6) by 3 * 5.4 inches
    assert 0.2 < (picture < 250).any(axis=2).mean() < 0.9  # neither blank nor filled
    assert [path.name for path in tmp_path.iterdir()] == ["report.png"]


def test_a_part_is_drawn_where_it_is_given(tmp_path):
    for name, columns in [("samples", 1), ("interpolations", 1), ("codes", 2), ("metrics", 1)]:
        report_png(tmp_path / "report.png", **{name: parts()[name]}, dpi=50)
        picture = np.asarray(Image.open(tmp_path / "report.png"))
        assert picture.shape == (300, columns * 270, 3), name
        assert (picture < 250).mean() > 0.005, name


@pytest.mark.parametrize(
    "labels",
    [None, RNG.integers(0, 100, 80), np.zeros(80, int)],
    ids=["none", "many classes", "one class"],
)
@pytest.mark.parametrize("latent", [1, 2, 30])
def test_maps(tmp_path, labels, latent):
    report_png(tmp_path / "a.png", codes=RNG.normal(size=(80, latent)), labels=labels, dpi=40)
    picture = np.asarray(Image.open(tmp_path / "a.png")).astype(int)
    assert (np.ptp(picture, axis=2) > 60).sum() > 100  # coloured dots on grey


def test_collapsed_codes(tmp_path, recwarn):
    report_png(tmp_path / "a.png", codes=np.ones((80, 5)), dpi=40)
    assert (tmp_path / "a.png").exists()
    assert not recwarn.list


def test_tsne_and_class_names(tmp_path):
    codes, labels = parts()["codes"], RNG.integers(0, 2, 80)
    names = ["T-shirt", "Trouser"]
    report_png(
        tmp_path / "a.png", codes=codes, labels=labels, class_names=names, projection="tsne", dpi=40
    )
    assert (tmp_path / "a.png").stat().st_size > 1000


def test_pyplot_is_left_alone(tmp_path):
    report_png(tmp_path / "a.png", **parts(), dpi=40)
    pyplot = sys.modules.get("matplotlib.pyplot")
    assert pyplot is None or not pyplot.get_fignums()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"reconstructions": None}, "expected both or neither"),
        ({"projection": "umap"}, "^projection: expected 'pca' or 'tsne', got 'umap'"),
        ({"labels": np.zeros(3, int)}, "^labels: expected 80 labels"),
        ({"samples": np.zeros((4, 8, 8, 2))}, "^samples: expected 1 or 3 channels, got 2"),
        ({"samples": np.full((4, 8, 8, 1), 2.0)}, "^samples: expected pixels in"),
        ({"interpolations": np.zeros((4, 8, 8, 1))}, r"^interpolations: expected \[rows, steps"),
        ({"codes": np.full((80, 5), np.nan)}, "^codes: .* NaN"),
        ({"codes": np.zeros((1, 5)), "labels": None}, "^codes: expected at least 2 rows"),
    ],
)
def test_bad_input(tmp_path, change, message):
    with pytest.raises(ValueError, match=message):
        report_png(tmp_path / "a.png", **{**parts(), **change}, dpi=40)
    assert not list(tmp_path.iterdir())


def test_small_values_and_the_way_of_z_in_words(tmp_path, monkeypatch):
    figures, draw = [], FigureCanvasAgg.draw

    def kept(canvas):
        figures.append(canvas.figure)
        draw(canvas)

    monkeypatch.setattr(FigureCanvasAgg, "draw", kept)
    metrics = {"trained": {"kernel_distance": 0.0012, "NND": 4.614}, "floor": {"NND": 3}}
    drawn = {"interpolations": parts()["interpolations"], "metrics": metrics}
    report_png(tmp_path / "a.png", **drawn, path_name="slerp", dpi=40)
    texts = {text.get_text() for text in figures[0].findobj(Text)}
    assert {"0.0012", "4.61", "3.00", "–", "along the great circle between two z"} <= texts


def test_nothing_to_draw(tmp_path):
    with pytest.raises(ValueError, match="nothing to draw"):
        report_png(tmp_path / "a.png", title="empty")


def test_a_directory_is_made_and_a_file_in_its_place_is_named(tmp_path):
    report_png(tmp_path / "new" / "a.png", samples=parts()["samples"], dpi=40)
    assert (tmp_path / "new" / "a.png").exists()
    with pytest.raises(UserError, match="cannot write .*a.png/b.png: Not a directory"):
        report_png(tmp_path / "new" / "a.png" / "b.png", samples=parts()["samples"], dpi=40)
