"""Seconds to a quality: the clock, the goals, the table, and a restart."""

import sys
from math import inf

import pytest

from benchmarks import results, time_to_quality
from benchmarks.time_to_quality import follow, meets, seconds_to

POOR = {"NND": 9.0, "NNC_e": 50.0, "EGr": 9.0, "EGr_b": 9.0, "fd_classifier": 99.0}
POOR |= {"EGr/EGr_b": 1.0}
INVERTS = POOR | {"EGr/EGr_b": 0.30, "fd_classifier": 15.0}
OFFICIAL = POOR | {"EGr/EGr_b": 0.767, "NND": 4.61, "NNC_e": 95.4}
FIRST, SECOND = time_to_quality.GOALS.values()


class Clock:
    """Seconds that pass only where `wait` says so."""

    def __init__(self):
        self.seconds = 1000.0

    def __call__(self):
        return self.seconds

    def wait(self, seconds):
        self.seconds += seconds


def followed(values, limit=100.0, every=10.0, pace=2.0, evaluation=500.0):
    """The points of a training of `pace` seconds a step, and its steps."""
    clock, points, found, steps = Clock(), [], iter(values), []

    def train(after):
        while not steps or not after(len(steps)):
            clock.wait(pace)
            steps.append(pace)

    def measured():
        clock.wait(evaluation)  # which does not count
        return next(found)

    follow(train, measured, limit, every, points, clock)
    return points, len(steps)


def test_evaluations_stop_the_clock():
    points, steps = followed([POOR] * 9)
    # Each at least 10 seconds and a quarter later: after 10, 20, 30, 40, 50, 62.5, 80 (of steps of
    # 2 seconds), and 100, the limit.
    assert [point["seconds"] for point in points] == [10, 20, 30, 40, 50, 64, 80, 100]
    assert [point["step"] for point in points] == [5, 10, 15, 20, 25, 32, 40, 50] and steps == 50


def test_a_run_ends_when_all_goals_have_been_reached_not_necessarily_at_once():
    points, steps = followed([POOR, INVERTS, POOR, OFFICIAL, POOR])
    assert [point["seconds"] for point in points] == [10, 20, 30, 40] and steps == 20
    assert seconds_to(FIRST, points) == 20 and seconds_to(SECOND, points) == 40


def test_a_limit_before_the_first_evaluation_is_due():
    points, steps = followed([POOR], limit=5.0)
    assert [point["seconds"] for point in points] == [6] and steps == 3


def test_the_points_of_a_diverging_run_are_kept():
    points, clock = [], Clock()

    def train(after):
        for step in range(1, 9):
            clock.wait(10)
            after(step)
        raise ArithmeticError("loss_D became nan")

    with pytest.raises(ArithmeticError):
        follow(train, lambda: POOR, 100.0, 40.0, points, clock)
    assert [point["seconds"] for point in points] == [40, 80]


def test_each_bound_of_a_goal_counts():
    assert meets(INVERTS, FIRST) and not meets(INVERTS, SECOND)
    assert meets(OFFICIAL, SECOND) and not meets(OFFICIAL, FIRST)
    for values, goal, worse in (
        (INVERTS, FIRST, {"EGr/EGr_b": 0.301}),
        (INVERTS, FIRST, {"fd_classifier": 15.1}),
        (OFFICIAL, SECOND, {"NND": 4.62}),
        (OFFICIAL, SECOND, {"EGr/EGr_b": 0.768}),
        (OFFICIAL, SECOND, {"NNC_e": 95.3}),
    ):
        assert not meets(values | worse, goal)
    assert seconds_to(FIRST, [{"seconds": 3.0} | POOR]) == inf


def record(name, seed, *points, **others):
    points = [{"seconds": seconds, "step": 1} | values for seconds, values in points]
    return {"name": name, "seed": seed, "points": points, "ran_in": "float32 (why)"} | others


def test_table():
    records = [
        record("defaults", 0, (10, POOR), (20, INVERTS)),
        record("defaults", 1, (30, INVERTS), (40, POOR | {"NND": 5.0})),
        record("defaults", 2, (50, POOR)),
        record("keras", 0, (10, POOR | {"NNC_e": 60.0}), (90, POOR | {"NND": 8.0})),
        record("pytorch", 0, failed="NND: not finite"),
    ]
    head, line, ours, pytorch, keras = time_to_quality.table(records).splitlines()
    assert {row.count("|") for row in (head, line, ours, pytorch, keras)} == {11}
    # 20, 30 and never; the medians of the bests: .3, .3, 1 and 15, 15, 99 and 9, 5, 9.
    assert ours == (
        "| **tf_bigan**, `--dataset=mnist` | float32 | 30 (20–30, 2 of 3) | never "
        "| 0.300 | 15.0 | 9.00 | 50.0 | 40 | 3 |"
    )
    assert keras.endswith("| never | never | 1.000 | 99.0 | 8.00 | 60.0 | 90 | 1 |")
    assert pytorch.startswith(
        "| PyTorch, the official recipe (NND: not finite) | float32 | never |"
    )
    none_of_most = [record("keras", 0, (9, INVERTS)), *(record("keras", n) for n in (1, 2))]
    assert "| never (9–9, 1 of 3) | never |" in time_to_quality.table(none_of_most)
    # One seed has no range.
    assert "| float32 | 9 | never |" in time_to_quality.table(none_of_most[:1])


def test_a_restart_computes_only_what_is_missing(tmp_path, monkeypatch, capsys):
    ran = []

    def run(name, config, train, inputs, options):
        ran.append((name, config.seed))
        return record(name, config.seed, (12, POOR))

    monkeypatch.setattr(time_to_quality, "run", run)
    monkeypatch.setattr(time_to_quality, "images", lambda config, out: (None, None))
    monkeypatch.setattr(time_to_quality.importlib.util, "find_spec", lambda name: sys)
    monkeypatch.setattr(time_to_quality.hardware, "choose", lambda: ("float32", False, "a test"))
    monkeypatch.setattr(time_to_quality.keras.backend, "clear_session", lambda: None)

    def call(*arguments):
        ran.clear()
        out = ("--smoke", f"--out={tmp_path}", *arguments)
        assert time_to_quality.main(list(out)) == 0
        return ran

    assert call("--seeds=0", "--only=defaults,keras") == [("defaults", 0), ("keras", 0)]
    assert call("--seeds=0,1", "--only=keras,pytorch") == [
        *(("pytorch", 0), ("keras", 1), ("pytorch", 1)),
    ]
    assert call("--seeds=0,1", "--only=keras") == []
    assert call("--seeds=1", "--only=keras", "--limit=60") == [("keras", 1)]
    monkeypatch.setitem(time_to_quality.SMOKE, "width", 9)
    assert call("--seeds=0", "--only=defaults") == [("defaults", 0)]
    lines = results.read(tmp_path / "results.jsonl")
    assert len(lines) == 7
    for line in lines:
        assert line["settings"]["samples"] == 1000
    assert "| stock Keras `fit` | float32 | never |" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("argument", "message"),
    [
        ("--only=defaults,torch", "'torch' is none of defaults, best_mnist"),
        ("--seeds=a", "--seeds: invalid integers value: 'a'"),
        ("--write", "--write: a smoke run is not for the page"),
    ],
)
def test_mistakes(argument, message, capsys):
    with pytest.raises(SystemExit):
        time_to_quality.main(["--smoke", argument])
    assert message in capsys.readouterr().err


@pytest.mark.exhaustive
def test_from_end_to_end(tmp_path, capsys):
    arguments = ["--smoke", "--seeds=3", "--limit=2", "--every=1", f"--out={tmp_path}"]
    assert time_to_quality.main(arguments) == 0
    records = results.read(tmp_path / "results.jsonl")
    names = set(time_to_quality.TITLES)
    assert {r["name"] for r in records} | {"pytorch"} == names
    for one in records:
        assert "failed" not in one and one["points"]
        last = one["points"][-1]
        assert last["step"] >= 1
        assert 0 < last["NND"] < 8 and 0 < last["EGr"] < 8 and 5 < last["NNC_e"] <= 100
    capsys.readouterr()
    assert time_to_quality.main(arguments) == 0  # all stored
    assert len((tmp_path / "results.jsonl").read_text().splitlines()) == len(records)
