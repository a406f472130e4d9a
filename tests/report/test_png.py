import sys

import numpy as np
import pandas as pd
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.text import Text
from PIL import Image

from tf_bigan.errors import UserError
from tf_bigan.report import Figure, Report, Section, Table, report_png

RNG = np.random.default_rng(0)
MEANS = pd.DataFrame({"trained": {"kernel_distance": 0.0012, "NND": 4.614}, "floor": {"NND": 3.0}})


def figure(width="third", channels=1, shape=(90, 90), title="Samples"):
    picture = RNG.integers(0, 200, (*shape, channels), np.uint8)
    return Figure(title, "G(z)", picture, width)


def report(*figures, tables=None, title="A title"):
    tables = [Table("Metrics", MEANS)] if tables is None else tables
    return Report(title, tables=tables, sections=[Section("s", figures, {})])


def drawn(path, *arguments, **options):
    report_png(path / "a.png", *arguments, **options)
    assert [file.name for file in path.iterdir()] == ["a.png"]
    return np.asarray(Image.open(path / "a.png"))


def test_the_whole_report(tmp_path):
    wide = figure("full", 3, (60, 240))
    whole = report(figure(), figure(channels=3), figure(), wide, figure("map", 4))
    picture = drawn(tmp_path, whole, dpi=50)
    # Three columns of 5.4 inches; a title, two rows of panels and a wide picture of a quarter.
    height = 0.6 + 2 * 5.4 + (0.5 + (3 * 5.4 - 0.4) / 4)
    assert picture.shape[1:] == (810, 3) and picture.shape[0] == pytest.approx(50 * height, abs=2)
    assert 0.2 < (picture < 250).any(axis=2).mean() < 0.9  # neither blank nor filled


@pytest.mark.parametrize(("width", "columns"), [("third", 1), ("map", 2), ("full", 3)])
def test_a_single_figure(tmp_path, width, columns):
    picture = drawn(tmp_path, report(figure(width), tables=()), dpi=50)
    assert picture.shape[1] == columns * 270
    assert (picture < 250).mean() > 0.1


def test_values_and_names(tmp_path, monkeypatch):
    canvases, draw = [], FigureCanvasAgg.draw

    def kept(canvas):
        canvases.append(canvas.figure)
        draw(canvas)

    monkeypatch.setattr(FigureCanvasAgg, "draw", kept)
    drawn(tmp_path, report(figure()), dpi=40)
    texts = {text.get_text() for text in canvases[0].findobj(Text)}
    shown = {"A title", "Samples", "G(z)", "trained", "floor", "NND", "0.0012", "4.61", "3.00", "–"}
    assert shown <= texts


def test_names_that_are_not_utf_8_and_dollars(tmp_path):
    drawn(tmp_path, report(figure(title="$x"), title="b\udcff $5 and $6"), dpi=40)


def test_pyplot_is_left_alone(tmp_path):
    drawn(tmp_path, report(figure()), dpi=40)
    pyplot = sys.modules.get("matplotlib.pyplot")
    assert pyplot is None or not pyplot.get_fignums()


def test_nothing_to_draw(tmp_path):
    with pytest.raises(ValueError, match="^report: expected a figure or a table"):
        report_png(tmp_path / "a.png", Report("empty"))
    assert not list(tmp_path.iterdir())


def test_a_directory_is_made_and_a_file_in_its_place_is_named(tmp_path):
    report_png(tmp_path / "new" / "a.png", report(), dpi=40)
    assert (tmp_path / "new" / "a.png").exists()
    with pytest.raises(UserError, match="cannot write .*a.png/b.png: Not a directory"):
        report_png(tmp_path / "new" / "a.png" / "b.png", report(), dpi=40)
