"""The configuration: its checks, its way through JSON, what may differ in a resumed run."""

import dataclasses
import json
import re
import sys

import numpy as np
import pytest
import tensorflow as tf
from absl import flags

from tf_bigan import __main__ as dispatcher
from tf_bigan import networks
from tf_bigan.constraints import NonNegative
from tf_bigan.errors import UserError
from tf_bigan.models import Autoencoder
from tf_bigan.run import presets
from tf_bigan.run.build import hyperparameters, optimizers
from tf_bigan.run.config import QUICK_METRICS, Config
from tf_bigan.run.flags import config_from_flags, define_config_flags, run, spelling, with_dashes
from tf_bigan.run.presets import PRESETS


def parse(*arguments) -> Config:
    values = flags.FlagValues()
    define_config_flags(values)
    values(["train.py", *arguments])
    return config_from_flags(values)


def test_json_round_trip():
    config = Config(dataset="npz:x.npz", image_size="4x6", width=8, ema=0.9, strict_data=True)
    assert Config.from_dict(json.loads(config.to_json())) == config


def test_unknown_name():
    with pytest.raises(UserError, match="unknown option epoch; did you mean epochs"):
        Config.from_dict({"epoch": 3})


@pytest.mark.parametrize(
    "size, expected", [("32", (32, 32)), ("4x6", (4, 6)), ("4X6", (4, 6)), (None, None)]
)
def test_image_size(size, expected):
    assert Config(image_size=size).size == expected


@pytest.mark.parametrize(
    "values",
    [
        *({"image_size": size} for size in ("abc", "0", "3x", "1x2x3", "-4", "", "²")),
        *({name: 0} for name in ("latent_dim", "epochs", "batch_size", "width", "keep")),
        *({name: -1} for name in ("validation", "l2", "decay_epochs", "seed", "eval_every")),
        *({"learning_rate": value} for value in (0.0, -1.0, float("nan"), float("inf"))),
        *({name: 1.0} for name in ("ema", "beta_1")),
        {"seed": 2**31},
        {"prior": "gauss"},
        {"channels": 2},
        {"monitor": "EG"},
        {"networks": "mpl"},
        {"monitor": "val_NND/10"},  # a metric, but not among those of an epoch
        {"monitor": "EGr", "eval_metrics": "NND"},
        {"monitor": "EGr", "validation": 0},
    ],
    ids=str,
)
def test_out_of_range(values):
    with pytest.raises(UserError, match=f"^{next(iter(values))}=") as error:
        Config(**values)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    "values",
    [{"epochs": "3"}, {"epochs": 3.0}, {"epochs": True}, {"ema": "0.9"}, {"model": 5}]
    + [{"labels": "ten"}, {"dataset": None}, {"sync_batch_norm": 1}],
)
def test_wrong_types(values):
    with pytest.raises(UserError, match=f"^{next(iter(values))}=.*: it must be an? "):
        Config(**values)


def test_numbers_of_any_kind():
    config = Config(epochs=np.int64(3), ema=np.float32(0.5), learning_rate=1)
    assert (config.epochs, config.ema, config.learning_rate) == (3, 0.5, 1)
    assert Config.from_dict(json.loads(config.to_json())) == config  # as the workdir keeps it


def test_what_is_measured_in_training():
    assert Config().measured == QUICK_METRICS and Config().monitored is None
    config = Config(eval_metrics="knn, latent", monitor="val_latent_error")
    assert config.measured == ("knn", "latent_error", "latent_error_b")
    assert config.monitored == "latent_error"
    with pytest.raises(UserError, match="eval_metrics.*'knnn' is unknown; did you mean knn"):
        Config(eval_metrics="knnn")
    with pytest.raises(
        UserError, match="it is not among .* eval_metrics.*; did you mean EGr or EGr_b"
    ):
        Config(monitor="val_EGR")


def test_differences_are_those_that_change_what_is_learnt():
    config = Config()
    assert config.differences(config.replace(epochs=9, keep=1, picture_every=5, data_dir="x")) == []
    assert config.differences(config.replace(eval_metrics="NND", monitor="NND")) == []
    one = {"penalty": "r1:gamma=0.5,every_row=4", "player_rates": "D=1e-3,EG=.1", "loss": "hinge"}
    same = {"penalty": "r1:every_row=4,gamma=.50", "player_rates": "EG=0.1,D=0.001"}
    one |= {"image_size": "8", "augmentation": "flip:probability=1", "set": "a=1,b=2"}
    same |= {"image_size": "8x8", "augmentation": "flip:probability=1.0", "set": "b=2,a=1"}
    config = config.replace(**one)
    assert config.differences(config.replace(**same)) == []
    for name, text in {"penalty": "r1r2:gamma=0.5,every_row=4", "loss": "logistic"}.items():
        (difference,) = config.differences(config.replace(**{name: text}))
        assert difference == f"{name}={one[name]} there, {text} here"
    other = config.replace(width=8, seed=3)
    assert config.differences(other) == ["width=None there, 8 here", "seed=0 there, 3 here"]


def test_flags_over_preset_over_defaults():
    assert parse("--dataset=cifar10") == Config(dataset="cifar10")
    assert parse("--source_dataset=cifar10") == Config(dataset="cifar10")
    digits = Config(**presets.combined(PRESETS["digits"], {}))
    assert parse() == parse("--dataset=digits") == digits
    assert parse("--model=bigan").model == "bigan"
    assert parse("--dataset=mnist") == Config(**PRESETS["mnist"])
    paper = Config(**PRESETS["paper_mnist"])
    assert parse("--preset=paper_mnist", "--epochs=2") == paper.replace(epochs=2)
    assert parse("--preset=paper_mnist", "--dataset=digits") == paper.replace(dataset="digits")
    # A value that is false is given all the same.
    assert parse("--dataset=digits", "--ema=0", "--nostrict_data").ema == 0


@pytest.mark.parametrize("name", PRESETS)
def test_presets_are_valid(name):
    Config.from_dict(PRESETS[name])


def test_every_option_is_explained():
    for option in dataclasses.fields(Config):
        assert option.metadata["help"] and option.metadata["group"], option.name
    help_of = {option.name: option.metadata["help"] for option in dataclasses.fields(Config)}
    for family in networks.families.FAMILIES:
        assert family in help_of["networks"]


def test_player_rates_reach_their_optimizers():
    config = Config(player_rates="EG=1e-3", learning_rate=2e-4, decay_epochs=4)
    made = optimizers(config, ("D", "EG"), [("D", "EG")], steps_per_epoch=10)
    rates = {player: float(one._learning_rate(0)) for player, one in made.items()}
    assert rates == pytest.approx({"D": 2e-4, "EG": 1e-3}, rel=1e-5)
    assert float(made["EG"]._learning_rate(39)) == pytest.approx(1e-5, rel=1e-5)


def test_what_a_preset_says_of_players_is_of_its_own_system():
    config = parse("--preset=beats_official_mnist", "--model=ali")
    assert (config.set, config.player_rates, config.batch_size) == (None, None, 128)
    assert parse("--preset=beats_official_mnist", "--model=cycle_bigan").set is not None
    # A preset's rate is for all players of other systems, unless they have a rate of their own.
    config = parse("--preset=paper_mnist", "--model=gan")
    assert (config.learning_rate, config.player_rates) == (2e-4, None)
    assert parse("--preset=paper_mnist", "--model=bigbigan").player_rates == "E=2e-3"
    # Of the hyperparameters only those that are given are replaced.
    of_sgan = {"real": "separate", "consistency": "5", "entropy": "0.5", "balance": "1"}
    of_sgan |= {"views": "translation+affine"}
    config = parse("--model=sgan", "--set=supervised=2,consistency=5")
    assert config.settings == of_sgan | {"supervised": "2"}
    assert parse("--model=bigan", "--set=x=1").set == "x=1"
    assert parse("--preset=mnist", "--model=began").decay_epochs == 0  # it halves its rate itself


def test_a_width_is_of_the_presets_networks():
    start = {"networks": "mlp", "width": 512}
    assert presets.combined(start, {})["width"] == 512
    assert "width" not in presets.combined(start, {"networks": "dcgan"})
    assert presets.combined(start, {"networks": "dcgan", "width": 8})["width"] == 8


def test_one_rate_for_all_takes_the_place_of_the_players_own():
    assert parse("--model=gan").player_rates == "D=5e-4,G=1e-3"
    tutorial = parse("--preset=tutorial_gan")
    assert (tutorial.model, tutorial.player_rates, tutorial.learning_rate) == ("gan", None, 2e-4)
    for start in ("--preset=beats_official_mnist", "--model=infogan"):
        assert parse(start).player_rates is not None
        config = parse(start, "--learning_rate=0.5")
        assert (config.learning_rate, config.player_rates) == (0.5, None)
    config = parse("--preset=beats_official_mnist", "--learning_rate=0.5", "--player_rates=D=0.1")
    assert config.player_rates == "D=0.1"


def test_a_schedule_of_rates_counts_the_moves_of_a_step():
    config = Config(learning_rate=1e-3, decay_epochs=4)
    made = optimizers(config, ("D", "G"), [("D",), ("D",), ("G",)], steps_per_epoch=10)
    # D's optimizer makes 20 steps in an epoch of 10: in epoch 1 both rates are whole.
    assert float(made["D"]._learning_rate(39)) == pytest.approx(1e-3, rel=1e-5)
    assert float(made["D"]._learning_rate(79)) == pytest.approx(1e-5, rel=1e-5)
    assert float(made["G"]._learning_rate(39)) == pytest.approx(1e-5, rel=1e-5)


def test_names_of_flags_get_their_dashes():
    values = flags.FlagValues()
    define_config_flags(values)
    for message, shown in {
        "batch_size=9 is too large: use batch_size=N": "--batch_size=9 is too large: "
        "use --batch_size=N",
        "other options (seed=0 there, 3 here; width=4 there": "other options (--seed=0 there, "
        "3 here; --width=4 there",
        "set=period=5,seed=3: gamma=0.7": "--set=period=5,seed=3: gamma=0.7",
        "--seed=3 and noseed=3": "--seed=3 and noseed=3",
        "runs/seed=3 and a,seed=3 hold no run": "runs/seed=3 and a,seed=3 hold no run",
    }.items():
        assert with_dashes(message, values) == shown


def test_a_hyperparameter_has_the_type_of_its_annotation():
    class Mine(Autoencoder):
        def __init__(
            self, *, alpha: NonNegative | None = None, beta: NonNegative = 1, rows=3, **parts
        ):
            super().__init__(**parts, alpha=alpha, beta=beta, rows=rows)

    options = Config(model="autoencoder", set="alpha=0.5,beta=0.5,rows=4")
    assert hyperparameters(options, Mine) == {"alpha": 0.5, "beta": 0.5, "rows": 4}
    with pytest.raises(UserError, match="^--set: beta=x: it must be a float$"):
        hyperparameters(Config(model="autoencoder", set="beta=x"), Mine)


def test_a_value_that_is_not_a_number_is_named(capsys):
    for value, kind in {"labels=ten": "a whole number", "learning_rate=fast": "a number"}.items():
        values = flags.FlagValues()
        define_config_flags(values)
        assert run(lambda: 0, ["train", f"--{value}"], None, values) == 2
        line = f"train: flag --{value}: not {kind} (see train --help)\n"
        assert capsys.readouterr().err.endswith(line)


@pytest.mark.parametrize(
    "error", [MemoryError(), tf.errors.ResourceExhaustedError(None, None, "OOM at a\nand b")]
)
def test_full_memory_is_one_line(error, capsys):
    def main():
        raise error

    assert run(main, ["evaluate"], None, flags.FlagValues()) == 1
    line = capsys.readouterr().err
    assert line.startswith("evaluate: out of memory: ") and line.count("\n") == 1


def test_a_command_is_spelt_as_the_program_was_started(monkeypatch):
    for started, spelt in {
        "train.py": "python evaluate.py",
        "/a/b/evaluate.py": "python /a/b/evaluate.py",
        "/venv/bin/tf-bigan": "tf-bigan evaluate",
        "/venv/lib/tf_bigan/__main__.py": "python -m tf_bigan evaluate",
        "/venv/lib/pytest/__main__.py": "tf-bigan evaluate",
    }.items():
        monkeypatch.setattr(sys, "argv", [started])
        assert spelling("evaluate") == spelt
    monkeypatch.setattr(sys, "argv", ["train.py"])
    assert spelling("explore") == "tf-bigan explore"


@pytest.mark.smoke
def test_the_dispatcher(monkeypatch, capsys):
    def call(*arguments):
        monkeypatch.setattr(sys, "argv", ["tf-bigan", *arguments])
        with pytest.raises(SystemExit) as end:
            dispatcher.main()
        return end.value.code

    assert call("--help") == 0
    out = capsys.readouterr().out
    for name, module in dispatcher.COMMANDS.items():
        assert re.search(rf"^  {name} +{re.escape(module.__doc__.splitlines()[0])}$", out, re.M)
    assert call("trian") == "tf-bigan: no command trian; did you mean train? (see tf-bigan --help)"
    assert "no command given" in call()
    for name, module in dispatcher.COMMANDS.items():
        monkeypatch.setattr(dispatcher, "command", lambda *given: given)
        monkeypatch.setattr(sys, "argv", ["tf-bigan", name, "--a=b"])
        assert dispatcher.main() == (
            module.main,
            [f"tf-bigan {name}", "--a=b"],
            module.__doc__,
            module.FLAGS,
        )
