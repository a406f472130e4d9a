"""Chooses the devices and workers of the training."""

import contextlib
import faulthandler
import json
import os
import socket
import sys
from collections.abc import Iterator, Mapping
from typing import NamedTuple

import tensorflow as tf

from tf_bigan.core.workers import over_workers
from tf_bigan.errors import UserError, counted
from tf_bigan.run.flags import first_line

_JOBS = ("chief", "worker")
# TensorFlow's ports on Slurm: below the ephemeral ports, and different for jobs on a shared node.
_SLURM_PORTS, _SLURM_PORTS_COUNT = 10_000, 20_000


class Task(NamedTuple):
    """One process of a cluster: {job: addresses}, and its own job and index."""

    cluster: Mapping[str, list[str]]
    job: str
    index: int
    source: str

    @property
    def address(self) -> str:
        return self.cluster[self.job][self.index]

    @property
    def names(self) -> dict[str, str]:
        """{address: "worker 0"} of all tasks."""
        return {a: f"{job} {i}" for job in self.cluster for i, a in enumerate(self.cluster[job])}


def choose(name: str = "auto", join_timeout: float = 300.0) -> tuple[tf.distribute.Strategy, str]:
    """(the strategy for training, one line that describes and explains it).

    With several workers, call it before any other use of TensorFlow. Build the model in the
    scope of the strategy, in the same way on every worker.

    Args:
        name: "none", "mirrored" (all GPUs of this machine), "multi_worker" (the machines in
            TF_CONFIG or in a Slurm step), "tpu"; or "auto": multi_worker if several are given,
            mirrored if there are several GPUs, else none.
        join_timeout: seconds to wait for the other workers.

    Raises:
        UserError: TF_CONFIG is broken, there is no such hardware, or the workers cannot connect.
            If a worker does not join, the process prints a line and exits instead.
    """
    task = _task() if name in ("auto", "multi_worker") else None
    gpus = len(tf.config.list_physical_devices("GPU"))
    if task is not None:
        strategy = _multi_worker(task, gpus, join_timeout)
        why = f"{task.job} {task.index} of {len(task.names)} tasks, from {task.source}"
        return strategy, f"strategy: multi_worker, {_replicas(strategy)} ({why})"
    if name == "multi_worker":
        raise UserError(
            "strategy=multi_worker: no other worker is named: set TF_CONFIG, or start with srun"
        )
    if name == "tpu":
        strategy = _tpu()
        return strategy, f"strategy: tpu, {_replicas(strategy)}"
    if name == "mirrored" or name == "auto" and gpus > 1:
        devices = tf.config.list_logical_devices("GPU") or tf.config.list_logical_devices("CPU")
        strategy = tf.distribute.MirroredStrategy([device.name for device in devices])
        return strategy, f"strategy: mirrored, {_replicas(strategy)} ({counted(gpus, 'GPU')} here)"
    why = "as given" if name == "none" else f"{counted(gpus, 'GPU')} here, no other worker named"
    return tf.distribute.get_strategy(), f"strategy: none ({why})"


def _replicas(strategy) -> str:
    return counted(strategy.num_replicas_in_sync, "replica")


def _task() -> Task | None:
    """The task from TF_CONFIG or Slurm; None if this process is the only one."""
    task = _from_tf_config() or _from_slurm()
    return task if task is not None and len(task.names) > 1 else None


def _from_tf_config() -> Task | None:
    text = os.environ.get("TF_CONFIG")
    if not text:
        return None
    form = '{"cluster": {"worker": ["HOST:PORT", ...]}, "task": {"type": "worker", "index": 0}}'
    try:
        config = json.loads(text)
    except ValueError as error:
        raise UserError(f"TF_CONFIG is not JSON ({error}): it must be {form}") from error
    try:
        cluster = {
            job: [str(address) for address in config["cluster"][job]]
            for job in _JOBS
            if job in config["cluster"]
        }
        job, index = config["task"]["type"], int(config["task"]["index"])
    except (KeyError, TypeError, ValueError) as error:
        raise UserError(f"TF_CONFIG lacks {error}: it must be {form}") from error
    if job not in cluster:
        raise UserError(
            f"TF_CONFIG: the task is of type {job!r}, but the cluster has "
            f"{', '.join(cluster) or 'no chief and no worker'}"
        )
    if not 0 <= index < len(cluster[job]):
        raise UserError(
            f"TF_CONFIG: there is no {job} {index}, the cluster has {len(cluster[job])}, "
            "counted from 0"
        )
    addresses = sum(cluster.values(), [])
    for address in addresses:
        host, _, port = address.rpartition(":")
        if not (host and port.isdecimal() and 0 < int(port) < 65536):
            raise UserError(f"TF_CONFIG: {address!r} is not HOST:PORT")
        if addresses.count(address) > 1:
            raise UserError(f"TF_CONFIG names {address} twice")
    return Task(cluster, job, index, "TF_CONFIG")


def _from_slurm() -> Task | None:
    tasks = os.environ.get("SLURM_STEP_NUM_TASKS", "")  # set by srun
    if not tasks.isdigit() or int(tasks) < 2:
        return None
    job = int(os.environ.get("SLURM_JOB_ID", 0))
    try:
        # Only the addresses are used; each task uses the GPUs that Slurm makes visible to it.
        resolver = tf.distribute.cluster_resolver.SlurmClusterResolver(
            gpus_per_node=int(tasks),
            gpus_per_task=1,
            auto_set_gpu=False,
        )
        # {host: tasks} in the order of the ranks; `cluster_spec` sorts node10 before node9.
        hosts, rank = resolver._task_configuration, int(os.environ["SLURM_PROCID"])
    except (RuntimeError, ValueError, KeyError) as error:
        raise UserError(f"Slurm's variables do not name the workers: {error}") from error
    names = [host for host, count in hosts.items() for _ in range(count)]
    base = _SLURM_PORTS + job % _SLURM_PORTS_COUNT
    addresses = [f"{host}:{base + index}" for index, host in enumerate(names)]
    node = os.environ.get("SLURMD_NODENAME")
    if node and names[rank] != node:
        raise UserError(
            "Slurm's ranks do not follow the order of the nodes: srun --distribution=block"
        )
    return Task({"worker": addresses}, "worker", rank, "Slurm")


def _multi_worker(task: Task, gpus: int, join_timeout: float) -> tf.distribute.Strategy:
    _check_port(task)
    resolver = tf.distribute.cluster_resolver.SimpleClusterResolver(
        tf.train.ClusterSpec(task.cluster),
        task_type=task.job,
        task_id=task.index,
        num_accelerators={"GPU": gpus},
    )
    try:
        with _time_limit(task, join_timeout):
            strategy = tf.distribute.MultiWorkerMirroredStrategy(resolver)
            over_workers(0, strategy)
            return strategy
    except (tf.errors.OpError, RuntimeError) as error:
        raise UserError(f"the workers cannot connect: {first_line(error)}") from error


def _check_port(task: Task):
    """Raises UserError if another program listens on this task's port.

    TensorFlow would share the port with it.
    """
    port = int(task.address.rpartition(":")[2])
    try:
        socket.create_server(("", port)).close()
    except OSError as error:
        raise UserError(
            f"{task.job} {task.index} cannot listen at {task.address} ({error.strerror}): "
            "stop the program that uses it, or choose another port"
        ) from error


@contextlib.contextmanager
def _time_limit(task: Task, seconds: float) -> Iterator[None]:
    """Exits the process with status 1 if the block takes longer.

    TensorFlow waits up to an hour for the other workers, in native code that holds Python's lock,
    so that neither a signal handler nor a Python thread can stop it. faulthandler can stop it, and
    the reason is printed before.
    """
    others = ", ".join(f"{name} at {a}" for a, name in task.names.items() if a != task.address)
    print(
        f"{task.job} {task.index} waits {seconds:g} s for {others}. If it exits now, not all "
        "of them joined: start them, fix the addresses, open the ports, or raise --join_timeout",
        file=sys.stderr,
        flush=True,
    )
    with open(os.devnull, "w") as nowhere:
        faulthandler.dump_traceback_later(seconds, exit=True, file=nowhere)
        try:
            yield
        finally:
            faulthandler.cancel_dump_traceback_later()


def _tpu() -> tf.distribute.Strategy:
    try:
        resolver = tf.distribute.cluster_resolver.TPUClusterResolver.connect()
        return tf.distribute.TPUStrategy(resolver)
    except (ValueError, tf.errors.OpError) as error:
        raise UserError(f"strategy=tpu: no TPU found ({first_line(error)})") from error
