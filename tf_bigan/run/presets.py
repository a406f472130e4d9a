"""Named sets of options of train.py, and what suits each system; a flag overrides any of them."""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from tf_bigan import models
from tf_bigan.errors import UserError, did_you_mean
from tf_bigan.run.config import Config

PRESETS: dict[str, dict] = {
    # 8×8 handwritten digits that ship with scikit-learn: a small net and a long run.
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
        "checkpoint_steps": 500,  # 25 epochs: one takes longer to save than to train
        "eval_every": 25,
        "picture_every": 25,
    },
    # The paper's networks with a learning rate that falls within a short run.
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
    # The paper's networks with less z, a cycle from half of the pixels, and a slow D: chosen on the
    # validation images, see docs/results.md.
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
    # Radford et al. 2016's convolutional networks, around BiGAN's pairs. At equal rates this D wins
    # within an epoch, by the images alone, and E and G never learn to invert each other.
    "dcgan_mnist": {
        "dataset": "mnist",
        "networks": "dcgan",
        "epochs": 6,
        "decay_epochs": 6,
        "player_rates": "D=5e-5,EG=3e-4",
        "ema": 0.999,
    },
    # The ideas of best_mnist with convolutions in E and G, chosen in the same way.
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
    # The same settings for 32×32 colours, scaled: NOT RUN, since they need a GPU. ALI's sizes of z
    # and ALI's epochs on SVHN; cycle as in best_mnist, for four times as many values in an image,
    # and D's rate as in dcgan_mnist.
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
    """How a system is trained where the user says nothing else.

    options: fields of `Config`.
    monitor: the metric that picks the best checkpoint.
    of_run: (hyperparameters given, steps_per_epoch, epochs) -> all that depend on a run's length.
    """

    options: Mapping[str, Any] = {}
    monitor: str = "NND/100"
    of_run: Callable[[dict, int, int], dict] = lambda given, steps_per_epoch, epochs: given


def _magan(given: dict, steps_per_epoch: int, epochs: int) -> dict:
    given = {"period": steps_per_epoch, "pretraining": 2} | given
    alone = given["period"] * given["pretraining"]
    if alone >= steps_per_epoch * epochs:
        raise UserError(
            f"magan: D learns alone for {alone:,} steps, and the run has no more than "
            f"{steps_per_epoch * epochs:,}: raise epochs=N, or set=period=N,pretraining=N"
        )
    return given


def _dann(given: dict, steps_per_epoch: int, epochs: int) -> dict:
    return {"total_steps": steps_per_epoch * epochs} | given


# What is not here has the defaults of `System`.
SYSTEMS = {
    "alad": System({"prior": "normal", "learning_rate": 2e-4, "ema": 0.999}),
    "ali": System({"prior": "normal", "learning_rate": 1e-4}),
    "alice": System({"prior": "normal", "learning_rate": 1e-4}),
    "autoencoder": System(monitor="EGr"),
    # A schedule's rate would never be halved.
    "began": System({"decay_epochs": 0}),
    "bigbigan": System({"prior": "normal", "learning_rate": 2e-4, "player_rates": "E=2e-3"}),
    # The width of figure 4's convolutions: a preset's is that of other networks.
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
    """What suits the system of a module's name, or else the system that its class extends.

    Raises UserError if there is no such module; see `models.find`.
    """
    names = (base.__module__.removeprefix("tf_bigan.models.") for base in models.find(name).mro())
    return next((SYSTEMS[known] for known in names if known in SYSTEMS), System())


def combined(start: Mapping[str, Any], given: Mapping[str, Any]) -> dict[str, Any]:
    """Options: a preset's < the defaults of the system < those given.

    The options of a preset for this very system come after the system's defaults.

    Args:
        start: of a preset.
        given: fields of `Config` that the user chose.
    """
    start = dict(start)
    networks = start.get("networks", Config.networks)
    if given.get("networks", networks) != networks:
        start.pop("width", None)  # which is that of the preset's own networks
    of_preset = start.get("model", Config.model)
    model = given.get("model", of_preset)
    options = dict(system(model).options)
    if model == of_preset:
        chosen = options | start
    else:  # what the preset says of its own system's players does not hold for another's
        of_players = ("set", "moves", "player_rates")
        chosen = {k: v for k, v in start.items() if k not in of_players} | options
    if "learning_rate" in given:  # the players' own rates would keep it from each of them
        chosen.pop("player_rates", None)
    return chosen | dict(given)


# What --dataset=NAME alone starts from.
_OF_DATASET = {"digits": "digits", "mnist": "mnist"}


def preset(name: str) -> dict:
    """The options of a preset. Raises UserError with the close matches for an unknown name."""
    if name not in PRESETS:
        raise UserError(f"--preset={name} is unknown{did_you_mean(name, PRESETS)}")
    return PRESETS[name]


def default_preset(dataset: str) -> dict:
    """The options that are good for a data set when no preset is named."""
    return PRESETS.get(_OF_DATASET.get(dataset, ""), {})
