"""What an installed wheel must hold; `.ci/pythons` runs it, and all else that is marked smoke."""

import importlib
import pkgutil

import numpy as np
import pytest

import tf_bigan as tb
from tests.models.conftest import make_batch, make_system, step_eagerly

pytestmark = pytest.mark.smoke

EXTRAS = {"gradio"}  # what a module may import that the package does not require


def test_every_module_can_be_imported():
    names = {module.name for module in pkgutil.walk_packages(tb.__path__, "tf_bigan.")}
    assert {"tf_bigan.core.model", "tf_bigan.models.bigan", "tf_bigan.run.train"} < names
    for name in names:
        try:
            importlib.import_module(name)
        except ModuleNotFoundError as error:
            assert error.name in EXTRAS, name


@pytest.mark.parametrize("name", ["bigan", "vae_gan", "wgan_gp", "triple_gan", "dann"])
def test_a_system_of_each_kind_trains(name):
    model = make_system(name)
    before = [v.numpy() for v in model.trainable_variables]
    step_eagerly(model, make_batch())
    after = [v.numpy() for v in model.trainable_variables]
    assert all(np.isfinite(w).all() for w in after)
    assert any((v != w).any() for v, w in zip(before, after, strict=True))
