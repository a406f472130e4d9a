"""Numbers that make no sense as a hyperparameter are refused, before any network is looked at."""

import inspect
import math
import re

import pytest

import tf_bigan as tb
from tf_bigan.errors import UserError

inf, nan = math.inf, math.nan


def make(system, **options):
    networks = dict.fromkeys(system.network_names())
    return system(prior=tb.priors.Normal(2), **networks, **options)


@pytest.mark.parametrize(
    "name, option, value, rule",
    [
        ("alice", "weight", -1.0, "a float in [0, inf)"),
        ("began", "gamma", 5.0, "a float in [0, 1]"),
        ("began", "lambda_k", -1.0, "a float in [0, inf)"),
        ("began", "halve_every", 0, "an int in [1, inf)"),
        ("cycle_bigan", "cycle", -1.0, "a float in [0, inf)"),
        ("cycle_bigan", "mask_rate", 1.0, "a float in [0, 1)"),
        ("dann", "dropout_rate", 1.0, "a float in [0, 1)"),
        ("dann", "dropout_rate", -1.0, "a float in [0, 1)"),
        ("dann", "total_steps", 0, "an int in [1, inf)"),
        ("ebgan", "margin", -5.0, "a float in [0, inf)"),
        ("infogan", "lambda_categorical", -1.0, "a float in [0, inf)"),
        ("joint_latent_regressor", "weight", -1.0, "a float in [0, inf)"),
        ("loss_sensitive_gan", "leak", 1.1, "a float in [0, 1]"),
        ("loss_sensitive_gan", "margin", -1.0, "a float in [0, inf)"),
        ("loss_sensitive_gan", "slope", 3.0, "a float in (-inf, 1]"),
        ("magan", "period", 0, "an int in [1, inf)"),
        ("magan", "pretraining", 0, "an int in [1, inf)"),
        ("sgan", "supervised", -1.0, "a float in [0, inf)"),
        ("triple_gan", "predicted_share", 2.0, "a float in [0, 1]"),
        ("vae_gan", "sigma", 0.0, "a float in (0, inf)"),
        ("sgan", "supervised", "much", "a float in [0, inf)"),
        ("sgan", "supervised", True, "a float in [0, inf)"),
        ("magan", "period", 2.5, "an int in [1, inf)"),
        ("magan", "period", True, "an int in [1, inf)"),
    ],
)
def test_what_makes_no_sense_is_refused(name, option, value, rule):
    system = tb.models.find(name)
    line = f"{system.__name__}: {option}={value}: it must be {rule}"
    with pytest.raises(UserError, match=f"^{re.escape(line)}$"):
        make(system, **{option: value})


@pytest.mark.parametrize("name", tb.models.names())
def test_every_number_is_finite(name):
    system = tb.models.find(name)
    for option, default in system.hyperparameters().items():
        if isinstance(default, float):
            for value in (nan, inf, -inf):
                with pytest.raises(UserError, match=f": {option}={value}: it must be a float in "):
                    make(system, **{option: value})


def test_a_choice_that_is_unknown():
    with pytest.raises(UserError, match="^Autoencoder: norm=l3 is unknown; did you mean l"):
        make(tb.models.Autoencoder, norm="l3")


@pytest.mark.parametrize("name", tb.models.names())
def test_the_constructor_says_what_it_takes(name):
    """Completion and `help` see each network and hyperparameter, each with a type."""
    system = tb.models.find(name)
    parameters = inspect.signature(system).parameters
    hyperparameters = system.hyperparameters()
    expected = [*hyperparameters, "moves", "name"]
    assert list(parameters)[-len(expected) :] == expected
    assert set(list(parameters)[: -len(expected)]) == {*system.network_names(), "prior"}
    assert all(p.annotation is not p.empty for p in parameters.values())
    assert all(p.kind is p.KEYWORD_ONLY for n, p in parameters.items() if n in expected)
