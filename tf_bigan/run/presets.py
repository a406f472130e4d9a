"""Presets of train.py, and default options for each system; flags override both."""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from tf_bigan import models
from tf_bigan.errors import UserError, did_you_mean
from tf_bigan.run.config import Config

# Donahue et al. 2017, permutation-invariant MNIST: the official networks and training.
OFFICIAL = {
    "dataset": "mnist",
    "networks": "paper",
    "penalty": "none",
    "prior": "uniform",
    "latent_dim": 50,
    "batch_size": 128,
    "learning_rate": 2e-4,
    "l2": 2.5e-5,
    "ema": 0.0,
}

PRESETS: dict[str, dict] = {
    # 8×8 handwritten digits that ship with scikit-learn: a small set and a long run. With a cycle:
    # of so few images, BiGAN alone turns one in six into another digit.
    "digits": {
        "dataset": "digits",
        "model": "cycle_bigan",
        "width": 32,
        "epochs": 125,
        "ema": 0.998,
        "steps_per_execution": 20,  # an epoch
        "checkpoint_steps": 500,  # 25 epochs: one takes longer to save than to train
        "eval_every": 25,
        "picture_every": 25,
    },
    "mnist": {
        "dataset": "mnist",
        "epochs": 10,
        "ema": 0.999,
    },
    # With a cycle: the smallest reconstruction errors of these presets.
    "best_mnist": {
        "dataset": "mnist",
        "validation": 10_000,
        "model": "cycle_bigan",
        "set": "cycle=0.03",
        "latent_dim": 24,
        "epochs": 16,
        "ema": 0.999,
        "seed": 42,
    },
    # As in the official train_mnist.sh.
    "paper_mnist": OFFICIAL
    | {
        "validation": 10_000,
        "epochs": 400,
        "decay_epochs": 400,
        "seed": 42,
    },
    # The official networks with a smaller z, a cycle with half of the pixels masked, and a slow D:
    # better than the official epoch 400 on validation images, see docs/results.md.
    "beats_official_mnist": OFFICIAL
    | {
        "validation": 10_000,
        "model": "cycle_bigan",
        "set": "cycle=0.1,mask_rate=0.5",
        "latent_dim": 16,
        "epochs": 9,
        "player_rates": "D=2e-5,EG=1e-3",
        "ema": 0.9995,
        "seed": 42,
    },
    # The 28×28 networks and training of a well-known TensorFlow 2 tutorial's DCGAN lesson.
    "tutorial_gan": {
        "dataset": "mnist",
        "model": "gan",
        "networks": "tutorial",
        "loss": "logistic:label_smoothing=0.1",
        "penalty": "none",
        "prior": "uniform",
        "latent_dim": 100,
        "batch_size": 128,
        "learning_rate": 2e-4,
        "epsilon": 1e-7,
        "epochs": 6,
        "ema": 0.0,
    },
    # For 32×32 colours: NOT RUN, since they need a GPU. ALI's latent dimension and epochs on SVHN.
    "best_cifar10": {
        "dataset": "cifar10",
        "model": "cycle_bigan",
        "networks": "residual",
        "set": "cycle=0.025",
        "player_rates": "D=2e-4,EG=4e-4",
        "width": 64,
        "latent_dim": 64,
        "epochs": 300,
        "ema": 0.9999,
    },
    "best_svhn": {
        "dataset": "svhn_cropped",
        "model": "cycle_bigan",
        "networks": "residual",
        "set": "cycle=0.025",
        "player_rates": "D=2e-4,EG=4e-4",
        "width": 64,
        "latent_dim": 256,
        "epochs": 100,
        "ema": 0.9999,
    },
}


class System(NamedTuple):
    """Default options of a system.

    options: fields of `Config`.
    monitor: the metric that selects the best checkpoint.
    of_run: (given hyperparameters, steps_per_epoch, epochs) -> those that depend on the run length.
    of_few: more options for a small set of images, see `defaults.of_data`.
    """

    options: Mapping[str, Any] = {}
    monitor: str = "NND/100"
    of_run: Callable[[dict, int, int], dict] = lambda given, steps_per_epoch, epochs: given
    of_few: Mapping[str, Any] = {}


def _magan(given: dict, steps_per_epoch: int, epochs: int) -> dict:
    # After the paper's two epochs D reconstructs so well that the margin starts too low, and
    # samples stay blurred.
    given = {"period": steps_per_epoch, "pretraining": 1} | given
    alone = given["period"] * given["pretraining"]
    if alone >= steps_per_epoch * epochs:
        raise UserError(
            f"magan: D is pretrained for {alone:,} steps, but the run has only "
            f"{steps_per_epoch * epochs:,}: raise epochs=N, or set=period=N,pretraining=N"
        )
    return given


def _dann(given: dict, steps_per_epoch: int, epochs: int) -> dict:
    return {"total_steps": steps_per_epoch * epochs} | given


# Samples get good in half as many passes as with the same rate for both.
_FAST_G = "D=5e-4,G=1e-3"

# With a cycle a larger z inverts better, and samples are better against a slower D.
_OF_CYCLE = {"latent_dim": 32, "penalty": "r1:gamma=0.5", "player_rates": "D=4e-4,EG=1e-3"}

# Other systems have the defaults of `System`.
SYSTEMS = {
    "alice": System(_OF_CYCLE),
    "autoencoder": System({"penalty": "none"}, monitor="EGr"),
    # A schedule's rate would never be halved. With the paper's γ = 0.5, for faces, G also makes
    # empty images, the easiest to reconstruct. With its λ for hundreds of thousands of steps k
    # stays near 0 in a few thousand, so that D hardly tells samples from images.
    "began": System(
        {
            "decay_epochs": 0,
            "penalty": "none",
            "player_rates": _FAST_G,
            "set": "gamma=0.8,lambda_k=0.3",
        }
    ),
    "cycle_bigan": System(_OF_CYCLE),
    # Of few images D soon knows each one: E and G have to keep up with it, and it must stay smooth.
    "bigan": System(of_few={"player_rates": "D=4e-4,EG=1e-3", "penalty": "r1:gamma=1"}),
    "bigbigan": System({"learning_rate": 2e-4, "player_rates": "E=2e-3"}),
    # The width of figure 4's convolutions: a preset's is that of other networks.
    "dann": System(
        {"learning_rate": 5e-4, "beta_1": 0.9, "batch_size": 32, "width": 32, "penalty": "none"},
        "accuracy",
        _dann,
    ),
    "ebgan": System({"penalty": "none"}),
    "gan": System({"player_rates": _FAST_G}),
    # The noise and the codes of the official code. With its rate for D, 2e-4, Q needs twice as
    # many passes until its classes are digits and not styles. Without `thickness` among the views
    # some stay widths of the stroke.
    "infogan": System(
        {
            "prior": "uniform62+categorical10+uniform2",
            "player_rates": _FAST_G,
            "set": "invariance=6,balance=2,views=translation+affine+thickness",
        }
    ),
    "loss_sensitive_gan": System({"player_rates": _FAST_G}),
    "magan": System({"penalty": "none"}, of_run=_magan),
    # For few labels, of which D and C would otherwise learn only these images.
    "sgan": System(
        {
            "player_rates": _FAST_G,
            "set": "real=separate,consistency=20,entropy=0.5,balance=1,views=translation+affine",
        },
        "accuracy",
    ),
    # C learns faster than the others. D sees images as they are, so that samples are not shifted.
    "triple_gan": System(
        {
            "prior": "normal100+categorical10",
            "player_rates": f"{_FAST_G},C=1.5e-3",
            "set": "consistency=5,entropy=0.5,balance=1,pseudo=0.5,views=translation+affine",
        },
        "accuracy",
    ),
    # R1 makes D's features differ so little that z would keep only half of an image: with them,
    # which set=kind=features chooses, EGr is twice as large. With γ at the paper's 0.01
    # reconstructions stay blurred, and with fewer or smaller steps samples need more passes.
    "vae_gan": System(
        {
            "set": "kind=pixels,sigma=0.3,gamma=0.25",
            "latent_dim": 32,
            "learning_rate": 1.5e-3,
            "batch_size": 32,
        }
    ),
    # Adam's α, β₁ and β₂ of algorithm 1.
    "wgan_gp": System({"penalty": "gradient", "learning_rate": 1e-4, "beta_1": 0.0, "beta_2": 0.9}),
}


def system(name: str) -> System:
    """The defaults of a system by module name, or of the system that its class extends.

    Raises UserError if there is no such module; see `models.find`.
    """
    names = (base.__module__.removeprefix("tf_bigan.models.") for base in models.find(name).mro())
    return next((SYSTEMS[known] for known in names if known in SYSTEMS), System())


def combined(start: Mapping[str, Any], given: Mapping[str, Any]) -> dict[str, Any]:
    """Combines options by increasing priority: preset, defaults of the system, given options.

    If the preset is for this system, its options have priority over the system's defaults. Of `set`
    only the hyperparameters that are given are replaced.

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
    if "learning_rate" in start and "learning_rate" not in options:
        options.pop("player_rates", None)  # of the default networks, with their own rate
    if model == of_preset:
        chosen = options | start
    else:  # the preset's player options are only for its own system
        of_players = ("set", "moves", "player_rates")
        chosen = {k: v for k, v in start.items() if k not in of_players} | options
    if "learning_rate" in given:  # player_rates would override it
        chosen.pop("player_rates", None)
    if given.get("set") and chosen.get("set"):
        by_name = {
            part.partition("=")[0].strip(): part
            for part in f"{chosen['set']},{given['set']}".split(",")
        }
        chosen["set"] = ",".join(by_name.values())
        given = {name: value for name, value in given.items() if name != "set"}
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
