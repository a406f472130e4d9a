"""What the tests of the commands share: runs whose models are new, and tiny."""

import functools
from pathlib import Path

import pytest

from tf_bigan.run import build, trained
from tf_bigan.run.config import Config
from tf_bigan.run.workdir import Workdir

TINY = {"networks": "mlp", "width": 8, "latent_dim": 4, "precision": "float32", "ema": 0.0}


def new_run(root: Path, **options) -> Path:
    """A run of digits that has saved its model before its first step."""
    config = Config.from_dict(TINY | options)
    model, _ = build.build_model(config, (8, 8, 1), steps_per_epoch=4, classes=3)
    workdir = Workdir(root)
    workdir.prepare(config, {}, 1249)
    model.save(workdir.model)
    return root


@pytest.fixture(scope="session")
def bigan_run(tmp_path_factory) -> Path:
    return new_run(tmp_path_factory.mktemp("bigan") / "run")


@pytest.fixture(scope="session")
def classes_run(tmp_path_factory) -> Path:
    """A Triple-GAN of three classes."""
    prior = {"model": "triple_gan", "prior": "normal4+categorical3"}
    return new_run(tmp_path_factory.mktemp("classes") / "run", **prior)


@pytest.fixture(scope="session")
def _load_once():
    return functools.cache(trained.load_trained)


@pytest.fixture
def loaded_once(_load_once, monkeypatch):
    """The commands share a loaded model, and what TensorFlow has traced of it.

    Only for runs that stay as they are.
    """
    monkeypatch.setattr(trained, "load_trained", lambda path: _load_once(str(path)))
