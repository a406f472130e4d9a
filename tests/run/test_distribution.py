"""The choice of a strategy, and what replicas have in common."""

import json
import shutil
from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf

import tf_bigan as tb
from tests.core.test_game import NoisyEncoder
from tests.core.test_loop import two_replicas
from tests.core.test_resume import assert_same_bits
from tests.models.conftest import make_system
from tests.small import BATCH, IMAGE_SHAPE, LATENT, eager
from tf_bigan.callbacks.restore import checkpoints
from tf_bigan.core import workers
from tf_bigan.core.statistics import calibrate, diagnose, seed_states
from tf_bigan.run import cluster


def normalising_bigan(strategy, seed: int = 7, **compile_arguments):
    """A small BiGAN with batch normalisation in every network, and weights that are not tiny."""
    with strategy.scope():
        keras.utils.set_random_seed(seed)
        networks = {
            role: tb.networks.make(
                "paper", role, image_shape=IMAGE_SHAPE, latent_dim=LATENT, width=16
            )
            for role in tb.models.BiGAN.network_names()
        }
        rng = np.random.default_rng(1)
        for network in networks.values():
            for weight in network.trainable_variables:
                weight.assign(rng.normal(0, 0.2, weight.shape))
        model = tb.models.BiGAN(prior=tb.priors.Uniform(LATENT), **networks)
        model.compile(keras.optimizers.SGD(0.5), **compile_arguments)
    return model


@pytest.mark.slow
def test_sync_batch_norm_equals_batch_norm_of_the_whole_batch(images, tmp_path):
    one = normalising_bigan(tf.distribute.get_strategy(), jit_compile=False)
    two = normalising_bigan(two_replicas(), sync_batch_norm=True)
    apart = normalising_bigan(two_replicas(), jit_compile=False)
    two.fit(images, batch_size=BATCH, epochs=3, verbose=0)
    with eager():
        for model in (one, apart):
            model.fit(images, batch_size=BATCH, epochs=3, verbose=0)
    for a, b in zip(one.variables, two.variables, strict=True):
        np.testing.assert_allclose(a.numpy(), b.numpy(), atol=2e-5, err_msg=a.path)
    pairs = zip(one.trainable_variables, apart.trainable_variables, strict=True)
    assert max(np.abs(a.numpy() - b.numpy()).max() for a, b in pairs) > 1e-2

    # Outside of training one replica alone can do everything.
    diagnose(two, {"image": images[:4]})
    calibrate(two, [{"image": tf.constant(images[:BATCH])}])
    two.save(tmp_path / "model.keras")
    assert keras.saving.load_model(tmp_path / "model.keras").sync_batch_norm


def test_dropout_differs_between_the_replicas(images):
    strategy = two_replicas()
    model = normalising_bigan(strategy, jit_compile=False)
    with strategy.scope():
        parts = {name: getattr(model, name) for name in ("generator", "discriminator")}
        noisy = tb.models.BiGAN(prior=model.prior, encoder=NoisyEncoder(), **parts)
        noisy.compile(jit_compile=False)
    batch = {"image": tf.constant(images[:6])}

    def begin():
        noisy._begin(batch, noisy._draw(batch, 0)[1])
        return [tf.identity(state.value) for state in seed_states(noisy.encoder)]

    dropout, noise = map(strategy.experimental_local_results, strategy.run(begin))
    assert len({seed.numpy().tobytes() for seed in (*dropout, *noise)}) == 4


@pytest.mark.parametrize(
    ("name", "settings", "real", "fake", "adapted", "value"),
    [
        # k = λ (γ L(x) - L(G(z))) and m = X, of L(x) and X 1 on one replica and 2 on the other.
        ("began", "gamma=0.5,lambda_k=0.2", "loss_real", "loss_fake", "k", 0.2 * (0.75 - 0.5)),
        ("magan", "period=1,pretraining=1", "energy_real", "energy_fake", "margin", 1.5),
    ],
)
def test_what_a_system_adapts_is_of_all_replicas(name, settings, real, fake, adapted, value):
    strategy = two_replicas()
    with strategy.scope():
        model = make_system(name, optimizer=keras.optimizers.SGD(0.1), options={"set": settings})

    def player_losses(batch, z, training):
        logs = {real: tf.reduce_mean(batch["image"]), fake: tf.constant(0.5)}
        sums = {p: [tf.reduce_sum(v) for v in model.player_variables(p)] for p in model.players}
        return {player: tf.add_n(parts) for player, parts in sums.items()}, logs

    model.player_losses = player_losses
    batch = strategy.experimental_distribute_values_from_function(
        lambda context: {"image": tf.fill((4, 8, 8, 1), 1.0 + context.replica_id_in_sync_group)}
    )
    tf.function(lambda: strategy.run(model.train_step, args=(batch,)))()
    state = strategy.experimental_local_results(getattr(model, adapted).value)
    np.testing.assert_allclose(state, [value, value], rtol=1e-6)


@pytest.fixture
def environment(monkeypatch):
    """A function that sets TF_CONFIG and nothing else that names workers."""
    for name in ("TF_CONFIG", "SLURM_STEP_NUM_TASKS", "TPU_NAME"):
        monkeypatch.delenv(name, raising=False)

    def tf_config(cluster, job="worker", index=0):
        config = {"cluster": cluster, "task": {"type": job, "index": index}}
        monkeypatch.setenv("TF_CONFIG", json.dumps(config))

    return tf_config


def test_none_where_nothing_else_is_there(environment, monkeypatch):
    for name in ("auto", "none"):
        strategy, line = cluster.choose(name)
        assert strategy.num_replicas_in_sync == 1 and line.startswith("strategy: none (")
        assert workers.is_chief(strategy)
        assert workers.over_workers(3, strategy) == [3]
        workers.check_same("x", "nothing", strategy)
    with pytest.raises(tb.UserError, match="no other worker is named: set TF_CONFIG"):
        cluster.choose("multi_worker")
    monkeypatch.setattr(tf.distribute, "MirroredStrategy", lambda devices: strategy)
    assert cluster.choose("mirrored")[1] == "strategy: mirrored, 1 replica (0 GPUs here)"
    environment({"worker": ["localhost:1"]})  # a cluster of one
    assert "none" in cluster.choose()[1]
    environment({"worker": ["localhost:1", "localhost:2"]})
    assert "none (as given)" in cluster.choose("none")[1]


def test_several_gpus_are_mirrored(environment, monkeypatch):
    physical, logical = tf.config.list_physical_devices, tf.config.list_logical_devices
    gpus = logical("CPU")  # two, and they can be trained on
    monkeypatch.setattr(
        tf.config, "list_physical_devices", lambda kind: gpus if kind == "GPU" else physical(kind)
    )
    monkeypatch.setattr(
        tf.config, "list_logical_devices", lambda kind: gpus if kind == "GPU" else logical(kind)
    )
    strategy = two_replicas()
    monkeypatch.setattr(tf.distribute, "MirroredStrategy", lambda devices: strategy)
    for name in ("auto", "mirrored"):
        strategy, line = cluster.choose(name)
        assert line == "strategy: mirrored, 2 replicas (2 GPUs here)"
        assert workers.is_chief(strategy)
    assert "none" in cluster.choose("none")[1]


@pytest.mark.slow
def test_a_mirrored_run_is_resumed_with_the_same_bits(command, tmp_path, monkeypatch, few_batches):
    """With several steps a call, an average, measurements, pictures and checkpoints."""
    strategy = two_replicas()
    monkeypatch.setattr(tf.distribute, "MirroredStrategy", lambda devices: strategy)
    options = [
        *("--strategy=mirrored", "--dataset=digits", "--width=8", "--epochs=2", "--batch_size=300"),
        *("--steps_per_execution=2", "--checkpoint_steps=2", "--precision=float32"),
        *("--jit_compile=false", "--eval_every=2", "--picture_every=2"),
        *("--networks=mlp", "--model=bigan", "--penalty=none"),  # traced for each replica
    ]
    whole, again = tmp_path / "whole", tmp_path / "again"
    status, out, err = command("train", f"--workdir={whole}", *options)
    assert status == 0, err
    assert "strategy: mirrored, 2 replicas (0 GPUs here)" in out
    assert "loss_D" in out and "NND/100" in out

    shutil.copytree(whole, again)  # as of a run that was lost in the middle of its second epoch
    (again / "model.keras").unlink()
    (step, _), (_, last) = checkpoints(again / "checkpoints")[-2:]
    Path(last).unlink()
    status, out, err = command("train", f"--workdir={again}", *options)
    assert status == 0, err
    assert 5 < step < 10 and f"resuming at step {step} from" in out
    assert_same_bits(again / "model.keras", whole / "model.keras")


@pytest.mark.parametrize(
    "text, message",
    [
        ("nonsense", "TF_CONFIG is not JSON"),
        ("{}", "TF_CONFIG lacks 'cluster'"),
        ('{"cluster": {"worker": ["a:1", "b:1"]}}', "TF_CONFIG lacks 'task'"),
        ('{"cluster": 3, "task": {}}', "TF_CONFIG lacks"),
        ('{"cluster": {}, "task": {"type": "worker", "index": 0}}', "no chief and no worker"),
        (
            '{"cluster": {"worker": ["a:1", "b:1"]}, "task": {"type": "worker", "index": 2}}',
            "there is no worker 2, the cluster has 2, counted from 0",
        ),
        (
            '{"cluster": {"worker": ["a:1", "b:1"]}, "task": {"type": "ps", "index": 0}}',
            "the task is of type 'ps', but the cluster has worker",
        ),
        (
            '{"cluster": {"worker": ["a:1", "b"]}, "task": {"type": "worker", "index": 0}}',
            "'b' is not HOST:PORT",
        ),
        (
            '{"cluster": {"worker": ["a:1", "b:99999"]}, "task": {"type": "worker", "index": 0}}',
            "'b:99999' is not HOST:PORT",
        ),
        (
            '{"cluster": {"worker": ["a:1", "a:1"]}, "task": {"type": "worker", "index": 0}}',
            "TF_CONFIG names a:1 twice",
        ),
    ],
)
def test_broken_tf_config(environment, monkeypatch, text, message):
    monkeypatch.setenv("TF_CONFIG", text)
    with pytest.raises(tb.UserError, match=message) as error:
        cluster.choose()
    assert "\n" not in str(error.value)


def test_slurm_names_the_workers(environment, monkeypatch):
    for name, value in {
        "STEP_NUM_TASKS": "3",
        "STEP_NODELIST": "node[01-02]",
        "STEP_TASKS_PER_NODE": "2,1",
        "PROCID": "1",
        "JOB_ID": "40007",
    }.items():
        monkeypatch.setenv(f"SLURM_{name}", value)
    task = cluster._task()
    assert task.cluster == {"worker": ["node01:10007", "node01:10008", "node02:10009"]}
    assert (task.job, task.index, task.address) == ("worker", 1, "node01:10008")
    assert task.names["node02:10009"] == "worker 2"
    # By rank, and not by name, in which node10 comes before node9.
    monkeypatch.setenv("SLURM_STEP_NODELIST", "node[9-10]")
    assert cluster._task().cluster["worker"][2] == "node10:10009"
    monkeypatch.setenv("SLURMD_NODENAME", "node10")
    with pytest.raises(tb.UserError, match="order of the nodes"):
        cluster.choose()
    monkeypatch.delenv("SLURMD_NODENAME")
    monkeypatch.delenv("SLURM_STEP_NODELIST")
    with pytest.raises(tb.UserError, match="Slurm's variables do not name the workers"):
        cluster.choose()


def test_the_replicas_must_divide_the_batch(images):
    model = normalising_bigan(two_replicas(), jit_compile=False)
    with pytest.raises(tb.UserError, match="13 cannot be divided among 2 replicas"):
        model.fit(images, batch_size=13, verbose=0)
