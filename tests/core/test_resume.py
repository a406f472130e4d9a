"""A run that is stopped in any way and started again ends as one that never was."""

import io
import os
import re
import shlex
import signal
import subprocess
import sys
import threading
import time
import zipfile
from pathlib import Path

import h5py
import numpy as np
import pytest

from tf_bigan.callbacks.restore import checkpoints

ROOT = Path(__file__).parents[2]


def state(path: Path) -> dict[str, np.ndarray]:
    """Every array in a .keras file: weights, their average, optimizers, step."""
    arrays = {}

    def visit(name, item):
        if isinstance(item, h5py.Dataset):
            arrays[name] = item[()]

    with zipfile.ZipFile(path) as archive:
        file = io.BytesIO(archive.read("model.weights.h5"))
    with h5py.File(file) as weights:
        weights.visititems(visit)
    return arrays


def assert_same_bits(path: Path, expected: Path):
    ours, theirs = state(path), state(expected)
    assert ours.keys() == theirs.keys()
    assert any("average" in name for name in ours) and any("optimizer" in name for name in ours)
    for name, array in theirs.items():
        assert ours[name].dtype == array.dtype and ours[name].shape == array.shape, name
        assert ours[name].tobytes() == array.tobytes(), name


def start(arguments: list[str], cwd: Path) -> subprocess.Popen:
    return subprocess.Popen(
        [sys.executable, *arguments],
        cwd=cwd,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
    )


def wait_for_step(workdir: Path, step: int, seconds: float = 240):
    """Returns as soon as there is a checkpoint of `step` or a later one."""
    end = time.monotonic() + seconds
    while max((at for at, _ in checkpoints(workdir / "checkpoints")), default=0) < step:
        assert time.monotonic() < end, f"no checkpoint of step {step}"
        time.sleep(0.005)


@pytest.mark.slow
def test_terminated_then_killed_then_resumed_is_as_undisturbed(tiny_run, tiny_options, tmp_path):
    workdir = tmp_path / "a run"  # the space must survive in the command
    process = start(["train.py", "--workdir", str(workdir), *tiny_options], ROOT)
    wait_for_step(workdir, 8)
    process.terminate()
    out, err = process.communicate()
    assert process.returncode == 128 + signal.SIGTERM, err
    assert "stopped after" in out and "stopped and saved. Resume with:" in out
    command = shlex.split(out.splitlines()[-1])
    assert command[0] == "python"
    stopped_at = checkpoints(workdir / "checkpoints")[-1][0]
    assert 8 <= stopped_at < 72 and not (workdir / "model.keras").exists()

    process = start(command[1:], ROOT)
    wait_for_step(workdir, stopped_at + 8)
    process.kill()
    out, err = process.communicate()
    assert process.returncode == -signal.SIGKILL
    assert f"resuming at step {stopped_at} from" in out or not out  # what was not flushed is lost
    killed_at = checkpoints(workdir / "checkpoints")[-1][0]
    assert stopped_at < killed_at < 72 and not (workdir / "model.keras").exists()

    process = start(command[1:], ROOT)
    out, err = process.communicate()
    assert process.returncode == 0, err
    assert f"resuming at step {killed_at} from" in out
    undisturbed = tiny_run[0]
    assert_same_bits(workdir / "model.keras", undisturbed / "model.keras")
    last = "checkpoints/step-00000072.keras"
    assert_same_bits(workdir / last, undisturbed / last)

    def records(run):
        text = (run / "metrics.jsonl").read_text()
        return re.sub(r'"seconds": [\d.]+', "", text)

    assert records(workdir) == records(undisturbed)


@pytest.mark.slow
def test_after_ctrl_c_it_ends_as_undisturbed(
    tiny_run, tiny_options, tmp_path, command, monkeypatch
):
    workdir = tmp_path / "run"
    monkeypatch.setattr(sys, "argv", ["train.py"])

    def interrupt():
        wait_for_step(workdir, 8)
        os.kill(os.getpid(), signal.SIGINT)

    thread = threading.Thread(target=interrupt)
    thread.start()
    status, out, err = command("train", f"--workdir={workdir}", *tiny_options, "--nostrict_data")
    thread.join()
    assert status == 128 + signal.SIGINT, err
    expected = ["python", "train.py", f"--workdir={workdir}", *tiny_options, "--nostrict_data"]
    arguments = shlex.split(out.splitlines()[-1])
    assert arguments[:3] == expected[:3] and sorted(arguments) == sorted(expected)
    stopped_at = checkpoints(workdir / "checkpoints")[-1][0]
    assert 8 <= stopped_at < 72 and not (workdir / "model.keras").exists()

    status, out, err = command("train", *arguments[2:])
    assert status == 0, err
    assert f"resuming at step {stopped_at} from" in out
    assert_same_bits(workdir / "model.keras", tiny_run[0] / "model.keras")
