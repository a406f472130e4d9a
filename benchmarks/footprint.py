"""The costs of training besides its steps: import, start, memory, input pipeline.

python -m benchmarks.footprint --write    about five minutes
"""

import argparse
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from benchmarks import pages

PAGE, BLOCK = "docs/performance.md", "footprint"
REPEATS, ROUNDS, STEPS = 5, 7, 40
IMPORT = "import time, tensorflow, keras; t = time.time(); import {}; print(time.time() - t)"
FIRST_STEP = """
import os, time, keras
from tf_bigan.run import flags, train

class First(keras.callbacks.Callback):
    def on_train_batch_end(self, batch, logs=None):
        print("first step:", time.time() - {start}, flush=True)
        os._exit(0)

watch = train.run_callbacks
train.run_callbacks = lambda *a: [*watch(*a), First()]
flags.command(train.main, ["train.py", "--dataset=digits", "--steps_per_execution=1",
                           "--workdir={workdir}"], "", train.FLAGS)
"""


def python(code: str, *arguments: str) -> str:
    """The output of a new interpreter."""
    environment = os.environ | {"TF_CPP_MIN_LOG_LEVEL": "3"}
    command = [sys.executable, "-c", code] if code else [sys.executable, *arguments]
    return subprocess.run(
        command, env=environment, check=True, text=True, stdout=subprocess.PIPE
    ).stdout


def import_seconds() -> float:
    """The time of `import tf_bigan` after TensorFlow and Keras, with a warm file cache."""
    ours, nothing = (
        statistics.median(float(python(IMPORT.format(module))) for _ in range(REPEATS))
        for module in ("tf_bigan", "math")
    )
    return ours - nothing


def first_step_seconds(workdir: str) -> float:
    """From the start of train.py on the digits to the end of the first step."""
    out = python(FIRST_STEP.format(start=time.time(), workdir=workdir))
    line = next(line for line in out.splitlines() if line.startswith("first step:"))
    return float(line.partition(":")[2])


def resident_bytes(workdir: str, data_dir: str | None) -> int:
    """The peak resident memory of train.py on MNIST."""
    where = [f"--data_dir={data_dir}"] if data_dir else []
    python("", "train.py", "--dataset=mnist", "--epochs=1", f"--workdir={workdir}", *where)
    return resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * 1024


def seconds_a_step(model, data) -> float:
    """Seconds per step of `fit`, without its first call."""
    from benchmarks.ours import FitClock

    clock = FitClock()
    model.fit(data, steps_per_epoch=STEPS + model.steps_per_execution, verbose=0, callbacks=[clock])
    return clock.seconds_per_step()


def input_overhead(model, batches) -> tuple[float, float]:
    """(median, range) in % of the extra time per step, compared with one constant batch."""
    import tensorflow as tf

    batch = next(iter(batches.dataset()))
    constant = tf.data.Dataset.from_tensors(batch).repeat()
    ratios = []
    for warm in range(ROUNDS + 1):
        ratio = seconds_a_step(model, batches) / seconds_a_step(model, constant)
        ratios += [100 * (ratio - 1)] if warm else []
    return statistics.median(ratios), max(ratios) - min(ratios)


def inputs() -> dict[str, tuple[float, float]]:
    """`input_overhead` for images in memory and for streams."""
    import tf_bigan as tb
    from benchmarks import ours
    from benchmarks.setting import SETTINGS, Setting, images
    from tf_bigan.core import hardware
    from tf_bigan.data.pipeline import ArrayBatches

    policy, xla, _ = hardware.choose()
    data = images(SETTINGS[0])
    found = {
        "MNIST-sized images in memory, MLP nets, batch 128": input_overhead(
            ours.make(SETTINGS[0], policy, xla), ArrayBatches({"image": data}, 128)
        )
    }
    setting = Setting("dcgan64", "", "dcgan", 64, image_shape=(64, 64, 3), width=32)
    with tempfile.TemporaryDirectory() as directory:
        for source, prepare in {"TFDS data": tfds_set, "a folder of files": folder}.items():
            options = prepare(Path(directory, source))
            streamed = tb.data.load(**options, memory_limit=0).batches(setting.batch)
            found[f"64×64×3 JPEG, streamed from {source}, DCGAN nets, batch 64"] = input_overhead(
                ours.make(setting, policy, xla), streamed
            )
    return found


def photographs() -> np.ndarray:
    """uint8 [512, 64, 64, 3], smooth like photographs."""
    import tensorflow as tf

    corners = np.random.default_rng(0).uniform(0, 255, (512, 8, 8, 3))
    smooth = tf.image.resize(corners, (64, 64), "bicubic")
    return tf.cast(tf.clip_by_value(smooth, 0, 255), tf.uint8).numpy()


def tfds_set(directory: Path) -> dict[str, str]:
    """Prepares a TFDS data set of `photographs`; returns the arguments of `tf_bigan.data.load`."""
    import tensorflow as tf
    import tensorflow_datasets as tfds

    image = tfds.features.Image(shape=(64, 64, 3), encoding_format="jpeg")
    tfds.dataset_builders.store_as_tfds_dataset(
        name="photographs",
        version="1.0.0",
        features=tfds.features.FeaturesDict({"image": image}),
        split_datasets={"train": tf.data.Dataset.from_tensor_slices({"image": photographs()})},
        data_dir=directory,
    )
    return {"dataset": "photographs", "data_dir": str(directory)}


def folder(directory: Path) -> dict[str, str]:
    """The same as a folder of JPEG files."""
    import tensorflow as tf

    directory.mkdir()
    for number, pixels in enumerate(photographs()):
        (directory / f"{number}.jpg").write_bytes(tf.io.encode_jpeg(pixels).numpy())
    return {"dataset": f"folder:{directory}"}


def table(costs: Mapping[str, str], inputs: Mapping[str, tuple[float, float]]) -> str:
    """costs: {name: measured value}.  inputs: {description of images: its `input_overhead`}."""
    lines = ["| what | measured |", "|---|---|"]
    lines += [f"| {what} | {measured} |" for what, measured in costs.items()]
    for images, (median, spread) in inputs.items():
        lines.append(
            f"| extra time per step, compared with one constant batch: {images} | "
            f"{median:+.1f} % (range of {spread:.1f} over {ROUNDS} rounds) |"
        )
    return "\n".join(lines)


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--write", action="store_true", help=f"update {PAGE}")
    parser.add_argument("--data_dir", default=None, help="as in train.py")
    options = parser.parse_args()
    if options.write:
        pages.around(PAGE, BLOCK)  # a missing page is an error before the measurement
    from tf_bigan.core import hardware

    machine = pages.machine(": ".join(hardware.choose()[::2]))
    with tempfile.TemporaryDirectory() as work:
        first_step = first_step_seconds(f"{work}/digits")
        memory = resident_bytes(f"{work}/mnist", options.data_dir)
        costs = {
            "`import tf_bigan` after TensorFlow and Keras": f"{import_seconds():.2f} s",
            "`train.py --dataset=digits` to its first step": f"{first_step:.1f} s",
            "resident memory of `train.py --dataset=mnist`": f"{memory / 1e9:.2f} GB",
        }
    text = f"{machine}\n\n{table(costs, inputs())}"
    print(text)
    if options.write:
        pages.write(PAGE, BLOCK, text)
    return 0


if __name__ == "__main__":
    sys.exit(main())
