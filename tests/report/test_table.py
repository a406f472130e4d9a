import csv
import io

import pytest

from tf_bigan.report import csv_table, format_table, markdown_table


def test_layout():
    text = format_table({"trained": {"NND": 4.608, "NNC_e-": 96.28}, "untrained": {"NND": 13.44}})
    assert text.splitlines() == [
        "        trained  untrained",
        "NND        4.61      13.44",
        "NNC_e-    96.28          -",
    ]


def test_rows_come_from_every_column():
    lines = format_table({"a": {"x": 1.0}, "b": {"y": 2.0}}).splitlines()
    assert [line.split() for line in lines] == [["a", "b"], ["x", "1.00", "-"], ["y", "-", "2.00"]]


@pytest.mark.parametrize("columns", [{}, {"trained": {}}])
def test_nothing_to_show(columns):
    with pytest.raises(ValueError, match=r"^columns: expected at least one"):
        format_table(columns)


SEVERAL = {"a": {"x": [1.0, 3.0], "y": 2}, "b": {"x": [4.0]}}


def test_several_values_show_as_mean_and_standard_deviation():
    lines = format_table(SEVERAL).splitlines()
    assert [line.split() for line in lines[1:]] == [
        ["x", "2.00", "±", "1.41", "4.00"],
        ["y", "2.00", "-"],
    ]


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.0, "0.00"), (0.5, "0.50"), (0.0123, "0.012"), (-0.00046, "-0.00046"), (1e-12, "0.00"),
        ([96.28, 96.30], "96.290 ± 0.014"), ([1.0, 1.0], "1.00 ± 0.00"),
        ([10.0, 30.0], "20.00 ± 14.14"), ([0.00123, 0.00123], "0.0012 ± 0.0000"),
        (float("nan"), "nan"), (float("inf"), "inf"), ([1.0, float("nan")], "nan ± nan"),
    ],
)  # fmt: skip
def test_small_numbers_keep_two_digits(value, text):
    (line,) = format_table({"a": {"x": value}}).splitlines()[1:]
    assert line.removeprefix("x").strip() == text


def test_markdown():
    assert markdown_table(SEVERAL).splitlines() == [
        "| metric | a | b |",
        "| --- | ---: | ---: |",
        "| x | 2.00 ± 1.41 | 4.00 |",
        "| y | 2.00 |  |",
    ]


def test_csv_has_full_precision_and_the_spread_where_there_is_one():
    third = {"a, b": {"x": [1 / 3, 1.0]}}
    rows = list(csv.reader(io.StringIO(csv_table(SEVERAL | third))))
    assert rows[0] == ["metric", "a", "a sd", "b", "a, b", "a, b sd"]
    assert rows[1][:2] == ["x", "2.0"] and float(rows[1][2]) == pytest.approx(2**0.5)
    assert rows[1][4] == repr(2 / 3)
    assert rows[2] == ["y", "2.0", "", "", "", ""]
