"""The time per step of every system on this machine.

python -m benchmarks.systems [--dataset=digits] [--write]

As on a CPU with only AVX2, without bfloat16 units:

python -m benchmarks.systems --isa=avx2

Each system has the options of `train.py --model=NAME --dataset=DATASET`.
"""

import argparse
import os
import sys
import time

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")  # TensorFlow's start-up notices

import keras  # noqa: E402
from absl import flags  # noqa: E402

from benchmarks import isa, ours, pages  # noqa: E402
from tf_bigan import models  # noqa: E402
from tf_bigan.core import hardware  # noqa: E402
from tf_bigan.run import build  # noqa: E402
from tf_bigan.run.flags import config_from_flags, define_config_flags  # noqa: E402

PAGE, BLOCK = "docs/performance.md", "systems"
NEEDS = {
    "sgan": ["--labels=100"],
    "triple_gan": ["--labels=100"],
    "dann": ["--target_dataset=digits"],
}
HEAD = [
    "| system | weights | batch | to the first step, s | ms per step | images/s |",
    "|---|---|---|---|---|---|",
]


def time_system(name: str, options: list[str], seconds: float) -> str:
    """A row of the table: a system trained for some seconds after its first step."""
    values = flags.FlagValues()
    define_config_flags(values)
    values(["systems.py", f"--model={name}", *NEEDS.get(name, []), *options])
    config = config_from_flags(values)
    train = build.load_split(config, "train")
    batches = build.training_batches(config, train)
    begin = time.perf_counter()
    model, _ = build.build_model(
        config, batches.image_shape, batches.steps_per_epoch, train.num_classes
    )
    model.fit(batches, steps_per_epoch=1, verbose=0)
    first, begin = time.perf_counter() - begin, time.perf_counter()
    timed = ours.Until(lambda step: time.perf_counter() - begin > seconds)
    model.fit(batches, steps_per_epoch=10**6, verbose=0, callbacks=[timed])
    a_step = (time.perf_counter() - begin) / (int(model.step.numpy()) - 1)
    weights = sum(getattr(model, network).count_params() for network in model.network_names())
    return (
        f"| {name} | {weights:,} | {config.batch_size} | {first:.1f} | {1e3 * a_step:.1f} "
        f"| {config.batch_size / a_step:,.0f} |"
    )


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--dataset", default="digits")
    parser.add_argument("--seconds", type=float, default=3.0, help="training time of each system")
    parser.add_argument("--isa", choices=isa.LIMITS, help="float32 with these instructions only")
    parser.add_argument("--only", help="some of the systems, as bigan,dann")
    parser.add_argument("--write", action="store_true", help=f"update {PAGE}")
    chosen = parser.parse_args()
    precision = "float32" if isa.limited(chosen.isa, "benchmarks.systems") else "auto"
    options = [f"--dataset={chosen.dataset}", f"--precision={precision}"]
    policy, _, why = hardware.choose(precision)
    lines = [pages.machine(f"{policy} ({why})") + isa.note(chosen.isa), "", *HEAD]
    print("\n".join(lines))
    for name in chosen.only.split(",") if chosen.only else models.names():
        lines.append(time_system(name, options, chosen.seconds))
        print(lines[-1], flush=True)
        keras.backend.clear_session()
    if chosen.write:
        pages.write(PAGE, BLOCK, "\n".join(lines))
    return 0


if __name__ == "__main__":
    sys.exit(main())
