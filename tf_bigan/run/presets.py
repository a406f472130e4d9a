"""Presets of train.py, and default options for each system; flags override both."""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from tf_bigan import models
from tf_bigan.errors import UserError, did_you_mean
from tf_bigan.run.config import Config

PRESETS: dict[str, dict] = {
    # 8×8 handwritten digits in scikit-learn: a small network and a long run.
    "digits": {
        "dataset": "digits",
        "latent_dim": 16,
        "width": 512,
        "l2": 1e-4,
        "batch_size": 64,
        "learning_rate": 3e-4,
        "epochs": 250,
        "decay_epochs": 250,
        "ema": 0.998,
        "steps_per_execution": 20,  # an epoch
        "checkpoint_steps": 500,  # 25 epochs; saving takes longer than training one epoch
        "eval_every": 25,
        "picture_every": 25,
    },
    # The paper's networks with a learning rate that decays within a short run.
    "mnist": {
        "dataset": "mnist",
        "epochs": 20,
        "decay_epochs": 20,
        "l2": 2.5e-5,
        "ema": 0.999,
    },
    # Donahue et al. 2017, permutation-invariant MNIST, as in the official train_mnist.sh.
    "paper_mnist": {
        "dataset": "mnist",
        "validation": 10_000,
        "epochs": 400,
        "decay_epochs": 400,
        "l2": 2.5e-5,
        "seed": 42,
    },
    # The paper's networks with a smaller latent dimension, a cycle with mask rate 0.5, and a small
    # learning rate of D: chosen on the validation images, see docs/results.md.
    "best_mnist": {
        "dataset": "mnist",
        "validation": 10_000,
        "model": "cycle_bigan",
        "set": "cycle=0.1,mask_rate=0.5",
        "latent_dim": 16,
        "l2": 2.5e-5,
        "epochs": 9,
        "player_rates": "D=2e-5,EG=1e-3",
        "ema": 0.9995,
        "seed": 42,
    },
    # Convolutional networks of Radford et al. 2016 for BiGAN's pairs. With equal learning rates D
    # wins within an epoch by the images alone, and E and G never learn to invert each other.
    "dcgan_mnist": {
        "dataset": "mnist",
        "networks": "dcgan",
        "epochs": 6,
        "decay_epochs": 6,
        "player_rates": "D=5e-5,EG=3e-4",
        "ema": 0.999,
    },
    # best_mnist with convolutions in E and G, chosen in the same way.
    "best_dcgan_mnist": {
        "dataset": "mnist",
        "validation": 10_000,
        "model": "cycle_bigan",
        "networks": "dcgan_mlp",
        "set": "cycle=0.2,mask_rate=0.2",
        "latent_dim": 13,
        "epochs": 8,
        "player_rates": "D=4e-5,EG=1e-3",
        "ema": 0.9995,
        "seed": 42,
    },
    # The same for 32×32 colour images: NOT RUN, because they need a GPU. ALI's latent dimensions
    # and epochs on SVHN; cycle of best_mnist, scaled for four times as many values per image, and
    # D's learning rate of dcgan_mnist.
    "best_cifar10": {
        "dataset": "cifar10",
        "model": "cycle_bigan",
        "networks": "dcgan",
        "set": "cycle=0.025,mask_rate=0.5",
        "width": 128,
        "latent_dim": 64,
        "epochs": 300,
        "player_rates": "D=5e-5,EG=3e-4",
        "ema": 0.9999,
    },
    "best_svhn": {
        "dataset": "svhn_cropped",
        "model": "cycle_bigan",
        "networks": "dcgan",
        "set": "cycle=0.025,mask_rate=0.5",
        "width": 128,
        "latent_dim": 256,
        "epochs": 100,
        "player_rates": "D=5e-5,EG=3e-4",
        "ema": 0.9999,
    },
    # The 28×28 networks of a well-known TensorFlow 2 tutorial's DCGAN lesson.
    "tutorial_dcgan": {
        "dataset": "mnist",
        "networks": "tutorial",
        "latent_dim": 100,
        "epochs": 6,
        "player_rates": "D=5e-5,EG=3e-4",
        "epsilon": 1e-7,
    },
}


class System(NamedTuple):
    """Default options of a system.

    options: fields of `Config`.
    monitor: the metric that selects the best checkpoint.
    of_run: (given hyperparameters, steps_per_epoch, epochs) -> those that depend on the run length.
    """

    options: Mapping[str, Any] = {}
    monitor: str = "NND/100"
    of_run: Callable[[dict, int, int], dict] = lambda given, steps_per_epoch, epochs: given


def _magan(given: dict, steps_per_epoch: int, epochs: int) -> dict:
    given = {"period": steps_per_epoch, "pretraining": 2} | given
    alone = given["period"] * given["pretraining"]
    if alone >= steps_per_epoch * epochs:
        raise UserError(
            f"magan: D is pretrained for {alone:,} steps, but the run has only "
            f"{steps_per_epoch * epochs:,}: raise epochs=N, or set=period=N,pretraining=N"
        )
    return given


def _dann(given: dict, steps_per_epoch: int, epochs: int) -> dict:
    return {"total_steps": steps_per_epoch * epochs} | given


# Other systems have the defaults of `System`.
SYSTEMS = {
    "alad": System({"prior": "normal", "learning_rate": 2e-4, "ema": 0.999}),
    "ali": System({"prior": "normal", "learning_rate": 1e-4}),
    "alice": System({"prior": "normal", "learning_rate": 1e-4}),
    "autoencoder": System(monitor="EGr"),
    # The rate of a schedule would not be halved.
    "began": System({"decay_epochs": 0}),
    "bigbigan": System({"prior": "normal", "learning_rate": 2e-4, "player_rates": "E=2e-3"}),
    # The width of the convolutions in figure 4, because a preset's width is for other networks.
    "dann": System(
        {"learning_rate": 5e-4, "beta_1": 0.9, "batch_size": 32, "width": 32}, "accuracy", _dann
    ),
    # The noise, the codes and the learning rates of the official code.
    "infogan": System(
        {"prior": "uniform62+categorical10+uniform2", "player_rates": "D=2e-4,G=1e-3"}
    ),
    "magan": System({"prior": "normal", "learning_rate": 5e-4}, of_run=_magan),
    "sgan": System(monitor="accuracy"),
    "triple_gan": System({"prior": "normal100+categorical10"}, "accuracy"),
    "vae_gan": System({"prior": "normal"}),
    "wgan_gp": System({"prior": "normal", "learning_rate": 1e-4, "beta_1": 0.0}),
}


def system(name: str) -> System:
    """The defaults of a system by module name, or of the system that its class extends.

    Raises UserError if there is no such module; see `models.find`.
    """
    names = (base.__module__.removeprefix("tf_bigan.models.") for base in models.find(name).mro())
    return next((SYSTEMS[known] for known in names if known in SYSTEMS), System())


def combined(start: Mapping[str, Any], given: Mapping[str, Any]) -> dict[str, Any]:
    """Combines options by increasing priority: preset, defaults of the system, given options.

    If the preset is for this system, its options have priority over the system's defaults.

    Args:
        start: the options of the preset.
        given: fields of `Config` set by the user.
    """
    start = dict(start)
    networks = start.get("networks", Config.networks)
    if given.get("networks", networks) != networks:
        start.pop("width", None)  # only for the networks of the preset
    of_preset = start.get("model", Config.model)
    model = given.get("model", of_preset)
    options = dict(system(model).options)
    if model == of_preset:
        chosen = options | start
    else:  # the preset's player options are only for its own system
        of_players = ("set", "moves", "player_rates")
        chosen = {k: v for k, v in start.items() if k not in of_players} | options
    if "learning_rate" in given:  # player_rates would override it
        chosen.pop("player_rates", None)
    return chosen | dict(given)


# The default presets of --dataset=NAME.
_OF_DATASET = {"digits": "digits", "mnist": "mnist"}


def preset(name: str) -> dict:
    """The options of a preset. Raises UserError with suggestions for an unknown name."""
    if name not in PRESETS:
        raise UserError(f"--preset={name} is unknown{did_you_mean(name, PRESETS)}")
    return PRESETS[name]


def default_preset(dataset: str) -> dict:
    """The options for a data set if no preset is given."""
    return PRESETS.get(_OF_DATASET.get(dataset, ""), {})
