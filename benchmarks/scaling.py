"""A cost model of a step on several workers, checked on this machine, and its predictions.

python -m benchmarks.scaling                       in under 3 minutes, on a machine with two cores
python -m benchmarks.scaling --write

One and two worker processes are measured, each pinned to its own core, two over localhost.
"""

import argparse
import dataclasses
import json
import os
import socket
import subprocess
import sys
import time
from typing import NamedTuple

PAGE, BLOCK = "docs/scaling.md", "scaling"
ROWS = (64, 128)  # rows per worker
STEPS, REPEATS = 40, 20
PREFIX = "measured: "  # prefix of the line with a worker's results


class Cluster(NamedTuple):
    """Machines to predict for. Rates in FLOP/s and bytes/s, as reached in practice."""

    title: str
    workers: int
    flops: float  # of one accelerator, in the networks' products
    memory: float  # of one accelerator
    network: float  # between two neighbours of the ring
    latency: float  # seconds of one hop


class Job(NamedTuple):
    """The training to predict for."""

    title: str
    weights: float
    flops_an_image: float  # of a step: forward and backward, all networks
    batch: int
    bytes_an_image: float  # as stored


# E 24 M, G 70 M, D 90 M weights, with 11, 12 and 12 GFLOP forward. E and G have one forward pass
# and a backward pass of twice the cost; D has two rows, and another backward pass for E and G.
BIG = Job("BigBiGAN-sized nets, ImageNet, batch 2048", 184e6, 165e9, 2048, 110e3)
CLUSTERS = (
    Cluster("8 A100s of one machine, NVLink", 8, 0.3 * 312e12, 1.4e12, 200e9, 10e-6),
    Cluster("64 machines of one A100, 100 Gb/s Ethernet", 64, 0.3 * 312e12, 1.4e12, 10e9, 50e-6),
)
ADAM_BYTES, GRADIENT_BYTES = 28, 4  # per weight: read w, m, v, g and write w, m, v; send g
DECODED_A_CORE = 150.0  # JPEG images of ImageNet's size per second


def all_reduce(size: float, workers: int, bandwidth: float, latency: float) -> float:
    """Seconds to sum `size` bytes over a ring: 2 (W - 1) hops of size / W bytes."""
    return 2 * (workers - 1) * (size / workers / bandwidth + latency)


def predict(job: Job, cluster: Cluster) -> str:
    """A row of the table of predictions."""
    rows = job.batch / cluster.workers
    compute = rows * job.flops_an_image / cluster.flops
    optimiser = ADAM_BYTES * job.weights / cluster.memory
    reduction = all_reduce(
        GRADIENT_BYTES * job.weights, cluster.workers, cluster.network, cluster.latency
    )
    step = compute + optimiser + reduction
    rate = job.batch / step
    return (
        f"| {cluster.title} | {1e3 * compute:.0f} | {1e3 * optimiser:.1f} | "
        f"{1e3 * reduction:.0f} | {1e3 * step:.0f} | {rate:,.0f} | {100 * compute / step:.0f} % | "
        f"{rate / DECODED_A_CORE:.0f} | {rate * job.bytes_an_image / 1e9:.1f} |"
    )


def work(core: int) -> int:
    """One worker: measures on a single core and prints its results."""
    os.sched_setaffinity(0, {core})  # before TensorFlow counts the cores
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    import numpy as np
    import tensorflow as tf

    from benchmarks import ours
    from benchmarks.setting import SETTINGS, images
    from tf_bigan.core import hardware
    from tf_bigan.core.workers import over_workers as together
    from tf_bigan.run import cluster

    strategy, _ = cluster.choose("auto", 60)
    workers = strategy.num_replicas_in_sync
    data, (policy, xla, _) = images(SETTINGS[0], 4096), hardware.choose()
    found = {"workers": workers, "mode": f"{policy}{' XLA' if xla else ''}"}
    for rows in ROWS:
        setting = dataclasses.replace(SETTINGS[0], batch=rows * workers)
        with strategy.scope():
            variant = ours.Variant(setting, data, policy, xla)
        variant.seconds_of(2)  # compiles
        found[f"step {rows}"] = variant.seconds_of(STEPS) / STEPS
    model = variant.model
    gradients = {p: [tf.ones(v.shape) for v in model.player_variables(p)] for p in model.players}
    found["weights"] = sum(int(np.prod(g.shape)) for gs in gradients.values() for g in gs)

    def optimise():
        for player in model.players:
            optimizer = model.optimizer_of(player)
            optimizer.apply(gradients[player], model.player_variables(player))

    def reduce():
        for gs in gradients.values():
            tf.distribute.get_replica_context().all_reduce("SUM", gs)

    @tf.function
    def several(part):
        for _ in tf.range(REPEATS):
            strategy.run(part)

    # The optimisers reduce the gradients of several workers.
    name, part = ("all-reduce", reduce) if workers > 1 else ("optimiser", optimise)
    several(part)  # compiles
    start = time.perf_counter()
    several(part)
    found[name] = (time.perf_counter() - start) / REPEATS
    together(0, strategy)
    print(PREFIX + json.dumps(found))
    return 0


def measure(workers: int) -> dict:
    """The results of the first of several pinned workers."""
    sockets = [socket.create_server(("localhost", 0)) for _ in range(workers)]
    cluster = {"worker": [f"localhost:{one.getsockname()[1]}" for one in sockets]}
    for one in sockets:
        one.close()
    cores = sorted(os.sched_getaffinity(0))
    started = [
        subprocess.Popen(
            [sys.executable, "-m", "benchmarks.scaling", f"--core={cores[index]}"],
            env=os.environ | {"TF_CONFIG": json.dumps({"cluster": cluster, "task": _task(index)})},
            stdout=subprocess.PIPE,
            text=True,
        )
        for index in range(workers)
    ]
    outputs = [process.communicate()[0] for process in started]
    if any(process.returncode for process in started):
        raise SystemExit("a worker failed: see above")
    line = next(line for line in outputs[0].splitlines() if line.startswith(PREFIX))
    return json.loads(line.removeprefix(PREFIX))


def _task(index: int) -> dict:
    return {"type": "worker", "index": index}


def section(machine: str, one: dict, two: dict) -> str:
    """Both tables, after a line that describes the machine."""
    size = GRADIENT_BYTES * one["weights"]
    lines = [
        machine,
        "",
        f"The paper's MLP nets, {one['weights'] / 1e6:.1f} M weights, {one['mode']}; each worker "
        f"pinned to one core, two over localhost. Measured constants: optimiser "
        f"{1e3 * one['optimiser']:.1f} ms, all-reduce of {size / 1e6:.0f} MB "
        f"{1e3 * two['all-reduce']:.1f} ms ({size / two['all-reduce'] / 1e9:.2f} GB/s).",
        "",
        "| workers | rows each | compute, ms | optimiser, ms | all-reduce, ms | model, ms | "
        "measured, ms | measured / model |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for found in (one, two):
        for rows in ROWS:
            compute = one[f"step {rows}"] - one["optimiser"]
            reduction = found.get("all-reduce", 0.0)
            modelled, measured = compute + one["optimiser"] + reduction, found[f"step {rows}"]
            lines.append(
                f"| {found['workers']} | {rows} | {1e3 * compute:.1f} | "
                f"{1e3 * one['optimiser']:.1f} | {1e3 * reduction:.1f} | {1e3 * modelled:.1f} | "
                f"{1e3 * measured:.1f} | {measured / modelled:.2f} |"
            )
    lines += [
        "",
        "(The rows of one worker determine the constants; those of two are the check.)",
        "",
        f"Predicted for {BIG.title}: {BIG.weights / 1e6:.0f} M weights, "
        f"{BIG.flops_an_image / 1e9:.0f} GFLOP per image and step.",
        "",
        "| | compute, ms | optimiser, ms | all-reduce, ms | step, ms | images/s | efficiency | "
        "cores to decode | GB/s of JPEG |",
        "|---|---|---|---|---|---|---|---|---|",
        *(predict(BIG, cluster) for cluster in CLUSTERS),
    ]
    return "\n".join(lines)


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--write", action="store_true", help=f"update {PAGE}")
    parser.add_argument("--core", type=int, help=argparse.SUPPRESS)  # as a worker
    options = parser.parse_args()
    if options.core is not None:
        return work(options.core)
    if len(os.sched_getaffinity(0)) < 2:
        parser.error("two cores are needed")
    from benchmarks import pages
    from tf_bigan.core import hardware

    if options.write:
        pages.around(PAGE, BLOCK)  # a missing page is an error before the measurement
    machine = pages.machine(": ".join(hardware.choose()[::2]))
    text = section(machine, measure(1), measure(2))
    print(text)
    if options.write:
        pages.write(PAGE, BLOCK, text)
    return 0


if __name__ == "__main__":
    sys.exit(main())
