"""The tables and files of evaluate.py, for one model or several."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path

import pandas as pd

from tf_bigan import report
from tf_bigan.atomic import atomically
from tf_bigan.errors import UserError
from tf_bigan.evaluation.registry import METRICS
from tf_bigan.run.measure import TRAINED, UNTRAINED, Result
from tf_bigan.run.workdir import Workdir

# The tables: key in metrics.json -> title. All other groups of metrics are in the first table.
_TITLES = {"model": "Metrics", "generation": "Samples", "representation": "Representation"}
_NOTES = {
    "generation": (
        "Reference values: floor, training images instead of samples; noise, uniform pixels; "
        "one class, training images of a single class. All have the same number of images.",
    ),
    "representation": (
        "On the last hidden layer of E. Reference values: the untrained encoder, raw pixels and "
        "their 50 principal components.",
    ),
}
_CLASSES = "% of the images that the classifier assigns to each class."
_RANDOM = "names that end with _random: in the features of an untrained network of fixed seed"
_OTHER_IMAGES = (
    "Runs that differ only in --seed have different training or held-out images: their standard "
    "deviation includes that of the data, and there is no mean of the generation metrics, because "
    "each run has its own classifier."
)


def tables(results: Sequence[Result]) -> list[report.Table]:
    """One table per group of metrics: one column per model, then the reference values.

    Runs that differ only in --seed also get a column with their mean and the standard deviation
    between the runs.

    Raises UserError if there are no values.
    """
    made = []
    for group, title in _TITLES.items():
        records = _headed(results, group)
        if len(records):
            notes = _notes(results, group)
            made.append(_table(title, records, notes, emphasised=len(results)))
    if not made:
        reasons = _joined(results[0].measured.left_out)
        raise UserError(f"nothing can be measured: {reasons}")
    return made


def _table(title: str, records: pd.DataFrame, notes: Sequence[str], emphasised: int):
    """Records with heading, metric and value -> a table of means and standard deviations."""
    cells = records.groupby(["metric", "heading"]).value
    order = {"index": records.metric.unique(), "columns": records.heading.unique()}
    means, spreads = (frame.unstack().reindex(**order) for frame in (cells.mean(), cells.std()))
    for frame in (means, spreads):
        frame.columns.name = frame.index.name = None
    return report.Table(title, means, spreads, notes, emphasised)


def _headed(results: Sequence[Result], group: str) -> pd.DataFrame:
    """The records of a table, with column headings, in order."""
    found = []
    for result in results:
        records = result.measured.records
        found.append(
            records[records.metric.map(_table_of) == group].rename(columns={"column": "heading"})
        )
    if len(results) == 1:
        return found[0]
    trained, untrained, others = [], [], []
    for result, records in zip(results, found, strict=True):
        name = result.trained.name
        trained.append(records[records.heading == TRAINED].assign(heading=name))
        fresh = records[records.heading == UNTRAINED]
        if len(fresh) and not any(
            fresh.value.tolist() == other.value.tolist() for other in untrained
        ):
            untrained.append(fresh.assign(heading=f"untrained {name}"))
        rest = records[~records.heading.isin((TRAINED, UNTRAINED))]
        if len(rest) and _same_data(results) and not others:
            others.append(rest)
    return pd.concat([*trained, *_means_of_runs(results, trained, group), *untrained, *others])


def _same_data(results: Iterable[Result]) -> bool:
    return len({result.data_key for result in results}) == 1


def _groups_of_runs(results: Iterable[Result]) -> list[list[Result]]:
    """Groups of two or more runs with equal numbers of steps that differ only in --seed.

    Options that a resumed run may change are ignored.
    """
    groups: list[list[Result]] = []
    for result in results:
        if result.trained.file is not None:
            continue
        config = result.trained.config.replace(seed=0)
        for runs in groups:
            first = runs[0]
            other = first.trained.config.replace(seed=0)
            if first.step == result.step and not other.differences(config):
                runs.append(result)
                break
        else:
            groups.append([result])
    return [runs for runs in groups if len(runs) > 1]


def _means_of_runs(
    results: Sequence[Result], trained: Sequence[pd.DataFrame], group: str
) -> list[pd.DataFrame]:
    """The values of runs that differ only in the seed, under a common heading."""
    found, headings = [], []
    by_name = {r.trained.name: records for r, records in zip(results, trained, strict=True)}
    for runs in _groups_of_runs(results):
        names = [run.trained.name for run in runs]
        choices = (f"{name}, {len(names)} runs" for name in (_common(names), *names))
        headings.append(next(heading for heading in choices if heading not in headings))
        if group == "generation" and not _same_data(runs):
            continue
        records = pd.concat([by_name[name] for name in names])
        values = records.groupby(["metric", "heading"], sort=False).value.mean().unstack().dropna()
        values = values.stack().rename("value").reset_index()
        found.append(values.assign(heading=headings[-1]))
    return found


def _common(names: Sequence[str]) -> str:
    """The common prefix of the names without the seed: "x" for x-10, x-11."""
    common = os.path.commonprefix(names)
    if any(name[len(common) :][:1].isdigit() for name in names):
        common = common.rstrip("0123456789")
    return common.rstrip("-_./") or "mean"


def _notes(results: Sequence[Result], group: str) -> list[str]:
    notes = []
    if any(_has_references(result, group) for result in results):
        notes += _NOTES.get(group, ())
    if group == "generation":
        notes += feature_lines(results)
    notes += _notes_on_spread(results)
    for result in results:
        left_out = result.measured.left_out
        left_out = {n: r for n, r in left_out.items() if _table_of(n) == group}
        if left_out:
            notes.append(f"Left out of {result.trained.name}: {_joined(left_out)}.")
    return notes


def _has_references(result: Result, group: str) -> bool:
    records = result.measured.records
    return records[records.metric.map(_table_of) == group].column.nunique() > 1


def _notes_on_spread(results: Sequence[Result]) -> list[str]:
    return [] if all(map(_same_data, _groups_of_runs(results))) else [_OTHER_IMAGES]


def _table_of(metric: str) -> str:
    group = METRICS[metric].group
    return group if group in _TITLES else "model"


def _class_tables(results: Sequence[Result]) -> list[report.Table]:
    """One table per data set with the class histograms of its images and of samples."""
    made = []
    measured = [result for result in results if len(result.measured.shares)]
    for key in dict.fromkeys(result.data_key for result in measured):
        alike = [result for result in measured if result.data_key == key]
        models, others = [], []
        for result in alike:
            shares = result.measured.shares
            name = result.trained.name if len(results) > 1 else TRAINED
            models.append(shares[shares.column == TRAINED].assign(column=name))
            others = others or [shares[shares.column != TRAINED]]
        shares = pd.concat([*models, *others])
        records = shares.rename(columns={"column": "metric", "metric": "heading"})
        records = records.assign(value=100 * records.value)
        made.append(_table(_TITLES["generation"], records, (_CLASSES,), emphasised=0))
    return made


def _joined(left_out: Mapping[str, str]) -> str:
    return "; ".join(f"{name} {reason}" for name, reason in left_out.items())


def feature_lines(results: Sequence[Result]) -> list[str]:
    """One line for each network in whose features samples were measured."""
    lines = [
        f"classifier of seed {c['seed']}: accuracy {c['accuracy']:.2f} % on held-out images, "
        f"digest {c['digest']}"
        for result in results
        for c in result.measured.classifiers
    ]
    if any(result.measured.records.metric.str.endswith("_random").any() for result in results):
        lines.append(_RANDOM)
    return list(dict.fromkeys(lines))


def lines(results: Sequence[Result]) -> list[str]:
    """The tables for a terminal, with their notes.

    Raises UserError if there are no values.
    """
    made = tables(results)
    text = []
    for table in made:
        heading = [] if len(made) == 1 else [table.title]
        text += [*heading, report.format_table(table.means, table.spreads), ""]
    text += _notes_on_data(results) + _notes_on_spread(results)
    return text + feature_lines(results)


def _notes_on_data(results: Sequence[Result]) -> list[str]:
    same = _same_data(results)
    return [] if same else [f"These were measured on different data: {_data(results)}."]


def _data(results: Sequence[Result]) -> str:
    """Describes the data of the results; equal texts may describe different images."""
    texts = dict.fromkeys(result.data for result in results)
    alike = len({result.data_key for result in results}) > len(texts)
    more = " (with different training or held-out images)" if alike else ""
    return " and ".join(texts) + more


def write(results: Sequence[Result], output: Workdir, options: Mapping) -> str:
    """Writes the results, and returns a line that names the files.

    metrics.json, report.png and report.html for one model; comparison.csv, comparison.md and
    report.html for several.

    Args:
        results: on one or several data sets.
        output: the directory.
        options: the options of the evaluation, with "samples" and "seeds".

    Raises:
        UserError: there is nothing to write, or the files cannot be written.
    """
    made = tables(results)
    output.make()
    first, alone = results[0], len(results) == 1
    title = f"{len(results)} models compared"
    if alone:
        title = f"{first.system} on {_dataset(first)}, step {first.step:,}"
    whole = report.Report(
        title=title,
        facts=_facts(results, options),
        tables=[*made, *_class_tables(results)],
        curves=_curves(results),
        sections=[_section(result, alone) for result in results],
    )
    if alone:
        files = [output.metrics, output.report]
        _write(output.metrics, json.dumps(_record(first, options), indent=2) + "\n")
        report.report_png(output.report, whole)
    else:
        files = [output.comparison_csv, output.comparison_markdown]
        _write(output.comparison_csv, _csv(made))
        _write(output.comparison_markdown, _markdown(title, results, made))
    report.report_html(output.page, whole)
    *others, last = map(str, (*files, output.page))
    return f"wrote {', '.join(others)} and {last}"


def _write(path: Path, text: str) -> None:
    with atomically(path) as temporary:
        Path(temporary).write_text(text, encoding="utf-8", errors="backslashreplace")


def _dataset(result: Result) -> str:
    config = result.trained.config
    return config.target_dataset or config.dataset


def _record(result: Result, options: Mapping) -> dict:
    """metrics.json: means over the seeds, and the single values if there are several seeds."""
    found = result.measured
    by_seed = {
        group: _nested(
            found.records[found.records.metric.map(_table_of) == group], "column", "metric"
        )
        for group in _TITLES
    }
    by_seed["class_histogram"] = _nested(found.shares, "metric", "column")
    by_seed = {group: columns for group, columns in by_seed.items() if columns}
    means = {
        group: {
            column: {name: sum(values) / len(values) for name, values in rows.items()}
            for column, rows in columns.items()
        }
        for group, columns in by_seed.items()
    }
    record = {"dataset": _dataset(result), "split": result.split, "step": result.step, **options}
    record |= means.pop("model", {}) | means
    if found.classifiers:
        record["classifiers"] = found.classifiers
    if found.left_out:
        record["left_out"] = found.left_out
    if len(options["seeds"]) > 1:
        record["by_seed"] = by_seed
    return record


def _nested(records: pd.DataFrame, outer: str, inner: str) -> dict[str, dict[str, list[float]]]:
    """{outer: {inner: values}}, in the order of the records."""
    nested: dict[str, dict[str, list[float]]] = {}
    for a, b, value in zip(records[outer], records[inner], records.value, strict=True):
        nested.setdefault(a, {}).setdefault(b, []).append(value)
    return nested


def _csv(made: Sequence[report.Table]) -> str:
    """All rows of all tables with common headings."""
    means = pd.concat([table.means for table in made])
    return report.csv_table(means, pd.concat([table.spreads for table in made]))


def _markdown(title: str, results: Sequence[Result], made: Sequence[report.Table]) -> str:
    parts = [f"# {title}", ""]
    parts += [
        f"- {r.trained.name}: {r.system}, step {r.step:,}, measured on {r.data}" for r in results
    ]
    parts += [line for note in _notes_on_data(results) for line in ("", note)]
    for table in made:
        parts += ["", f"## {table.title}", "", report.markdown_table(table.means, table.spreads)]
        parts += [line for note in table.notes for line in ("", note)]
    return "\n".join(parts) + "\n"


def _facts(results: Sequence[Result], options: Mapping) -> str:
    seeds = ", ".join(map(str, options["seeds"]))
    several = "seeds" if len(options["seeds"]) > 1 else "seed"
    draws = f"{options['samples']:,} draws of z"
    return f"Measured on {_data(results)}, with {draws} and {several} {seeds}"


def _curves(results: Sequence[Result]) -> dict[str, dict]:
    """One chart per metric in metrics.jsonl, with one line per run."""
    charts: dict[str, dict] = {}
    for result in results:
        records = result.trained.workdir.read_history() if result.trained.workdir else []
        names = dict.fromkeys(name for record in records for name in record)
        for name in names:
            if name not in ("epoch", "step", "seconds"):
                points = [(r["epoch"], r[name]) for r in records if name in r]
                charts.setdefault(name, {})[result.trained.name] = tuple(zip(*points, strict=True))
    return charts


def _section(result: Result, alone: bool) -> report.Section:
    name, step = result.trained.name, f"{result.step:,} steps"
    title = "Pictures" if alone else f"{name}: {result.system}, {step}"
    config = {n: v for n, v in asdict(result.trained.config).items() if v is not None}
    return report.Section(title, result.figures, config)
