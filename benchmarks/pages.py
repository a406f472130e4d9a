"""The results of benchmarks as Markdown."""

import importlib.metadata
import os
import platform
from collections.abc import Mapping
from pathlib import Path
from statistics import median

from benchmarks.setting import Setting


def mode(library: str, policy: str, xla: bool) -> str:
    """The name of a precision and compile mode of a library on TensorFlow."""
    return f"{library} {policy}{' XLA' if xla else ''}"


def with_penalty(variant: str) -> str:
    """The name of a variant of tf_bigan with its default penalty."""
    return f"{variant}, R1"


def machine(default: str) -> str:
    """Describes machine and versions. `default`: the mode that tf_bigan chooses, and why."""
    packages = [
        f"{name} {importlib.metadata.version(name)}"
        for name in ("tensorflow", "keras", "torch")
        if _installed(name)
    ]
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    load = os.getloadavg()[0] if hasattr(os, "getloadavg") else 0.0
    # Other processes slow down threads that wait for each other, above all those of OpenMP.
    busy = "\n\n**The machine was busy: seconds and rates do not compare.**" if load > 0.5 else ""
    return (
        f"Machine: {_processor()}, {cores} core{'s' * (cores > 1)}; load average {load:.1f} at the "
        "start. "
        f"Python {platform.python_version()}, {', '.join(packages)}. "
        f"The default here is {default}.{busy}"
    )


def _installed(package: str) -> bool:
    try:
        importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return False
    return True


def _processor() -> str:
    """The processor's name, and its features that determine the speed of products."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:  # not Linux
        return platform.processor() or platform.machine()
    fields = dict(line.partition(":")[::2] for line in reversed(lines))
    fields = {key.strip(): value.strip() for key, value in fields.items()}
    flags = set(fields.get("flags", "").split())
    features = [flag for flag in ("avx2", "avx512f", "avx512_bf16", "amx_bf16") if flag in flags]
    return f"{fields.get('model name', platform.machine())} ({', '.join(features)})"


def section(setting: Setting, rates: Mapping[str, list[float]], default: str) -> str:
    """A setting's table and its summary.

    rates: {variant: images per second in each round}.
    default: the variant that tf_bigan chooses by default.
    """
    lines = [
        f"### {setting.title}",
        "",
        "| variant | images/s: median (range) | ms per step | speed-up by the default |",
        "|---|---|---|---|",
    ]
    for name, values in sorted(rates.items(), key=lambda item: -median(item[1])):
        shown = f"**{name}** (default)" if name == default else name
        middle = median(values)
        spread = f"{middle:,.0f} ({min(values):,.0f}–{max(values):,.0f})"
        ratio = _times(_ratios(rates, default, name)) if default in rates else ""
        lines.append(f"| {shown} | {spread} | {1e3 * setting.batch / middle:.1f} | {ratio} |")
    return "\n".join([*lines, "", *_conclusions(rates, default)])


def _conclusions(rates: Mapping[str, list[float]], default: str) -> list[str]:
    if default not in rates:
        return []
    found = []
    pytorch = [name for name in rates if name.startswith("PyTorch")]
    if pytorch:
        fastest = max(pytorch, key=lambda name: median(rates[name]))
        found.append(
            f"- the fastest PyTorch variant, {fastest}: {_times(_ratios(rates, default, fastest))}"
        )
    stock = mode("Keras fit", "float32", False)
    if stock in rates:
        found.append(
            f"- stock Keras `fit` with its defaults: {_times(_ratios(rates, default, stock))}"
        )
    penalised = with_penalty(default)
    if penalised in rates:
        found.append(
            f"- itself with the default penalty, R1: {_times(_ratios(rates, default, penalised))}"
        )
    limit = f"limit {'bfloat16' if 'bfloat16' in default else 'float32'}"
    if limit in rates:
        share = [100 * ratio for ratio in _ratios(rates, default, limit)]
        found.append(
            f"- the limit in its precision: {median(share):.0f} % "
            f"({min(share):.0f}–{max(share):.0f} %)"
        )
    return [f"{default}, compared with", *found] if found else []


def _ratios(rates: Mapping[str, list[float]], a: str, b: str) -> list[float]:
    return [x / y for x, y in zip(rates[a], rates[b], strict=True)]


def _times(ratios: list[float]) -> str:
    return f"{median(ratios):.2f}× ({min(ratios):.2f}–{max(ratios):.2f})"


def write(path: str, block: str, text: str):
    """Writes the text between the markers of a block of a page.

    Raises:
        ValueError: the page does not have the two markers.
        FileNotFoundError: the page does not exist.
    """
    before, after = around(path, block)
    Path(path).write_text(f"{before}\n{text}\n{after}", encoding="utf-8")


def around(path: str, block: str) -> tuple[str, str]:
    """The text before and after a block of a page, including its markers. Raises as `write`."""
    begin, end = f"<!-- {block}: begin -->", f"<!-- {block}: end -->"
    before, found_begin, rest = Path(path).read_text(encoding="utf-8").partition(begin)
    _, found_end, after = rest.partition(end)
    if not found_begin or not found_end:
        raise ValueError(f"{path} needs the lines {begin} and {end}")
    return before + begin, end + after
