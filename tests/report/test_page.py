import base64
import html.parser
import io
import re
import xml.etree.ElementTree as ElementTree

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from tf_bigan.report import Figure, Report, Section, Table, line_chart, report_html

RNG = np.random.default_rng(0)
PICTURE = RNG.integers(0, 256, (20, 30, 4), np.uint8)
CURVES = {"EGr": {"a": ([0, 1, 2], [3.0, 1.0, 2.0]), "b <&>": ([0, 2], [2.5, np.nan])}}


class Reader(html.parser.HTMLParser):
    """Checks that tags close in the order in which they open; collects links."""

    def __init__(self, text):
        super().__init__()
        self.open, self.links, self.tags, self.text = [], [], [], ""
        self.feed(text)
        assert not self.open

    def handle_starttag(self, tag, attributes):
        self.tags.append(tag)
        self.links += [v for name, v in attributes if name in ("src", "href")]
        if tag not in ("meta", "img", "br"):
            self.open.append(tag)

    def handle_startendtag(self, tag, attributes):
        self.tags.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.text += data


@pytest.fixture
def page(tmp_path):
    means = pd.DataFrame({"one": {"EGr": 1.5, "own <b>": 3}, "two": {"EGr": 4.0}})
    spreads = pd.DataFrame({"one": {"EGr": 0.5**0.5}})
    report = Report(
        title="A <title> & more",
        facts="of $5 and 3 % {{here}}",
        tables=[Table("Metrics", means, spreads, ["a note"])],
        curves=CURVES,
        sections=[Section("Model", [Figure("Map", "note", PICTURE, "map")], {"set": "a<b"})],
    )
    report_html(tmp_path / "report.html", report)
    assert [path.name for path in tmp_path.iterdir()] == ["report.html"]
    return (tmp_path / "report.html").read_text(encoding="utf-8")


@pytest.mark.smoke
def test_it_is_whole_and_needs_no_other_file(page):
    reader = Reader(page)
    anchors = [link for link in reader.links if link.startswith("#")]
    assert all(f'id="{anchor[1:]}"' in page for anchor in anchors) and len(anchors) == 3
    assert all(link.startswith(("#", "data:image/png")) for link in reader.links)
    assert "script" not in reader.tags and "link" not in reader.tags
    assert not re.search(r"@import|url\(|https?://", page)
    assert "prefers-color-scheme: dark" in page
    assert not re.search(r"{{|{%", page.replace("{{here}}", ""))  # nothing of the template is left


def test_text_is_escaped(page):
    text = Reader(page).text
    for part in ("A <title> & more", "of $5 and 3 % {{here}}", "own <b>", "b <&>", "a<b", "a note"):
        assert part in text


def test_values_pictures_and_meanings(page):
    assert '<td class="main">1.50 ± 0.71</td><td class="reference">4.00</td>' in page
    assert '<td class="main">3.00</td><td class="reference">–</td>' in page
    assert "EGr ↓" in page and "of held-out images" in page
    (encoded,) = re.findall(r'src="data:image/png;base64,([^"]+)"', page)
    np.testing.assert_array_equal(Image.open(io.BytesIO(base64.b64decode(encoded))), PICTURE)


def test_a_chart_is_a_linear_picture_of_its_numbers():
    chart = ElementTree.fromstring(line_chart("EGr", CURVES["EGr"]))
    points = [
        tuple(map(float, point.split(",")))
        for point in chart.find("polyline[@class='line-0']").get("points").split()
    ]
    (x0, top_value), (x1, low_value), (x2, middle) = points
    assert x1 - x0 == pytest.approx(x2 - x1, abs=0.11) and x1 > x0
    assert top_value < middle < low_value  # y points down
    assert middle == pytest.approx((top_value + low_value) / 2, abs=0.11)
    labels = [text.text for text in chart.findall("text")]
    assert labels == ["EGr", "1", "2", "3", "0", "2"]
    assert len(chart.findall("circle")) == 2  # the point that is no number is left out


def test_a_run_has_the_colour_of_the_legend_in_every_chart(tmp_path):
    line = ([0, 1], [1.0, 2.0])
    curves = {"loss": {"a": line, "b": line}, "EGr": {"a": line, "c": line}}
    report_html(tmp_path / "a.html", Report("x", curves=curves))
    page = (tmp_path / "a.html").read_text(encoding="utf-8")
    legend = re.findall(r'<i style="background: ([^"]+)"></i>(\w)', page)
    for chart in re.findall(r"<svg.*?</svg>", page):
        lines = re.findall(r'<polyline class="([^"]+)" [^>]+><title>(\w)', chart)
        colours = [re.search(rf"\.{name} {{ stroke: ([^;]+);", page)[1] for name, _ in lines]
        title = re.search('aria-label="([^"]+)"', chart)[1]
        assert [run for _, run in lines] == list(curves[title])
        assert set(zip(colours, curves[title], strict=True)) <= set(legend), title
    assert len(legend) == len({colour for colour, _ in legend}) == 3


def test_tables_of_one_title_share_a_section(tmp_path):
    tables = [Table(title, pd.DataFrame({"a": {name: 1.0}})) for title, name in ("Px", "Qy", "Pz")]
    report_html(tmp_path / "a.html", Report("x", tables=tables))
    page = (tmp_path / "a.html").read_text(encoding="utf-8")
    assert re.findall(r"(?:<h2>|<tr><th>)(\w)", page) == ["P", "x", "z", "Q", "y"]


def test_a_chart_of_one_point_and_of_none():
    assert 'cx="' in line_chart("a", {"b": ([3], [1.0])})
    assert 'cx="' in line_chart("a", {"b": ([3], [-7e19])})  # to which 0.5 adds nothing
    with pytest.raises(ValueError, match="^lines: expected at least one finite point"):
        line_chart("a", {"b": ([0, 1], [np.nan, np.inf])})


def test_nothing_is_left_of_a_page_that_fails(tmp_path):
    figure = Figure("a", "b", PICTURE.astype(float))
    with pytest.raises(ValueError, match="^picture: expected uint8"):
        report_html(tmp_path / "a.html", Report("x", sections=[Section("s", [figure], {})]))
    with pytest.raises(ValueError, match="^means: expected at least one"):
        report_html(tmp_path / "a.html", Report("x", tables=[Table("t", pd.DataFrame())]))
    assert not list(tmp_path.iterdir())
