"""Two processes over localhost: what they compute together, who writes, and how they fail."""

import itertools
import json
import os
import pickle
import signal
import socket
import subprocess
import sys
from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf

import tf_bigan as tb
from tests.core.test_game import AlternatingBiGAN
from tests.core.test_loop import plain_bigan
from tests.core.test_resume import assert_same_bits, wait_for_step
from tests.run.test_distribution import normalising_bigan
from tests.small import BATCH, IMAGE_SHAPE
from tf_bigan.callbacks.restore import checkpoints
from tf_bigan.core import workers
from tf_bigan.core.trainer import _batches
from tf_bigan.run import cluster, train

ROOT = Path(__file__).parents[2]
GAMES = {
    "BiGAN Adam": (tb.models.BiGAN, lambda: tb.optimizers.Adam(0.01, beta_1=0.5)),
    "AlternatingBiGAN SGD": (AlternatingBiGAN, lambda: keras.optimizers.SGD(0.5)),
}
EXAMPLES = 4 * BATCH + 5  # no multiple of anything


def noise() -> np.ndarray:
    return np.random.default_rng(0).random((4 * BATCH, *IMAGE_SHAPE), np.float32)


def trained(game: str, strategy) -> dict:
    """Weights and logs of a game without batch norm after two epochs.

    If distributed, one of them with XLA, which takes long to compile.
    """
    (system, optimizer), x = GAMES[game], noise()
    xla = strategy.num_replicas_in_sync > 1 and system is AlternatingBiGAN
    model = plain_bigan(system, optimizer, strategy, jit_compile=xla, steps_per_execution=3)
    history = model.fit(x, batch_size=BATCH, epochs=2, validation_data=x[BATCH:], verbose=0).history
    return {"weights": [v.numpy() for v in model.trainable_variables], "logs": history}


def normalised(strategy, **arguments) -> list[np.ndarray]:
    """Everything in a model with batch norm after two epochs."""
    model = normalising_bigan(strategy, **arguments)
    model.fit(noise(), batch_size=BATCH, epochs=2, verbose=0)
    return [v.numpy() for v in model.variables]


def numbers_seen(x, strategy, steps: int) -> list[int]:
    """The labels, which number the examples, in this worker's parts of the batches."""
    source, _ = _batches(x, None, None, steps)
    if isinstance(source, tf.data.Dataset):
        dataset = strategy.experimental_distribute_dataset(source)
    else:
        dataset = strategy.distribute_datasets_from_function(lambda context: source(0, context))
    local = strategy.experimental_local_results
    parts = [local(batch["label"])[0].numpy() for batch in itertools.islice(dataset, steps)]
    return np.concatenate(parts).tolist()


class Terminated(keras.callbacks.Callback):
    def on_train_batch_end(self, batch, logs=None):
        if self.model.step.numpy() == 2:
            os.kill(os.getpid(), signal.SIGTERM)


def work(directory: str):
    """One worker's part of what the tests look at."""
    strategy, line = cluster.choose("auto", 120)
    directory, chief = Path(directory), workers.is_chief(strategy)
    found = {"line": line, "chief": chief, "games": {g: trained(g, strategy) for g in GAMES}}

    found["everything"] = normalised(strategy, ema=0.9, jit_compile=True, steps_per_execution=3)
    found["synchronised"] = normalised(strategy, sync_batch_norm=True)

    model = normalising_bigan(strategy, jit_compile=False, steps_per_execution=1)
    draws = strategy.run(lambda: model._draw({"image": tf.constant(noise()[:6])}, 0))
    found["draw"] = [strategy.experimental_local_results(d)[0].numpy() for d in draws]

    mine = directory / ("chief" if chief else "other")
    callbacks = [tb.callbacks.SampleGrid(mine), tb.callbacks.Checkpoint(mine, every_steps=1)]
    callbacks += [tb.callbacks.Dashboard(mine, noise()[:8]), tb.callbacks.Guard(noise()[:8])]
    callbacks += [tb.callbacks.Evaluation(lambda model: {"a": 1.0}, mine / "metrics.jsonl")]
    callbacks += [tb.callbacks.Progress(BATCH)] + [Terminated()] * (not chief)
    callbacks += [tb.callbacks.StopOnSignal()]
    model.fit(noise(), batch_size=BATCH, epochs=5, verbose=0, callbacks=callbacks)
    found["stopped at"] = int(model.step.numpy())

    images = np.zeros((EXAMPLES, *IMAGE_SHAPE), np.uint8)
    held = tb.data.ImageData("numbered", images, np.arange(EXAMPLES))
    found["examples"] = numbers_seen(held.batches(BATCH, seed=1), strategy, EXAMPLES)
    pairs = tf.data.Dataset.from_tensor_slices((images[: 3 * BATCH], np.arange(3 * BATCH)))
    found["dataset"] = numbers_seen(pairs.batch(BATCH), strategy, 3)

    try:
        workers.check_same(f"{chief}", "who they are", strategy)
    except tb.UserError as error:
        found["differ"] = str(error)
    (directory / f"{chief}.pickle").write_bytes(pickle.dumps(found))
    workers.over_workers(0, strategy)


def tf_config(cluster: dict[str, list[str]], job: str, index: int) -> str:
    return json.dumps({"cluster": cluster, "task": {"type": job, "index": index}})


def start(arguments: list, cluster: dict[str, list[str]], job: str, index: int):
    environment = {"TF_CONFIG": tf_config(cluster, job, index), "PYTHONPATH": str(ROOT)}
    return subprocess.Popen(
        [sys.executable, *map(str, arguments)],
        cwd=ROOT,
        env=os.environ | environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def addresses(count: int = 2) -> list[str]:
    """Free ones, as long as nobody else takes them."""
    sockets = [socket.socket() for _ in range(count)]
    for one in sockets:
        one.bind(("localhost", 0))
    names = [f"localhost:{one.getsockname()[1]}" for one in sockets]
    for one in sockets:
        one.close()
    return names


def both(*arguments, with_chief: bool = False) -> list[subprocess.Popen]:
    """Two tasks, the one that writes first: workers 0 and 1, or a chief and worker 0."""
    first, second = addresses()
    if with_chief:
        cluster = {"chief": [first], "worker": [second]}
        return [start(arguments, cluster, job, 0) for job in cluster]
    cluster = {"worker": [first, second]}
    return [start(arguments, cluster, "worker", index) for index in range(2)]


def ends(processes, status: int = 0) -> list[tuple[str, str]]:
    """(stdout, stderr) of each, when they have all ended."""
    try:
        outputs = [process.communicate(timeout=240) for process in processes]
    finally:
        for process in processes:
            process.kill()
    for process, (_, err) in zip(processes, outputs, strict=True):
        assert process.returncode == status, err
    return outputs


@pytest.fixture(scope="module")
def found(tmp_path_factory) -> tuple[Path, dict, dict]:
    """(where they wrote, what the chief found, what the other worker found)."""
    directory = tmp_path_factory.mktemp("workers")
    code = f"from tests.core.test_multi_worker import work; work({str(directory)!r})"
    ends(both("-c", code, with_chief=True))
    return directory, *(
        pickle.loads((directory / f"{chief}.pickle").read_bytes()) for chief in (True, False)
    )


@pytest.mark.slow
def test_the_strategy_is_printed(found):
    for task, one in zip(("chief 0", "worker 0"), found[1:], strict=True):
        assert one["line"] == (
            f"strategy: multi_worker, 2 replicas ({task} of 2 tasks, from TF_CONFIG)"
        )


@pytest.mark.slow
@pytest.mark.parametrize("game", GAMES)
def test_two_workers_equal_one_with_the_whole_batch(found, game):
    one = trained(game, tf.distribute.get_strategy())
    two = found[1]["games"][game]
    for a, b in zip(one["weights"], two["weights"], strict=True):
        np.testing.assert_allclose(a, b, atol=2e-5)
    assert two["logs"] == found[2]["games"][game]["logs"]
    assert {"loss_D", "loss_EG", "val_loss_D", "val_loss_EG"} <= set(two["logs"])
    for name, values in one["logs"].items():  # the logs are those of the global batch
        np.testing.assert_allclose(values, two["logs"][name], atol=2e-5, err_msg=name)


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["everything", "synchronised"])
def test_workers_agree_in_everything_after_training(found, kind):
    for a, b in zip(found[1][kind], found[2][kind], strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.mark.slow
def test_sync_batch_norm_equals_batch_norm_of_the_whole_batch(found):
    one = normalised(tf.distribute.get_strategy(), jit_compile=False)
    for a, b in zip(one, found[1]["synchronised"], strict=True):
        np.testing.assert_allclose(a, b, atol=2e-5)


@pytest.mark.slow
def test_each_worker_draws_its_own_z(found):
    (z, key), (other_z, other_key) = found[1]["draw"], found[2]["draw"]
    assert np.abs(z - other_z).min() > 0 and (key != other_key).any()


@pytest.mark.slow
def test_a_signal_to_one_task_stops_all_and_only_the_chief_writes(found):
    directory, chief, other = found
    assert chief["stopped at"] == other["stopped at"] == 2
    assert not (directory / "other").exists()
    names = {path.name.partition("-")[0] for path in (directory / "chief").iterdir()}
    assert {"samples", "step", "metrics.jsonl"} < names


@pytest.mark.slow
def test_each_example_is_seen_once_a_pass(found):
    seen = np.array([one["examples"] for one in found[1:]])  # [workers, rows]
    stream = seen.reshape(2, -1, BATCH // 2).transpose(1, 0, 2).reshape(-1, EXAMPLES)
    assert len(stream) == BATCH
    for one_pass in stream:
        assert sorted(one_pass) == list(range(EXAMPLES))
    assert sorted(found[1]["dataset"] + found[2]["dataset"]) == list(range(3 * BATCH))


@pytest.mark.slow
def test_a_difference_is_an_error_in_all(found):
    assert found[1]["differ"] == found[2]["differ"] == "the workers differ in who they are"


OPTIONS = [
    *("--dataset=digits", "--width=16", "--epochs=2", "--eval_every=2", "--picture_every=2"),
    *("--checkpoint_steps=4", "--steps_per_execution=2", "--jit_compile=false"),
    *("--networks=mlp", "--model=bigan", "--penalty=none"),  # traced in every process
]


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory) -> tuple[Path, list[tuple[str, str]]]:
    workdir = tmp_path_factory.mktemp("undisturbed") / "run"
    return workdir, ends(both("train.py", f"--workdir={workdir}", *OPTIONS, "--profile=3:5"))


@pytest.mark.slow
def test_only_the_chief_speaks_and_writes(undisturbed):
    workdir, ((out, err), (other_out, other_err)) = undisturbed
    assert "epoch 2/2" in out and "finished" in out and other_out == ""
    assert sorted(path.name for path in workdir.iterdir()) == [
        *(".lock", "checkpoints", "config.json", "logs", "metrics.jsonl", "model.keras", "samples")
    ]
    assert len((workdir / "metrics.jsonl").read_text().splitlines()) == 2  # epochs 0 and 2
    assert len(list((workdir / "logs").glob("events.*"))) == 1
    assert len(list((workdir / "logs").rglob("*.xplane.pb"))) == 1


@pytest.mark.parametrize(
    "losses",
    [
        pytest.param((0,), id="the chief", marks=pytest.mark.slow),
        pytest.param((1, 0), id="a worker, then the chief", marks=pytest.mark.exhaustive),
    ],
)
def test_resumed_after_the_loss_of_a_task_is_as_undisturbed(losses, undisturbed, tmp_path):
    workdir = tmp_path / "run"
    command = ["train.py", f"--workdir={workdir}", *OPTIONS]
    newest = 0
    for lost in losses:
        tasks = both(*command)
        wait_for_step(workdir, newest + 4)
        tasks[lost].kill()
        _, err = tasks[1 - lost].communicate(timeout=240)
        assert tasks[lost].wait() == -signal.SIGKILL and tasks[1 - lost].returncode == 1, err
        assert "another worker is lost" in err.splitlines()[-1]
        assert "restart all workers to resume" in err.splitlines()[-1]
        before, newest = newest, checkpoints(workdir / "checkpoints")[-1][0]
        assert before < newest < 40

    (out, _), (other_out, _) = ends(both(*command, with_chief=True))
    assert f"resuming at step {newest} from" in out and other_out == ""
    assert_same_bits(workdir / "model.keras", undisturbed[0] / "model.keras")


@pytest.mark.slow
def test_a_task_that_another_stops_says_how_to_resume(command, tmp_path, monkeypatch):
    monkeypatch.setattr(workers, "over_workers", lambda value, strategy: [value, value or 1])
    status, out, err = command(
        *("train", f"--workdir={tmp_path}/run", "--width=8", "--epochs=2", "--eval_every=0"),
        *("--steps_per_execution=2", "--jit_compile=false", "--networks=mlp"),
    )
    assert status == 128 + signal.SIGTERM, err
    assert "stopped and saved. Resume with:" in out
    assert [step for step, _ in checkpoints(tmp_path / "run" / "checkpoints")] == [1]


@pytest.mark.slow
def test_waiting_for_a_worker_that_never_joins_ends():
    """Worker 0 of one cluster and worker 1 of another, at the same time."""
    clusters = [addresses(3) for _ in range(2)]
    command = ["train.py", "--dry_run", "--join_timeout=4"]
    tasks = [start(command, {"worker": c}, "worker", index) for index, c in enumerate(clusters)]
    for index, (out, err) in enumerate(ends(tasks, status=1)):
        others = [f"worker {i} at {clusters[index][i]}" for i in range(3) if i != index]
        line = err.splitlines()[-1]
        assert line.startswith(f"worker {index} waits 4 s for {', '.join(others)}. If it exits ")
        assert line.endswith(
            "start them, fix the addresses, open the ports, or raise --join_timeout"
        )
        assert "most recent call" not in err and out == ""


def test_a_taken_port_is_named(monkeypatch, command):
    with socket.create_server(("", 0)) as taken:
        cluster = [f"localhost:{taken.getsockname()[1]}", "localhost:1"]
        monkeypatch.setenv("TF_CONFIG", tf_config({"worker": cluster}, "worker", 0))
        status, _, err = command("train", "--dry_run")
    assert status == 2 and f"worker 0 cannot listen at {cluster[0]} (" in err.splitlines()[-1]


def test_a_task_lost_while_others_look_at_the_images_is_one_line(command, monkeypatch, tmp_path):
    def lost(*arguments):
        raise tf.errors.UnavailableError(None, None, "worker 1 is gone\nand more")

    monkeypatch.setattr(workers, "over_workers", lambda value, strategy: [value, value])
    monkeypatch.setattr(train, "config_of_data", lost)
    run = f"--workdir={tmp_path}/run"
    status, _, err = command("train", run, "--dataset=fashion_mnist")
    line = "another worker is lost (worker 1 is gone): restart all workers to resume"
    assert (status, err) == (1, f"train.py: {line}\n")


def test_workers_with_different_options_say_so(command, monkeypatch):
    """That a difference is found in all workers is shown above."""
    monkeypatch.setattr(workers, "over_workers", lambda value, strategy: [value, value + 1])
    status, _, err = command("train", "--dry_run")
    assert (status, err) == (2, "train.py: the workers differ in the options\n")
