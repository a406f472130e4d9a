"""Where the time of a training step goes, by TensorFlow's profiler.

python -m benchmarks.breakdown [--write]

For each operation its shortest run is used, which is least disturbed by other processes. Two
operations may run at once, so the sum is not the time of a step.
"""

import argparse
import collections
import os
import re
import sys
import tempfile
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")  # TensorFlow's start-up notices

import tensorflow as tf  # noqa: E402

from benchmarks import ours, pages  # noqa: E402
from benchmarks.setting import SETTINGS, images  # noqa: E402
from tf_bigan.core import hardware  # noqa: E402

PAGE, BLOCK = "docs/performance.md", "breakdown"
STEPS = 48
# The purpose of an operation by "name:type"; the first match is used.
KINDS = (
    ("products", r":.*(MatMul|Conv2D)"),
    ("Adam", r":ResourceApplyAdam$"),
    ("batch norm", r"batch_normalization.*:|:.*FusedBatchNorm"),
    ("casts of weights and their gradients", r"(dense|conv2d)\w*/.*:Cast$"),
    ("other casts", r":Cast$"),
    ("activations", r":.*(Relu|Sigmoid|Tanh)"),
    ("all else", r":"),
)


def kind(operation: str) -> str:
    """The purpose of an operation "name:type"."""
    return next(name for name, pattern in KINDS if re.search(pattern, operation))


def profile(variant: ours.Variant) -> dict[str, float]:
    """{kind: milliseconds per step}. The variant must run without XLA, which hides operations."""
    # A part of TensorFlow, but not of its documented interface.
    from tensorflow.tsl.profiler.protobuf import xplane_pb2

    variant.seconds_of(STEPS)
    before = int(variant.model.step.numpy())
    space = xplane_pb2.XSpace()
    with tempfile.TemporaryDirectory() as directory:
        options = tf.profiler.experimental.ProfilerOptions(
            host_tracer_level=3, python_tracer_level=0
        )
        with tf.profiler.experimental.Profile(directory, options):
            variant.seconds_of(STEPS)
        (path,) = Path(directory).rglob("*.xplane.pb")
        space.ParseFromString(path.read_bytes())
    steps = int(variant.model.step.numpy()) - before
    runs = collections.defaultdict(list)
    for plane in space.planes:
        for line in plane.lines:
            for event in line.events:
                runs[plane.event_metadata[event.metadata_id].name].append(event.duration_ps)
    milliseconds = dict.fromkeys((name for name, _ in KINDS), 0.0)
    for operation, durations in runs.items():
        # The step's operations are those in the loop; functions carry "::" or no type.
        if re.match(r"while/.*[^:]:[^:]+$", operation):
            milliseconds[kind(operation)] += min(durations) * len(durations) / steps / 1e9
    return milliseconds


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--write", action="store_true", help=f"update {PAGE}")
    options = parser.parse_args()
    policy, xla, why = hardware.choose()
    if xla:
        parser.error(f"the default here is {policy} with XLA ({why}), which hides operations")
    lines = [
        pages.machine(f"{policy}: {why}"),
        "",
        "| milliseconds per step | " + " | ".join(setting.title for setting in SETTINGS) + " |",
        "|---|" + "---|" * len(SETTINGS),
    ]
    columns = [profile(ours.Variant(s, images(s), policy, xla)) for s in SETTINGS]
    for name in columns[0]:
        cells = [f"{c[name]:.1f} ({100 * c[name] / sum(c.values()):.0f} %)" for c in columns]
        lines.append(f"| {name} | " + " | ".join(cells) + " |")
    print("\n".join(lines))
    if options.write:
        pages.write(PAGE, BLOCK, "\n".join(lines))
    return 0


if __name__ == "__main__":
    sys.exit(main())
