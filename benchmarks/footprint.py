"""What training costs beside its steps: the import, the start, the memory, the input.

python -m benchmarks.footprint --write=docs/performance.md    about four minutes
"""

import argparse
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from benchmarks import report

BLOCK = "footprint"  # the name of the marked block
REPEATS, ROUNDS, STEPS = 5, 7, 40
IMPORT = "import time, tensorflow, keras; t = time.time(); import {}; print(time.time() - t)"
FIRST_STEP = """
import os, sys, time, keras, train

class First(keras.callbacks.Callback):
    def on_train_batch_end(self, batch, logs=None):
        print("first step:", time.time() - {start}, flush=True)
        os._exit(0)

watch = train.run_callbacks
train.run_callbacks = lambda *a: [*watch(*a), First()]
sys.exit(train.run(train.main, ["train.py", "--dataset=digits", "--steps_per_execution=1",
                                "--workdir={workdir}"], "", train.FLAGS))
"""


def python(code: str, *arguments: str) -> str:
    """What a fresh interpreter prints."""
    environment = os.environ | {"TF_CPP_MIN_LOG_LEVEL": "3"}
    command = [sys.executable, "-c", code] if code else [sys.executable, *arguments]
    return subprocess.run(
        command, env=environment, check=True, text=True, stdout=subprocess.PIPE
    ).stdout


def import_seconds() -> float:
    """What `import tf_bigan` adds to importing TensorFlow and Keras, in a warm file cache."""
    ours, nothing = (
        statistics.median(float(python(IMPORT.format(module))) for _ in range(REPEATS))
        for module in ("tf_bigan", "math")
    )
    return ours - nothing


def first_step_seconds(workdir: str) -> float:
    """From starting train.py on the digits to the end of the first step."""
    out = python(FIRST_STEP.format(start=time.time(), workdir=workdir))
    line = next(line for line in out.splitlines() if line.startswith("first step:"))
    return float(line.partition(":")[2])


def resident_bytes(workdir: str, data_dir: str | None) -> int:
    """The largest resident memory of train.py on MNIST."""
    where = [f"--data_dir={data_dir}"] if data_dir else []
    python("", "train.py", "--dataset=mnist", "--epochs=1", f"--workdir={workdir}", *where)
    return resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * 1024


def seconds_a_step(model, data) -> float:
    """Of `fit`, without its first call."""
    from benchmarks.ours import FitClock

    clock = FitClock()
    model.fit(data, steps_per_epoch=STEPS + model.steps_per_execution, verbose=0, callbacks=[clock])
    return clock.seconds_per_step()


def input_overhead(model, batches) -> tuple[float, float]:
    """(median, spread) of the time a step takes more than with one batch again and again, in %."""
    import tensorflow as tf

    batch = next(iter(batches.dataset()))
    constant = tf.data.Dataset.from_tensors(batch).repeat()
    ratios = []
    for warm in range(ROUNDS + 1):
        ratio = seconds_a_step(model, batches) / seconds_a_step(model, constant)
        ratios += [100 * (ratio - 1)] if warm else []
    return statistics.median(ratios), max(ratios) - min(ratios)


def inputs() -> dict[str, tuple[float, float]]:
    """`input_overhead` in memory and of a stream."""
    import numpy as np
    import tensorflow as tf

    import tf_bigan as tb
    from benchmarks import ours
    from benchmarks.setting import SETTINGS, Setting, images
    from tf_bigan import hardware
    from tf_bigan.data.pipeline import ArrayBatches

    policy, xla, _ = hardware.choose()
    data = images(SETTINGS[0])
    found = {
        "MNIST-sized images in memory, MLP nets, batch 128": input_overhead(
            ours.make(SETTINGS[0], policy, xla), ArrayBatches({"image": data}, 128)
        )
    }
    setting = Setting("dcgan64", "", "dcgan", 64, image_shape=(64, 64, 3), width=32)
    rng = np.random.default_rng(0)
    with tempfile.TemporaryDirectory() as directory:
        for number in range(512):
            smooth = tf.image.resize(rng.uniform(0, 255, (8, 8, 3)), (64, 64), "bicubic")
            pixels = tf.cast(tf.clip_by_value(smooth, 0, 255), tf.uint8)
            Path(directory, f"{number}.jpg").write_bytes(tf.io.encode_jpeg(pixels).numpy())
        streamed = tb.data.load(f"folder:{directory}", memory_limit=0).batches(setting.batch)
        found["64×64×3 JPEG files, streamed, DCGAN nets, batch 64"] = input_overhead(
            ours.make(setting, policy, xla), streamed
        )
    return found


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--write", metavar="FILE", help="a page whose marked block is renewed")
    parser.add_argument("--data_dir", default=None, help="as in train.py")
    options = parser.parse_args()
    if options.write:
        try:
            report.around(options.write, BLOCK)
        except (OSError, ValueError) as error:
            parser.error(str(error))
    with tempfile.TemporaryDirectory() as work:
        lines = [
            "| what | measured |",
            "|---|---|",
            f"| `import tf_bigan` after TensorFlow and Keras | {import_seconds():.2f} s |",
            f"| `train.py --dataset=digits` to its first step | "
            f"{first_step_seconds(f'{work}/digits'):.1f} s |",
            f"| resident memory of `train.py --dataset=mnist` | "
            f"{resident_bytes(f'{work}/mnist', options.data_dir) / 1e9:.2f} GB |",
        ]
    for name, (median, spread) in inputs().items():
        lines.append(
            f"| a step longer than on one constant batch: {name} | "
            f"{median:+.1f} % (range of {spread:.1f} over {ROUNDS} rounds) |"
        )
    text = "\n".join(lines)
    print(text)
    if options.write:
        report.write(options.write, BLOCK, text)
    return 0


if __name__ == "__main__":
    sys.exit(main())
