"""The tables of several models, from values made up here; and which models a command names."""

import json
import os
import re

import pandas as pd
import pytest

from tf_bigan.errors import UserError
from tf_bigan.run.compare import lines, tables, write
from tf_bigan.run.config import Config
from tf_bigan.run.measure import Measured, Result
from tf_bigan.run.trained import Trained, trained_files, trained_runs
from tf_bigan.run.workdir import Workdir


def long(nested, outer, inner):
    """{outer: {inner: a value for each seed}} as records."""
    rows = [
        {outer: a, inner: b, "seed": seed, "value": value}
        for a, columns in nested.items()
        for b, values in columns.items()
        for seed, value in enumerate(values)
    ]
    return pd.DataFrame(rows, columns=["column", "metric", "seed", "value"])


def result(name, columns, *, data="d", file=None, left_out=None, histograms=None, **options):
    shares = long(histograms or {}, "metric", "column")
    measured = Measured(long(columns, "column", "metric"), shares, left_out or {}, [])
    trained = Trained(name, Config(**options), Workdir(name), file)
    return Result(trained, measured, [], "BiGAN", 1, "test", "9 images", data)


def values(table, heading):
    """{metric: (mean, standard deviation or None)} of a column."""
    return {
        metric: (
            mean,
            None
            if pd.isna(table.spreads.loc[metric, heading])
            else table.spreads.loc[metric, heading],
        )
        for metric, mean in table.means[heading].items()
        if not pd.isna(mean)
    }


FLOOR = {"floor": {"recall": [0.9]}, "noise": {"recall": [0.1]}}


def test_models_then_means_of_runs_then_what_to_read_them_by():
    (table,) = tables(
        [
            result("x-0", {"trained": {"recall": [0.2, 0.4]}, **FLOOR}, seed=0),
            result("x-1", {"trained": {"recall": [0.6], "density": [1.0]}, **FLOOR}, seed=1),
            result("other", {"trained": {"recall": [0.5]}, **FLOOR}, seed=1, width=7),
        ]
    )
    assert list(table.means) == ["x-0", "x-1", "other", "x, 2 runs", "floor", "noise"]
    # The spread of the mean is that between the runs' means, not that of their measurements.
    root = 2**0.5
    assert values(table, "x, 2 runs") == {"recall": pytest.approx((0.45, 0.3 / root))}
    assert values(table, "x-0") == {"recall": pytest.approx((0.3, 0.2 / root))}
    assert values(table, "noise") == {"recall": (0.1, None)}
    assert table.emphasised == 3


@pytest.mark.parametrize(
    ("names", "headings"),
    [
        (
            ["latent16-0", "latent16-1", "latent64-0", "latent64-1"],
            ["latent16, 2 runs", "latent64, 2 runs"],
        ),
        (["x-10", "x-11", "y7", "y17"], ["x, 2 runs", "y, 2 runs"]),
        (["0/a", "1/a", "0/b", "1/b"], ["mean, 2 runs", "0/b, 2 runs"]),
    ],
)
def test_every_mean_of_runs_has_a_column(names, headings):
    results = [
        result(name, {"trained": {"recall": [i]}}, seed=i % 2, latent_dim=16 + i // 2)
        for i, name in enumerate(names)
    ]
    (table,) = tables(results)
    assert list(table.means) == names + headings
    means = [values(table, heading)["recall"] for heading in headings]
    assert means == [pytest.approx((0.5, 0.5**0.5)), pytest.approx((2.5, 0.5**0.5))]


def test_other_data_have_no_common_floor():
    one, two = ({"trained": {"recall": [0.2]}, **FLOOR} for _ in range(2))
    (table,) = tables([result("a", one), result("b", two, data="e")])
    assert list(table.means) == ["a", "b"]


def test_runs_whose_seed_draws_the_images_share_no_mean_of_their_samples(tmp_path):
    def of(name, data, **options):
        values = {"recall": [0.2], "EGr": [float(len(data))]}
        return result(name, {"trained": values}, data=data, **options)

    alike = [of("x-0", "d", seed=0), of("x-1", "d", seed=1)]
    results = [*alike, of("y-0", "d", seed=0, width=7), of("y-1", "eee", seed=1, width=7)]
    model, samples = tables(results)
    assert values(model, "y, 2 runs") == {"EGr": pytest.approx((2.0, 2**0.5))}
    assert "x, 2 runs" in model.means
    assert values(samples, "x, 2 runs") == {"recall": (pytest.approx(0.2), 0)}
    assert "y, 2 runs" not in samples.means
    told = "measured on different data: 9 images (with different training or held-out images)"
    spread = "their standard deviation includes that of the data"
    write(results, Workdir(tmp_path), {"samples": 9, "seeds": [0]})
    markdown = (tmp_path / "comparison.md").read_text(encoding="utf-8")
    page = (tmp_path / "report.html").read_text(encoding="utf-8")
    for text in ("\n".join(lines(results)), markdown):
        assert told in text and spread in text
    assert "9 images (with different training or held-out images), with" in page
    assert spread in page
    assert not any("data" in line for line in lines(alike))


def test_untrained_models_that_are_the_same_show_once():
    columns = {"trained": {"recall": [0.2]}, "untrained": {"recall": [0.1]}}
    (table,) = tables([result("a", columns), result("b", columns, width=3)])
    assert list(table.means) == ["a", "b", "untrained a"]
    (table,) = tables([result("a", columns)])
    assert list(table.means) == ["trained", "untrained"]


def test_classes_of_samples_stand_below_their_metrics(tmp_path):
    def of(name, *trained, **others):
        shares = {"held-out": [0.5], "trained": trained} | others
        rest = {column: [1 - share for share in values] for column, values in shares.items()}
        return result(
            name,
            {"trained": {"recall": [0.2]}},
            data="e" if others else "d",
            histograms={"cat <3": shares, "dog": rest},
        )

    options = {"samples": 9, "seeds": [0, 1]}
    write([of("a", 0.25, 0.75), of("b", 0), of("c", 1, floor=[0.4])], Workdir(tmp_path), options)
    page = (tmp_path / "report.html").read_text(encoding="utf-8")
    (section,) = re.findall("<h2>Samples.*?</section>", page, re.DOTALL)
    tables = re.findall("<table>.*?</table>", section, re.DOTALL)
    cells = [[re.findall(r">([^<\n]+)<", row) for row in t.split("<tr>")[1:]] for t in tables]
    assert cells[0][1][0].startswith("recall")
    assert cells[1:] == [
        [
            ["cat &lt;3", "dog"],
            ["a", "50.00 ± 35.36", "50.00 ± 35.36"],
            ["b", "0.00", "100.00"],
            ["held-out", "50.00", "50.00"],
        ],
        [
            ["cat &lt;3", "dog"],
            ["c", "100.00", "0.00"],
            ["held-out", "50.00", "50.00"],
            ["floor", "40.00", "60.00"],
        ],
    ]
    assert section.count("% of the images that the classifier assigns to each class.") == 2


def test_what_is_left_out_is_noted():
    reasons = {"density": "needs labels"}
    (table,) = tables([result("a", {"trained": {"recall": [0.2]}}, left_out=reasons)])
    assert table.notes == ["Left out of a: density needs labels."]
    with pytest.raises(UserError, match="nothing can be measured: density needs labels"):
        tables([result("a", {"trained": {}}, left_out=reasons)])


@pytest.fixture
def runs(tmp_path):
    for path in ("a/run", "b/run", "b/other"):
        root = tmp_path / path
        (root / "checkpoints").mkdir(parents=True)
        (root / "checkpoints" / "best.keras").touch()
        record = {"config": {"dataset": "mnist", "latent_dim": len(path)}}
        (root / "config.json").write_text(json.dumps(record))
    (tmp_path / "b" / "none").mkdir()
    return tmp_path


def test_runs_by_names_and_patterns(runs):
    def found(text, **changes):
        return {s.name: s.config for s in trained_runs(text, changes)}

    assert list(found(f"{runs}/b/*")) == ["other", "run"]
    configs = found(f"{runs}/b/run,{runs}/a/run,{runs}/b/../b/run", dataset="digits", channels=None)
    assert list(configs) == ["b/run", "a/run"]  # no more of a path than tells them apart
    assert {config.dataset for config in configs.values()} == {"digits"}
    for text in ("", f"{runs}/b/run,", f",{runs}/b/run"):
        with pytest.raises(UserError, match=f"^--workdir={text}: a name is empty; separate"):
            found(text)
    with pytest.raises(UserError, match=r"--workdir=.*/c\*: there is no run"):
        found(f"{runs}/c*")
    with pytest.raises(UserError, match="none holds no run"):
        found(f"{runs}/b/none")


def test_files_are_measured_on_the_data_of_their_run(runs, monkeypatch):
    best = f"{runs}/b/other/checkpoints/best.keras"
    (trained,) = trained_files(best, {"dataset": None})
    assert (trained.name, trained.config.dataset, trained.config.latent_dim) == ("best", "mnist", 7)
    (trained,) = trained_files(best, {"dataset": "digits"})
    assert (trained.config.dataset, trained.config.latent_dim) == ("digits", 7)
    monkeypatch.chdir(runs / "b" / "other" / "checkpoints")
    monkeypatch.setenv("HOME", os.getcwd())
    assert trained_files("~/best.keras", {"dataset": None})[0].config.latent_dim == 7
    (trained,) = trained_files(f"best.keras,./best.keras,{best}", {"dataset": None})
    assert trained.config.latent_dim == 7
    (runs / "alone.keras").touch()
    with pytest.raises(UserError, match="--model needs --dataset"):
        trained_files(f"{runs}/alone.keras", {"dataset": None})
    with pytest.raises(UserError, match="none.keras does not exist"):
        trained_files(f"{runs}/none.keras", {"dataset": "digits"})
    for text in ("", f"{best},", ".", f"{best},{runs}"):
        with pytest.raises(
            UserError, match="^--model=.* (does not exist|is a directory|a name is empty)"
        ):
            trained_files(text, {"dataset": "digits"})


def test_history(tmp_path):
    workdir = Workdir(tmp_path)
    assert workdir.read_history() == []
    workdir.history.write_text('{"epoch": 0, "EGr": 1}\n{"epoch": 1, "E')
    assert workdir.read_history() == [{"epoch": 0, "EGr": 1}]
    for text in (b"not what you think\n", b"3\n", b"\xff{}\n"):
        workdir.history.write_bytes(text)
        with pytest.raises(UserError, match="metrics.jsonl is not readable as metrics"):
            workdir.read_history()


def test_runs_that_differ_in_options_a_resumed_run_may_change_have_a_mean():
    options = [{"seed": 0, "keep": 3}, {"seed": 1, "keep": 9}]
    results = [
        result(f"x-{i}", {"trained": {"recall": [float(i)]}}, **o) for i, o in enumerate(options)
    ]
    (table,) = tables(results)
    assert values(table, "x, 2 runs")["recall"][0] == pytest.approx(0.5)
