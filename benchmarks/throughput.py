"""Training throughput of tf_bigan, its peers, and the machine's limit, in one run.

python -m benchmarks.throughput                    everything, in about half an hour
python -m benchmarks.throughput --quick            against stock Keras only, in under 3 minutes
python -m benchmarks.throughput --only=mlp128      only "setting/variant" that contain the text
python -m benchmarks.throughput --isa=avx2         in float32, as on a CPU without AVX-512
python -m benchmarks.throughput --write

The variants alternate, some seconds each per round, so that other processes slow down all of them
equally. Ratios are computed within a round; the tables show their median and range.
"""

import argparse
import functools
import importlib.util
import os
import random
import sys
from collections.abc import Callable, Mapping

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")  # TensorFlow's start-up notices

from benchmarks import agreement, isa, limit, ours, pages  # noqa: E402
from benchmarks.peers import stock_keras  # noqa: E402
from benchmarks.setting import SETTINGS, Setting, images  # noqa: E402
from tf_bigan.core import hardware  # noqa: E402
from tf_bigan.run.config import Config  # noqa: E402

PAGE, BLOCK = "docs/performance.md", "throughput"  # with a limit, the block is `throughput_avx2`
QUICK = ("mlp128/tf_bigan", "mlp128/Keras")


def variants(setting: Setting, default: tuple[str, bool]) -> dict[str, Callable]:
    """{name: a function that makes the variant}. Peers are checked when they are made.

    default: the policy, and whether XLA, that tf_bigan chooses. The library's default networks also
        have a variant of it with their default penalty.
    """
    makers, data = {}, functools.cache(lambda: images(setting))
    if setting.networks == Config.networks:
        makers[pages.with_penalty(pages.mode("tf_bigan", *default))] = lambda: ours.Variant(
            setting, data(), *default, penalty=Config.penalty
        )
    for policy in ("float32", "mixed_bfloat16"):
        for xla in (False, True):
            makers[pages.mode("tf_bigan", policy, xla)] = lambda p=policy, x=xla: ours.Variant(
                setting, data(), p, x
            )

    def peer(make: Callable, *arguments):
        made = make(setting, data(), *arguments)
        agreement.check(setting, made)
        return made

    for policy, jit_compile in (("float32", "auto"), ("float32", True), ("mixed_bfloat16", "auto")):
        name = pages.mode("Keras fit", policy, jit_compile is True)
        makers[name] = lambda p=policy, j=jit_compile: peer(stock_keras.Peer, p, j)
    if importlib.util.find_spec("torch") is None:
        print("PyTorch is not installed: its rows are left out", file=sys.stderr)
    else:
        from benchmarks.peers import pytorch  # an optional dependency

        for precision in ("float32", "bfloat16"):
            for kind in ("eager", "compiled"):
                makers[f"PyTorch {precision} {kind}"] = lambda p=precision, k=kind: peer(
                    pytorch.Peer, p == "bfloat16", k == "compiled"
                )
    for dtype in ("float32", "bfloat16"):
        makers[f"limit {dtype}"] = lambda d=dtype: limit.Limit(setting, d)
    return makers


def measure(
    makers: Mapping[str, Callable], batch: int, rounds: int, seconds: float
) -> tuple[dict[str, list[float]], list[str]]:
    """{name: images per second in each round}, each variant running `seconds` in a round; and a
    line for each peer that computes something else, which is not timed."""
    running, pace, left_out = {}, {}, []
    for name, make in makers.items():
        print(f"  {name}", file=sys.stderr)
        try:
            running[name] = make()
        except agreement.Disagreement as error:
            left_out.append(f"{name} is left out: {error}.")
            print(f"  {left_out[-1]}", file=sys.stderr)
            continue
        running[name].seconds_of(2)  # compiles
        pace[name] = running[name].seconds_of(4) / 4
    rates = {name: [] for name in running}
    for number in range(rounds):
        print(f"  round {number + 1} of {rounds}", file=sys.stderr)
        for name in random.Random(number).sample(list(running), len(running)):
            steps = max(2, round(seconds / pace[name]))
            rates[name].append(steps * batch / running[name].seconds_of(steps))
    return rates, left_out


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--quick", action="store_true", help="MLP, batch 128, stock Keras only")
    parser.add_argument("--rounds", type=int, help="[7; 5 if quick]")
    parser.add_argument("--seconds", type=float, help="per variant and round [2.5; 1.5 if quick]")
    parser.add_argument("--only", default="", help="texts; one must occur in setting/variant")
    parser.add_argument("--write", action="store_true", help=f"update {PAGE}")
    parser.add_argument("--isa", choices=isa.LIMITS, help="float32 with these instructions only")
    options = parser.parse_args()
    limited = isa.limited(options.isa, "benchmarks.throughput")
    wanted = QUICK if options.quick else options.only.split(",")
    rounds = options.rounds or (5 if options.quick else 7)
    seconds = options.seconds or (1.5 if options.quick else 2.5)
    block = f"{BLOCK}_{options.isa}" if limited else BLOCK
    if options.write:
        pages.around(PAGE, block)  # a missing page is an error before the measurement
    policy, xla, why = hardware.choose("float32" if limited else "auto")
    sections = [
        pages.machine(f"{pages.mode('tf_bigan', policy, xla)}: {why}") + isa.note(options.isa)
    ]
    print(sections[0], flush=True)
    for setting in SETTINGS:
        mode = ours.mode(setting, policy)[:2]
        makers = {
            name: make
            for name, make in variants(setting, mode).items()
            if any(text in f"{setting.name}/{name}" for text in wanted)
            and not (limited and "bfloat16" in name)
        }
        if not makers:
            continue
        default = pages.mode("tf_bigan", *mode)
        print(setting.title, file=sys.stderr)
        rates, left_out = measure(makers, setting.batch, rounds, seconds)
        sections.append("\n\n".join([pages.section(setting, rates, default), *left_out]))
        print(f"\n{sections[-1]}", flush=True)
    if len(sections) == 1:
        parser.error(f"--only={options.only} does not occur in any setting/variant")
    if options.write:
        pages.write(PAGE, block, "\n\n".join(sections))
    return 0


if __name__ == "__main__":
    sys.exit(main())
