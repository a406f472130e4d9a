"""Rounds, tables and the page of the throughput benchmark."""

import os
import sys

import pytest

from benchmarks import agreement, isa, pages, throughput
from benchmarks.setting import SETTINGS, Setting

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


def test_what_the_penalty_costs():
    rates = RATES | {"tf_bigan mixed_bfloat16, R1": [2400.0, 1600.0, 500.0]}
    text = pages.section(SETTING, rates, DEFAULT)
    assert "- itself with the default penalty, R1: 1.25× (1.25–2.00)" in text
    assert "the default penalty" not in pages.section(SETTING, RATES, DEFAULT)


def test_only_the_default_networks_have_the_default_penalty(monkeypatch):
    monkeypatch.setattr(throughput.importlib.util, "find_spec", lambda name: None)  # of PyTorch
    of = {s.name: throughput.variants(s, ("mixed_bfloat16", False)) for s in SETTINGS}
    penalised = [name for name, makers in of.items() if f"{DEFAULT}, R1" in makers]
    assert penalised == ["conv28", "conv64"]
    assert all(DEFAULT in makers and "Keras fit float32" in makers for makers in of.values())


def test_a_limit_of_the_instructions_starts_the_program_again_once(monkeypatch):
    started = []
    monkeypatch.setattr(os, "execve", lambda *arguments: started.append(arguments))
    monkeypatch.setattr(sys, "argv", ["throughput.py", "--isa=avx2", "--only=conv28"])
    for name in isa.LIMITS["avx2"]:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("XLA_FLAGS", "--xla_a=b")
    assert not isa.limited(None, "benchmarks.throughput") and not started
    isa.limited("avx2", "benchmarks.throughput")
    ((program, arguments, environment),) = started
    assert program == arguments[0] == sys.executable
    assert arguments[1:] == ["-m", "benchmarks.throughput", "--isa=avx2", "--only=conv28"]
    assert environment["ONEDNN_MAX_CPU_ISA"] == "AVX2"
    assert environment["XLA_FLAGS"] == "--xla_a=b --xla_cpu_max_isa=AVX2"
    monkeypatch.setattr(os, "environ", environment)
    assert isa.limited("avx2", "benchmarks.throughput") and len(started) == 1
    assert "without instructions beyond AVX2: ONEDNN_MAX_CPU_ISA=AVX2, " in isa.note("avx2")
    assert isa.note(None) == ""


def test_variants_take_turns_in_rounds_of_equal_length():
    class Fake:
        def __init__(self, name, pace):
            self.name, self.pace = name, pace

        def seconds_of(self, steps):
            calls.append((self.name, steps))
            return steps * self.pace

    calls = []
    makers = {"fast": lambda: Fake("fast", 0.01), "slow": lambda: Fake("slow", 0.5)}
    rates, left_out = throughput.measure(makers, batch=10, rounds=3, seconds=2.0)
    assert left_out == []
    assert rates == {"fast": pytest.approx([1000.0] * 3), "slow": pytest.approx([20.0] * 3)}
    rounds = [sorted(calls[i : i + 2]) for i in range(len(calls) - 6, len(calls), 2)]
    assert rounds == [[("fast", 200), ("slow", 4)]] * 3


def test_a_peer_that_computes_something_else_is_not_timed():
    class Fake:
        def seconds_of(self, steps):
            return 0.01 * steps

    def wrong():
        raise agreement.Disagreement("its loss of D is 0.5, not 0.7")

    rates, left_out = throughput.measure({"wrong": wrong, "right": Fake}, 10, 2, 1.0)
    assert list(rates) == ["right"]
    assert left_out == ["wrong is left out: its loss of D is 0.5, not 0.7."]


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
