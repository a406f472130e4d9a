"""Loads data and builds a compiled model from a configuration."""

import math
import sys
import typing
from collections.abc import Iterable, Sequence
from inspect import Parameter
from typing import Any

import numpy as np
from absl import logging

from tf_bigan import constraints, data, models, networks, priors
from tf_bigan.core import hardware
from tf_bigan.core.model import AdversarialModel
from tf_bigan.core.randomness import seeded
from tf_bigan.core.transfer import take_weights
from tf_bigan.errors import UserError, did_you_mean
from tf_bigan.optimizers import Adam, ConstantThenExponential
from tf_bigan.run import presets
from tf_bigan.run.config import Config
from tf_bigan.run.trained import load_trained

MEMORY = 2**29  # bytes of streamed images to evaluate on; as floats they take four times as much


def load_split(
    config: Config, split: str, dataset: str | None = None
) -> data.ImageData | data.StreamedImages:
    """The "train", "validation" or "test" images of a configuration, or of another data set."""
    return data.load(
        dataset or config.dataset,
        split,
        data_dir=config.data_dir,
        image_size=config.size,
        channels=config.channels,
        validation=config.validation,
        seed=config.seed,
        strict=config.strict_data,
        resize=config.resize,
        background=config.background,
    )


def describe(config: Config) -> data.Description:
    """The training images of a configuration, before any conversion."""
    return data.describe(
        config.dataset,
        data_dir=config.data_dir,
        validation=config.validation,
        seed=config.seed,
        strict=config.strict_data,
        background=config.background,
    )


def held_out_split(config: Config) -> str:
    """The split that a trained model has not seen: validation, or test if there is none."""
    return "test" if config.validation == 0 else "validation"


def load_held_out(config: Config, split: str) -> data.ImageData | data.StreamedImages:
    """A split to evaluate on, from the target data set if there is one.

    Raises UserError for fewer than two images, because EGr_b pairs them.
    """
    images = load_split(config, split, config.target_dataset)
    if len(images) < 2:
        name, way_out = config.target_dataset or config.dataset, "give more images"
        if split == "validation":
            way_out += ", or set another validation=N"
        elif split == "test" and config.validation != 0:
            way_out += ", or use split=validation"
        raise UserError(f"{name}: 1 image in {split}, at least 2 are needed to measure: {way_out}")
    return images


def training_batches(config: Config, train: data.ImageData | data.StreamedImages) -> data.Batches:
    """The training batches, with a labelled subset or a second data set if configured.

    Raises:
        UserError: the data lack something that the system needs, or it has no use for a part.
    """
    check_parts(config)
    if config.target_dataset:
        target = load_split(config, "train", config.target_dataset)
        batches = data.two_domains(train, target, config.batch_size, config.seed)
    elif config.labels:
        batches = data.semi_supervised(train, config.labels, config.batch_size, config.seed)
    else:
        batches = train.batches(config.batch_size, config.seed)
    check_entries(models.find(config.model), batches)
    return batches


def check(config: Config) -> None:
    """Finds the mistakes that need no images to be seen, before any are read.

    Raises UserError: there is no such system, or an option does not fit it or another one.
    """
    check_system(config)
    check_parts(config)
    for option in ("validation", "eval_every"):
        if config.eval_metrics is not None and getattr(config, option) == 0:
            raise UserError(
                f"eval_metrics={config.eval_metrics}: nothing is measured with {option}=0: change "
                "one of them"
            )


def check_system(config: Config) -> None:
    """Raises UserError if there is no such system, or it does not take one of the options."""
    system = models.find(config.model)
    defaults = {n: v for n, v in system.hyperparameters().items() if v is not Parameter.empty}
    _check_players("moves", {p for group in config.groups or () for p in group}, system.players)
    _check_players("player_rates", config.rates, system.players)
    system.check_options(
        priors.from_text(config.prior, config.latent_dim),
        moves=config.groups,
        loss=config.loss,
        penalty=config.penalty,
        augmentation=config.augmentation,
        **(defaults | hyperparameters(config, system)),
    )


def check_parts(config: Config) -> None:
    """Raises UserError for --labels or --target_dataset without use, or if the latter is needed."""
    system = models.find(config.model)
    adapts = "target_image" in system.requires
    if config.labels and config.target_dataset:
        raise UserError("--labels and --target_dataset cannot be combined: leave one out")
    if config.target_dataset and not adapts:
        raise UserError(f"--target_dataset: {config.model} does not adapt to a second data set")
    if config.labels and "label" not in system.requires:
        raise UserError(f"--labels: {config.model} does not learn from labels")
    if adapts and not config.target_dataset:
        raise UserError(f"{system.__name__} needs --target_dataset=NAME")


def check_entries(system: AdversarialModel | type[AdversarialModel], batches: data.Batches) -> None:
    """Raises UserError if the batches lack something that the system needs."""
    name_of = system.__name__ if isinstance(system, type) else type(system).__name__
    for name in system.requires:
        if not {name, f"labelled_{name}"} & set(batches.dataset().element_spec):
            needed = {"label": "a data set with labels", "target_image": "--target_dataset=NAME"}
            raise UserError(f"{name_of} needs {needed.get(name, name)}")


def build_model(
    config: Config,
    image_shape: tuple[int, ...],
    steps_per_epoch: int,
    classes: int | None = None,
) -> tuple[AdversarialModel, str]:
    """(a compiled model with the seed's initial weights, a description of its precision).

    Call it in the scope of a `tf.distribute` strategy to train under that strategy.

    Raises:
        UserError: the networks cannot take the image size, or an option does not fit the system.
    """
    check_system(config)
    jit_compile = {"true": True, "false": False}.get(config.jit_compile, "auto")
    policy, _, _ = hardware.choose(config.precision)
    system = models.find(config.model)
    prior = priors.from_text(config.prior, config.latent_dim)

    def make(role: str, **sizes):
        sizes = {"image_shape": tuple(image_shape), "l2": config.l2, "dtype": policy} | sizes
        if config.width:
            sizes = {"width": config.width} | sizes
        if role == "encoder":
            sizes = {"squash": isinstance(prior, priors.Uniform)} | sizes
        return networks.make(config.networks, role, **sizes)

    options = hyperparameters(config, system)
    options = presets.system(config.model).of_run(options, steps_per_epoch, config.epochs)
    still = set(system.players) - {p for group in config.groups or [system.players] for p in group}
    if still:
        logging.warning("--moves=%s never moves %s", config.moves, ", ".join(sorted(still)))
    with seeded(config.seed):
        parts = system.make_networks(make, prior.dim, classes)
    steps = steps_per_epoch * config.epochs
    _, xla, why = hardware.choose(config.precision, jit_compile, parts.values(), steps)
    model = system(prior=prior, moves=config.groups, **parts, **options)
    model.compile(
        optimizers(config, model.players, model.moves, steps_per_epoch),
        config.loss,
        penalty=config.penalty,
        augmentation=config.augmentation,
        ema=config.ema or None,
        seed=config.seed,
        jit_compile=xla,
        steps_per_execution=config.steps_per_execution,
        sync_batch_norm=config.sync_batch_norm,
    )
    if config.init_from is not None:
        start_from(model, config.init_from)
    return model, f"{policy}{' with XLA' if xla else ''} ({why})"


def load_start(path: str) -> tuple[AdversarialModel, str]:
    """`load_trained` of `--init_from`. Raises UserError, which names the option."""
    try:
        return load_trained(path)
    except UserError as error:
        raise UserError(f"init_from={path}: {error}") from error


def start_from(model: AdversarialModel, path: str) -> None:
    """Takes the weights of a run or a .keras file, and prints what is new in a line on stderr.

    Raises:
        UserError: it cannot be loaded, or nothing of it fits.
    """
    source, file = load_start(path)
    result = take_weights(model, source)
    if not result.taken:
        raise UserError(
            f"init_from={path}: no layer of this {type(source).__name__} has the shapes of one of "
            f"the new {type(model).__name__}: use the same networks and width, or leave it out"
        )
    print(
        f"starting from {file} of step {int(source.step.numpy()):,}: {len(result.taken)} layers "
        f"taken; new: {', '.join(result.new) or 'none'}",
        file=sys.stderr,
    )


def model_from_preset(
    system: type[AdversarialModel],
    preset: str,
    image_shape: tuple[int, int, int],
    classes: int | None = None,
    steps_per_epoch: int | None = None,
    **options: Any,
) -> AdversarialModel:
    """See `AdversarialModel.from_preset`."""
    name = system.__module__.removeprefix("tf_bigan.models.")
    config = Config.from_dict(presets.combined(presets.preset(preset), {"model": name} | options))
    if steps_per_epoch is None:
        config = config.replace(decay_epochs=0)  # the length of an epoch is unknown
    return build_model(config, image_shape, steps_per_epoch or 1000, classes)[0]


def hyperparameters(config: Config, system: type[AdversarialModel]) -> dict:
    """`--set` converted to constructor arguments of the system.

    Raises UserError for an unknown name, or a value of another type than its annotation,
    or else its default.
    """
    known, options = system.hyperparameters(), {}
    annotations = typing.get_type_hints(system.__init__, include_extras=True)
    for name, text in config.settings.items():
        if name not in known:
            where = f"--set: {config.model} has no {name}"
            raise UserError(where + did_you_mean(name, known))
        annotation = annotations.get(name, type(known[name]))
        options[name] = constraints.parse(f"--set: {name}", text, annotation)
    return options


def _check_players(option: str, named: Iterable[str], players: Iterable[str]):
    for player in named:
        if player not in players:
            raise UserError(f"--{option}: no player {player}{did_you_mean(player, players)}")


def optimizers(
    config: Config,
    players: Iterable[str],
    order: Iterable[Sequence[str]],
    steps_per_epoch: int,
) -> dict[str, Adam]:
    """{player: its optimizer}."""
    made = {}
    for player in players:
        rate = config.rates.get(player, config.learning_rate)
        if config.decay_epochs:
            moves = max(1, sum(group.count(player) for group in order))  # per step
            rate = ConstantThenExponential(rate, config.decay_epochs, steps_per_epoch * moves)
        made[player] = Adam(
            rate, beta_1=config.beta_1, beta_2=config.beta_2, epsilon=config.epsilon
        )
    return made


def calibration_steps(batches: data.Batches) -> int:
    """Number of batches for recalibrated batch norm: 1,000 (official), at most five passes."""
    return min(1000, 5 * batches.steps_per_epoch)


def classifies(model: AdversarialModel) -> bool:
    """Whether the system is a classifier."""
    return hasattr(model, "class_logits")


def finds_classes(model: AdversarialModel) -> bool:
    """Whether a categorical code of the system divides images into classes."""
    parts = getattr(model.prior, "parts", ())
    return hasattr(model, "assign") and any(isinstance(part, priors.Categorical) for part in parts)


def in_memory(
    images: data.ImageData | data.StreamedImages, most: int | None = None
) -> data.ImageData:
    """The images; from a stream the first `most`, by default as many as fit into `MEMORY`."""
    if isinstance(images, data.ImageData):
        return images
    return images.take(most or max(1, MEMORY // math.prod(images.image_shape)))


def picks(images: data.ImageData | data.StreamedImages, n: int, seed: int = 0) -> data.ImageData:
    """n fixed images drawn without replacement; from a stream the first n."""
    images = in_memory(images, n)
    chosen = np.random.default_rng(seed).permutation(len(images))[:n]
    return images.subset(chosen)
