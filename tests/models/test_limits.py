"""Numbers that make no sense as a hyperparameter are refused, before any network is looked at."""

import math
import re

import numpy as np
import pytest

import tf_bigan as tb
from tf_bigan.errors import UserError

inf, nan = math.inf, math.nan


class Own(tb.AdversarialModel):
    """A system outside of this package, with one network."""

    players = {"D": ("discriminator",)}
    schedule = (("D",),)


def make(system, **options):
    networks = dict.fromkeys(system.network_names())
    return system(prior=tb.priors.Normal(2), **networks, **options)


@pytest.mark.parametrize(
    "name, option, value, rule",
    [
        ("alice", "weight", -1.0, "in [0, inf)"),
        ("began", "gamma", 5.0, "in [0, 1]"),
        ("began", "lambda_k", -1.0, "in [0, inf)"),
        ("began", "halve_every", 0, "in [1, inf)"),
        ("cycle_bigan", "cycle", -1.0, "in [0, inf)"),
        ("cycle_bigan", "hidden", 1.0, "in [0, 1)"),
        ("dann", "dropout", 1.0, "in [0, 1)"),
        ("dann", "dropout", -1.0, "in [0, 1)"),
        ("dann", "total_steps", 0, "in [1, inf)"),
        ("ebgan", "margin", -5.0, "in [0, inf)"),
        ("gan", "smoothing", 2.0, "in [0, 1)"),
        ("infogan", "lambda_categorical", -1.0, "in [0, inf)"),
        ("joint_latent_regressor", "weight", -1.0, "in [0, inf)"),
        ("loss_sensitive_gan", "leak", 1.1, "in [0, 1]"),
        ("loss_sensitive_gan", "margin", -1.0, "in [0, inf)"),
        ("loss_sensitive_gan", "slope", 3.0, "in (-inf, 1]"),
        ("magan", "period", 0, "in [1, inf)"),
        ("magan", "pretraining", 0, "in [1, inf)"),
        ("sgan", "supervised", -1.0, "in [0, inf)"),
        ("triple_gan", "predicted_share", 2.0, "in [0, 1]"),
        ("vae_gan", "sigma", 0.0, "in (0, inf)"),
        ("wgan_gp", "penalty", -10.0, "in [0, inf)"),
        ("gan", "minimax", "no", "a bool"),
        ("gan", "minimax", 1, "a bool"),
        ("gan", "smoothing", "much", "a float"),
        ("gan", "smoothing", True, "a float"),
        ("magan", "period", 2.5, "an int"),
        ("magan", "period", True, "an int"),
        ("autoencoder", "norm", 2, "a str"),
    ],
)
def test_what_makes_no_sense_is_refused(name, option, value, rule):
    system = tb.models.find(name)
    line = f"{system.__name__}: {option}={value}: it must be {rule}"
    with pytest.raises(UserError, match=f"^{re.escape(line)}$"):
        make(system, **{option: value})


@pytest.mark.parametrize(
    "default, value", [(False, np.True_), (3, np.int64(4)), (0.5, np.float32(1)), (0.5, 1)]
)
def test_numpys_values_are_of_the_kind(monkeypatch, default, value):
    monkeypatch.setattr(Own, "hyperparameters", {"option": default})
    assert make(Own, option=value).option is value


@pytest.mark.parametrize("name", tb.models.names())
def test_every_number_is_finite(name):
    system = tb.models.find(name)
    assert set(system.limits) <= set(system.hyperparameters)
    for option, default in system.hyperparameters.items():
        if isinstance(default, float):
            for value in (nan, inf, -inf):
                with pytest.raises(UserError, match=f": {option}={value}: it must be in "):
                    make(system, **{option: value})


@pytest.mark.parametrize(
    "limits, inside, outside",
    [
        (None, (0, 3.5), (-1e-9, inf, nan)),
        ("[0, 1]", (0, 1), (-1e-9, 1.001, nan)),
        ("(0, 1)", (1e-9, 0.999), (0, 1)),
        ("(-inf, inf)", (-3, 3), (-inf, inf, nan)),
    ],
)
def test_open_and_closed_ends(monkeypatch, limits, inside, outside):
    monkeypatch.setattr(Own, "hyperparameters", {"rate": 0.5})
    monkeypatch.setattr(Own, "limits", {"rate": limits} if limits else {})
    assert [make(Own, rate=value).rate for value in inside] == list(inside)
    for value in outside:
        with pytest.raises(UserError, match=f"^Own: rate={value}: "):
            make(Own, rate=value)


@pytest.mark.parametrize("default, value", [(-1.0, -2.0), (inf, 3), (None, -1), ("l2", "l1")])
def test_the_rule_is_not_for_defaults_that_break_it(monkeypatch, default, value):
    monkeypatch.setattr(Own, "hyperparameters", {"option": default})
    assert (make(Own).option, make(Own, option=value).option) == (default, value)
