import csv
import io
import math

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
    with pytest.raises(ValueError, match=r"^means: expected at least one"):
        format_table(columns)


SEVERAL = {"a": {"x": 2.0, "y": 2}, "b": {"x": 4.0}}, {"a": {"x": 2**0.5}}


def test_several_values_show_as_mean_and_standard_deviation():
    lines = format_table(*SEVERAL).splitlines()
    assert [line.split() for line in lines[1:]] == [
        ["x", "2.00", "±", "1.41", "4.00"],
        ["y", "2.00", "-"],
    ]


@pytest.mark.parametrize(
    ("mean", "spread", "text"),
    [
        (0.0, None, "0.00"), (0.5, None, "0.50"), (0.0123, None, "0.012"), (12.3, None, "12.30"),
        (-0.00046, None, "-0.00046"), (1e-12, None, "0.00"), (math.inf, None, "inf"),
        (96.29, 0.0141, "96.290 ± 0.014"), (1.0, 0.0, "1.00 ± 0.00"),
        (-1e-12, None, "0.00"), (-0.001, 0.2, "0.00 ± 0.20"),
        (20.0, 14.142, "20.00 ± 14.14"), (0.00123, 0.0, "0.0012 ± 0.0000"),
    ],
)  # fmt: skip
def test_small_numbers_keep_two_digits(mean, spread, text):
    spreads = None if spread is None else {"a": {"x": spread}}
    (line,) = format_table({"a": {"x": mean}}, spreads).splitlines()[1:]
    assert line.removeprefix("x").strip() == text


def test_metrics_have_the_decimals_of_the_registry():
    means = {"a": {"coverage": 0.5, "classes_covered": 10.0, "NND": 4.608}}
    lines = format_table(means).splitlines()[1:]
    assert [line.split()[1] for line in lines] == ["0.500", "10", "4.61"]


def test_markdown():
    assert markdown_table(*SEVERAL).splitlines() == [
        "| metric | a | b |",
        "| --- | ---: | ---: |",
        "| x | 2.00 ± 1.41 | 4.00 |",
        "| y | 2.00 |  |",
    ]
    assert markdown_table({"a|b": {"x": 1.0}}).startswith("| metric | a\\|b |\n")


def test_csv_has_full_precision_and_the_spread_where_there_is_one():
    means, spreads = SEVERAL
    third = {"a, b": {"x": 2 / 3}}
    rows = list(csv.reader(io.StringIO(csv_table(means | third, spreads | {"a, b": {"x": 0.5}}))))
    assert rows[0] == ["metric", "a", "a sd", "b", "a, b", "a, b sd"]
    assert rows[1][:2] == ["x", "2.0"] and float(rows[1][2]) == pytest.approx(2**0.5)
    assert rows[1][4] == repr(2 / 3)
    assert rows[2] == ["y", "2.0", "", "", "", ""]
