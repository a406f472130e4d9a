"""The tables and files of evaluate.py: sets results side by side, and writes them."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path

from tf_bigan import report
from tf_bigan.atomic import atomically
from tf_bigan.errors import UserError
from tf_bigan.evaluation.registry import METRICS
from tf_bigan.report.table import mean
from tf_bigan.run.config import Config
from tf_bigan.run.measure import HELD_OUT, TRAINED, UNTRAINED
from tf_bigan.run.results import Result
from tf_bigan.run.workdir import Workdir

_TITLES = {"model": "Metrics", "generation": "Samples", "representation": "Representation"}
_HEADINGS = {HELD_OUT: "held-out", "ceiling_noise": "noise", "ceiling_collapsed": "one class"}
_CLASSES = ("% of the images that the classifier sees in each class.",)
_NOTES = {
    "generation": (
        "floor: training images in place of the samples; noise, one class: uniform pixels, and "
        "training images of a single class. The same number of images each time.",
    ),
    "representation": (
        "On E(x) before squashing; beside it the untrained encoder, raw pixels and their 50 "
        "principal components.",
    ),
}

_OTHER_IMAGES = (
    "Runs that differ in --seed alone have other training or held-out images each: the spread of "
    "their mean holds that of the data, and the metrics of samples, by a classifier of each run's "
    "own training images, have no mean."
)


def tables(results: Sequence[Result]) -> list[report.Table]:
    """One table for each group of metrics: a column a model, then what to read them by.

    Of several models, runs that differ in nothing but --seed have a column of their mean and the
    spread over the runs as well.
    """
    made = []
    for group, title in _TITLES.items():
        columns = _columns(results, group)
        if any(columns.values()):
            notes = _notes(results, group)
            made.append(report.Table(title, columns, notes, emphasised=len(results)))
    if not made:
        reasons = _joined(results[0].measured.left_out)
        raise UserError(f"nothing can be measured: {reasons}")
    return made


def _columns(results: Sequence[Result], group: str) -> dict[str, Mapping]:
    found = [(r.subject.name, r.measured.tables.get(group, {})) for r in results]
    if len(results) == 1:
        return {_HEADINGS.get(name, name): values for name, values in found[0][1].items()}
    columns = {name: table.get(TRAINED, {}) for name, table in found}
    columns |= _means_of_runs(results, columns)
    seen = []
    for name, table in found:
        values = table.get(UNTRAINED)
        if values and values not in seen:
            columns[f"untrained {name}"] = values
            seen.append(values)
    if _same_data(results):
        shared = next((table for _, table in found if table), {})
        columns |= {
            _HEADINGS.get(name, name): values
            for name, values in shared.items()
            if name not in (TRAINED, UNTRAINED)
        }
    return columns


def _same_data(results: Iterable[Result]) -> bool:
    return len({result.data_key for result in results}) == 1


def _groups_of_runs(results: Iterable[Result]) -> list[list[Result]]:
    """Two or more runs each, that differ in --seed alone."""
    groups: dict[Config, list[Result]] = {}
    for result in results:
        if result.subject.file is None:
            alike = result.subject.config.replace(seed=0, data_dir=None)
            groups.setdefault(alike, []).append(result)
    return [runs for runs in groups.values() if len(runs) > 1]


def _means_of_runs(results: Sequence[Result], columns: Mapping) -> dict[str, dict]:
    """Heading -> {name: a value for each run} of runs that differ in --seed alone."""
    means = {}
    for runs in _groups_of_runs(results):
        names = [run.subject.name for run in runs]
        headings = (f"{name}, {len(names)} runs" for name in (_common(names), *names))
        means[next(heading for heading in headings if heading not in means)] = {
            metric: [mean(columns[name][metric]) for name in names]
            for metric in columns[names[0]]
            if all(metric in columns[name] for name in names)
            and (_table_of(metric) != "generation" or _same_data(runs))
        }
    return {heading: values for heading, values in means.items() if values}


def _common(names: Sequence[str]) -> str:
    """What the names of runs begin with, without the first digits of a seed: "x" of x-10, x-11."""
    common = os.path.commonprefix(names)
    if any(name[len(common) :][:1].isdigit() for name in names):
        common = common.rstrip("0123456789")
    return common.rstrip("-_./") or "mean"


def _notes(results: Sequence[Result], group: str) -> list[str]:
    notes = []
    if any(len(result.measured.tables.get(group, ())) > 1 for result in results):
        notes += _NOTES.get(group, ())
    if group == "generation":
        notes += classifier_lines(results)
    notes += _notes_on_spread(results)
    for result in results:
        left_out = result.measured.left_out
        left_out = {n: r for n, r in left_out.items() if _table_of(n) == group}
        if left_out:
            notes.append(f"Left out of {result.subject.name}: {_joined(left_out)}.")
    return notes


def _notes_on_spread(results: Sequence[Result]) -> list[str]:
    return [] if all(map(_same_data, _groups_of_runs(results))) else [_OTHER_IMAGES]


def _table_of(name: str) -> str:
    group = METRICS[name].group
    return group if group in _TITLES else "model"


def _class_tables(results: Sequence[Result]) -> list[report.Table]:
    """For each data set the classes of its images and of samples: a column a class."""
    several = len(results) > 1
    judged = [result for result in results if result.measured.histograms]
    keys = dict.fromkeys(result.data_key for result in judged)
    return [_class_table([r for r in judged if r.data_key == key], several) for key in keys]


def _class_table(results: Sequence[Result], several: bool) -> report.Table:
    columns = {}
    for label, shares in results[0].measured.histograms.items():
        rows = {
            r.subject.name if several else TRAINED: r.measured.histograms[label][TRAINED]
            for r in results
        }
        rows |= {_HEADINGS.get(c, c): values for c, values in shares.items() if c != TRAINED}
        columns[label] = {name: [100 * value for value in values] for name, values in rows.items()}
    return report.Table(_TITLES["generation"], columns, _CLASSES, emphasised=0)


def _joined(left_out: Mapping[str, str]) -> str:
    return "; ".join(f"{name} {reason}" for name, reason in left_out.items())


def classifier_lines(results: Iterable[Result]) -> list[str]:
    """A line for each classifier that judged samples."""
    lines = [
        f"classifier of seed {c['seed']}: {c['accuracy']:.2f} % of unseen training images right, "
        f"digest {c['digest']}"
        for result in results
        for c in result.measured.classifiers
    ]
    return list(dict.fromkeys(lines))


def lines(results: Sequence[Result]) -> list[str]:
    """The tables for a terminal, and what they are to be read by.

    Raises UserError if there is nothing in them.
    """
    made = tables(results)
    text = []
    for table in made:
        heading = [] if len(made) == 1 else [table.title]
        text += [*heading, report.format_table(table.columns), ""]
    text += _notes_on_data(results) + _notes_on_spread(results)
    return text + classifier_lines(results)


def _notes_on_data(results: Sequence[Result]) -> list[str]:
    same = _same_data(results)
    return [] if same else [f"These were measured on different data: {_data(results)}."]


def _data(results: Sequence[Result]) -> str:
    """What the results were measured on; equal texts may stand for other images."""
    texts = dict.fromkeys(result.data for result in results)
    hidden = len({result.data_key for result in results}) > len(texts)
    more = " (training or held-out images not all the same)" if hidden else ""
    return " and ".join(texts) + more


def write(results: Sequence[Result], output: Workdir, options: Mapping) -> str:
    """Writes the results, and returns a line that says where the files are.

    metrics.json, report.png and report.html of one model; comparison.csv, comparison.md and
    report.html of several.

    Raises UserError if there is nothing to write, or no place for it.
    """
    made = tables(results)
    output.make()
    first = results[0]
    if len(results) == 1:
        title = f"{first.system} on {_dataset(first)}, step {first.step:,}"
        files = [output.metrics, output.report]
        _write(output.metrics, json.dumps(_record(first, options), indent=2) + "\n")
        first.gallery.write_png(output.report, _means(made[0].columns), title)
    else:
        title = f"{len(results)} models compared"
        files = [output.comparison_csv, output.comparison_markdown]
        _write(output.comparison_csv, report.csv_table(_merged(made)))
        _write(output.comparison_markdown, _markdown(title, results, made))
    report.report_html(
        output.page,
        title=title,
        facts=_facts(results, options),
        tables=[*made, *_class_tables(results)],
        curves=_curves(results),
        sections=[_section(result, len(results) == 1) for result in results],
    )
    *others, last = map(str, (*files, output.page))
    return f"wrote {', '.join(others)} and {last}"


def _write(path: Path, text: str):
    with atomically(path) as temporary:
        Path(temporary).write_text(text, encoding="utf-8", errors="backslashreplace")


def _dataset(result: Result) -> str:
    config = result.subject.config
    return config.target_dataset or config.dataset


def _record(result: Result, options: Mapping) -> dict:
    """metrics.json: means over the seeds, and with several of them each value."""
    found = result.measured
    values = dict(found.tables)
    if found.histograms:
        values["class_histogram"] = found.histograms
    means = {group: _means(table) for group, table in values.items()}
    record = {"dataset": _dataset(result), "split": result.split, "step": result.step, **options}
    record |= means.pop("model", {}) | means
    if found.classifiers:
        record["classifiers"] = found.classifiers
    if found.left_out:
        record["left_out"] = found.left_out
    if len(options["seeds"]) > 1:
        record["by_seed"] = values
    return record


def _means(columns: Mapping) -> dict[str, dict]:
    return {
        heading: {name: mean(value) for name, value in values.items()}
        for heading, values in columns.items()
    }


def _merged(made: Sequence[report.Table]) -> dict[str, dict]:
    """All rows of all tables under common headings."""
    merged: dict[str, dict] = {}
    for table in made:
        for heading, values in table.columns.items():
            merged.setdefault(heading, {}).update(values)
    return merged


def _markdown(title: str, results: Sequence[Result], made: Sequence[report.Table]) -> str:
    parts = [f"# {title}", ""]
    parts += [
        f"- {r.subject.name}: {r.system}, step {r.step:,}, measured on {r.data}" for r in results
    ]
    parts += [line for note in _notes_on_data(results) for line in ("", note)]
    for table in made:
        parts += ["", f"## {table.title}", "", report.markdown_table(table.columns)]
        parts += [line for note in table.note for line in ("", note)]
    return "\n".join(parts) + "\n"


def _facts(results: Sequence[Result], options: Mapping) -> str:
    seeds = ", ".join(map(str, options["seeds"]))
    several = "seeds" if len(options["seeds"]) > 1 else "seed"
    draws = f"{options['samples']:,} draws of z"
    return f"Measured on {_data(results)}, with {draws} and {several} {seeds}"


def _curves(results: Sequence[Result]) -> dict[str, dict]:
    """A chart for each measurement in metrics.jsonl, a line for each run."""
    charts: dict[str, dict] = {}
    for result in results:
        records = result.subject.workdir.read_history() if result.subject.workdir else []
        names = dict.fromkeys(name for record in records for name in record)
        for name in names:
            if name not in ("epoch", "step", "seconds"):
                points = [(r["epoch"], r[name]) for r in records if name in r]
                charts.setdefault(name, {})[result.subject.name] = tuple(zip(*points, strict=True))
    return charts


def _section(result: Result, alone: bool) -> report.Section:
    title = (
        "Pictures" if alone else f"{result.subject.name}: {result.system}, {result.step:,} steps"
    )
    config = {n: v for n, v in asdict(result.subject.config).items() if v is not None}
    return report.Section(title, result.gallery.figures(), config)
