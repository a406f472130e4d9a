"""Rounds, tables and the page of the throughput benchmark."""

import pytest

from benchmarks import pages, throughput
from benchmarks.setting import Setting

SETTING = Setting("s", "A setting", "paper", 100)
DEFAULT = "tf_bigan mixed_bfloat16"
RATES = {
    DEFAULT: [3000.0, 2000.0, 1000.0],
    "Keras fit float32": [1000.0, 1000.0, 250.0],
    "PyTorch float32 eager": [1500.0, 500.0, 500.0],
    "PyTorch bfloat16 compiled": [2000.0, 1000.0, 1000.0],
    "limit bfloat16": [4000.0, 4000.0, 4000.0],
}


def test_ratios_are_taken_within_rounds():
    text = pages.section(SETTING, RATES, DEFAULT)
    assert "| **tf_bigan mixed_bfloat16** (default) | 2,000 (1,000–3,000) | 50.0 |" in text
    assert "| Keras fit float32 | 1,000 (250–1,000) | 100.0 | 3.00× (2.00–4.00) |" in text
    assert "PyTorch variant, PyTorch bfloat16 compiled: 1.50× (1.00–2.00)" in text
    assert "`fit` with its defaults: 3.00× (2.00–4.00)" in text
    assert "limit in its precision: 50 % (25–75 %)" in text


def test_a_table_without_the_default_has_no_ratios():
    text = pages.section(SETTING, {"limit float32": [200.0]}, DEFAULT)
    assert "| limit float32 | 200 (200–200) | 500.0 |  |" in text
    assert "compared with" not in text


def test_variants_take_turns_in_rounds_of_equal_length():
    class Fake:
        def __init__(self, name, pace):
            self.name, self.pace = name, pace

        def seconds_of(self, steps):
            calls.append((self.name, steps))
            return steps * self.pace

    calls = []
    makers = {"fast": lambda: Fake("fast", 0.01), "slow": lambda: Fake("slow", 0.5)}
    rates = throughput.measure(makers, batch=10, rounds=3, seconds=2.0)
    assert rates == {"fast": pytest.approx([1000.0] * 3), "slow": pytest.approx([20.0] * 3)}
    rounds = [sorted(calls[i : i + 2]) for i in range(len(calls) - 6, len(calls), 2)]
    assert rounds == [[("fast", 200), ("slow", 4)]] * 3


def test_the_marked_block_is_replaced(tmp_path):
    page = tmp_path / "page.md"
    page.write_text("before\n<!-- a: begin -->\nold\n<!-- a: end -->\nafter\n")
    pages.write(page, "a", "new")
    assert page.read_text() == "before\n<!-- a: begin -->\nnew\n<!-- a: end -->\nafter\n"


def test_a_page_without_the_markers_is_refused(tmp_path):
    page = tmp_path / "page.md"
    page.write_text("<!-- a: begin -->\n<!-- a: end -->\n")
    with pytest.raises(ValueError, match="<!-- b: begin -->"):
        pages.write(page, "b", "new")
    assert "new" not in page.read_text()
