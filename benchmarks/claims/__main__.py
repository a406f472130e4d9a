"""Each system compared with its paper: published settings, scaled to two cores, and numbers.

python -m benchmarks.claims --out=runs/claims                    all of them, about 3 hours a seed
python -m benchmarks.claims --only=infogan,dann --seeds=0,1      some of them
python -m benchmarks.claims --only= --write                      docs/claims.md from stored results

Each file here is a claim. Results are stored in OUT/results.jsonl, and arrays for the pictures
beside it: a restarted run computes only the missing ones. A claim whose settings have changed is
measured again.
"""

import argparse
import importlib
import time
from pathlib import Path

import numpy as np

from benchmarks import pages, results
from benchmarks.claims.claim import Check, Claim, Lab
from tf_bigan.core import hardware
from tf_bigan.run.workdir import environment

PAGE, PICTURE, BLOCK = "docs/claims.md", "docs/claims_{}.png", "claims"
NAMES = ("infogan", "vae_gan", "alice", "sgan", "triple_gan", "dann", "ebgan", "stable", "modes")
NAMES += ("table1",)


def find(name: str) -> Claim:
    """The claim of a file."""
    return importlib.import_module(f"benchmarks.claims.{name}").CLAIM


def run(name: str, seed: int, lab: Lab) -> dict:
    """Measures one claim; returns its record, and stores arrays for its picture."""
    start, lab.seconds = time.monotonic(), 0.0
    record = {"claim": name, "seed": seed, "settings": find(name).settings}
    try:
        numbers, arrays = find(name).measure(lab, seed)
        record["numbers"] = {key: float(value) for key, value in numbers.items()}
        if arrays:
            np.savez_compressed(lab.out / f"{name}-seed{seed}.npz", **arrays)
    except (ArithmeticError, ValueError) as error:  # the page shows the failure
        record |= {"numbers": {}, "failed": str(error)}
    record["training_seconds"] = round(lab.seconds, 1)
    record["seconds"] = round(time.monotonic() - start, 1)
    return record | {"environment": environment()}


def section(claim: Claim, records: list[dict]) -> str:
    """A claim's heading, settings and table, one row per number."""
    lines = [f"## {claim.title}", "", claim.settings, ""]
    lines += ["| | published | here | target | |", "|---|---|---|---|---|"]
    lines += [row(check, records) for check in claim.checks]
    seeds = ", ".join(str(record["seed"]) for record in records)
    seconds = [sum(r[key] for r in records) for key in ("training_seconds", "seconds")]
    lines += ["", f"Seed {seeds}; {seconds[0]:,.0f} s of training, {seconds[1]:,.0f} s in all."]
    lines += [f"\n**Seed {r['seed']} failed:** {r['failed']}" for r in records if "failed" in r]
    return "\n".join(lines)


def row(check: Check, records: list[dict]) -> str:
    """A number over its seeds, mean (min to max), and whether all of them reach the target."""
    values = [r["numbers"][check.number] for r in records if check.number in r["numbers"]]
    if not values:
        return f"| {check.what} | {check.published} | | {check.target} | not measured |"
    shown = f"{np.mean(values):.{check.digits}f}"
    if len(values) > 1:
        shown += f" ({min(values):.{check.digits}f} to {max(values):.{check.digits}f})"
    margins = [check.margin(value) for value in values]
    outcome = ""
    if check.target:
        worst = min(margins)
        held = f"held by {worst:.{check.digits}f}"
        outcome = held if worst >= 0 else f"**missed by {-worst:.{check.digits}f}**"
    return f"| {check.what} | {check.published} | {shown} | {check.target} | {outcome} |"


def page(records: list[dict]) -> str:
    """The block of the page: all measured claims, in the order of `NAMES`."""
    parts = [pages.machine(": ".join(hardware.choose()[::2]))]
    for name in NAMES:
        mine = [record for record in records if record["claim"] == name]
        mine.sort(key=lambda record: record["seed"])
        if mine:
            parts.append(section(find(name), mine))
            if find(name).draw:
                picture = Path(PICTURE.format(name)).name
                parts += [f"![{find(name).title}]({picture})", find(name).caption]
    return "\n\n".join(filter(None, parts))


def draw(out: Path, names):
    """Updates the pictures of the claims, each for its lowest seed."""
    import matplotlib

    matplotlib.use("Agg")
    for name in names:
        files = sorted(out.glob(f"{name}-seed*.npz"))
        if files and find(name).draw:
            find(name).draw(dict(np.load(files[0])), PICTURE.format(name))


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--only", default=",".join(NAMES), help="claims, separated by commas")
    parser.add_argument("--seeds", default="0", help="separated by commas")
    parser.add_argument("--out", default="runs/claims")
    parser.add_argument("--data_dir", default=None)
    parser.add_argument("--write", action="store_true", help=f"update {PAGE} and its pictures")
    options = parser.parse_args()
    out = Path(options.out)
    out.mkdir(parents=True, exist_ok=True)
    path, lab = out / "results.jsonl", Lab(out, options.data_dir)
    names = options.only.split(",") if options.only else ()
    for name in names:
        if name not in NAMES:
            parser.error(f"--only: {name} is unknown: choose from {', '.join(NAMES)}")
    for seed in map(int, options.seeds.split(",")):
        for name in names:
            if (name, seed) in {(r["claim"], r["seed"]) for r in read(path)}:
                continue
            record = run(name, seed, lab)
            results.append(path, record)
            print(section(find(name), [record]), flush=True)
    if options.write:
        pages.write(PAGE, BLOCK, page(read(path)))
        draw(out, NAMES)
    return 0


def read(path: Path) -> list[dict]:
    """The stored records with the current settings."""
    return [r for r in results.read(path) if r["settings"] == find(r["claim"]).settings]


if __name__ == "__main__":
    raise SystemExit(main())
