import pytest

from tf_bigan.evaluation import format_table


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
