"""The command that opens the page, and mistakes in it."""

import importlib.metadata
import json
import socket

import numpy as np
import pytest

from tf_bigan.explore import __main__ as command_line
from tf_bigan.explore import server
from tf_bigan.run.flags import run


def call(capsys, *arguments) -> tuple[int, str]:
    command_line.FLAGS.unparse_flags()
    argv = ["python -m tf_bigan.explore", *map(str, arguments)]
    status = run(command_line.main, argv, command_line.__doc__, command_line.FLAGS)
    return status, capsys.readouterr().err


@pytest.fixture
def workdir(tmp_path):
    (tmp_path / "config.json").write_text(json.dumps({"config": {}}))
    return tmp_path


@pytest.fixture
def gradio_version(monkeypatch):
    """A function that makes another version of gradio seem to be installed, or none."""

    def pretend(version: str | None):
        def answer(name):
            if version is None:
                raise importlib.metadata.PackageNotFoundError(name)
            return version

        monkeypatch.setattr(importlib.metadata, "version", answer)

    return pretend


def test_mistakes_in_the_command(capsys, tmp_path):
    status, err = call(capsys)
    assert status == 2 and "give either --workdir=DIR" in err and err.count("\n") == 1
    assert call(capsys, f"--workdir={tmp_path}", "--detector=a.joblib")[0] == 2
    status, err = call(capsys, "--detector=a.joblib", "--most=10")
    assert status == 2 and "--most is for --workdir=DIR" in err and err.count("\n") == 1
    status, err = call(capsys, f"--workdir={tmp_path}")
    assert status == 2 and "holds no run" in err and err.count("\n") == 1
    assert call(capsys, f"--workdir={tmp_path}", "--port=70000")[0] == 2


@pytest.mark.smoke
@pytest.mark.parametrize("version", [None, "5.49.1"])
def test_without_gradio(capsys, workdir, gradio_version, version):
    gradio_version(version)
    status, err = call(capsys, f"--workdir={workdir}")
    assert status == 1 and '-e ".[explore]"' in err and err.count("\n") == 1


def test_a_port_that_is_taken(capsys, workdir, gradio_version):
    gradio_version("6.31.0")
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        status, err = call(capsys, f"--workdir={workdir}", f"--port={port}")
    assert status == 2 and err.count("\n") == 1
    assert f"cannot listen on 127.0.0.1, port {port} (Address already in use)" in err


@pytest.mark.slow
def test_a_run_of_train_py_is_opened(tiny_run):
    from tf_bigan.run.workdir import Workdir

    command_line.FLAGS(["explore", "--most=200"])
    workdir = Workdir(tiny_run[0])
    explorer = command_line.open_run(workdir, workdir.read_config())
    assert explorer.inverts and len(explorer.errors) == len(explorer.codes) == 200
    x = explorer.held_out.as_float(0)
    look = explorer.look(x)
    expected = np.abs(x - explorer.model.reconstruct(x[None])[0]).sum()
    assert look.error == pytest.approx(expected, rel=1e-4)


def test_the_host_in_a_url():
    hosts = ("localhost", "127.0.0.1", "::1")
    assert [server.in_url(host) for host in hosts] == ["localhost", "127.0.0.1", "[::1]"]
