"""The flat, typed configuration of a run: every flag of train.py, checked and stored."""

import dataclasses
import json
from collections.abc import Mapping
from dataclasses import field
from typing import Annotated, Any, Literal

import numpy as np

from tf_bigan import augmentation, losses, penalties, priors
from tf_bigan.constraints import Count, NonNegative, Positive, Rate, Seed, check_arguments
from tf_bigan.data.decoding import colour
from tf_bigan.errors import UserError, did_you_mean
from tf_bigan.evaluation import registry
from tf_bigan.networks.families import networks_of

Number = Annotated[int, "[0, inf)"]

LARGEST_SEED = 2**31 - 1  # the end of `Seed`
# Metrics that are cheap enough for every epoch.
QUICK_METRICS = ("NND/100", "EGr", "EGr_b", "fd_random", "accuracy", "code_accuracy")


def _option(default, help: str, *, group: str, may_change: bool = False) -> Any:
    metadata = {"help": help, "group": group, "may_change": may_change}
    return field(default=default, metadata=metadata)


@dataclasses.dataclass(frozen=True)
class Config:
    """One run. A field is a flag; `None` of an optional field means "not given".

    `may_change` fields may differ when a run is resumed: they do not change the training result.

    Raises:
        UserError: a value is out of its range or choices.
    """

    dataset: str = _option(
        "digits",
        "digits, mnist, mnist_m (MNIST on photographs), any TFDS image data set by name, "
        "folder:DIR (or a zip or tar file of one), npz:FILE or idx:DIR",
        group="data",
    )
    data_dir: str | None = _option(
        None,
        "directory of the data sets [$TFDS_DATA_DIR, or ~/tensorflow_datasets]",
        group="data",
        may_change=True,
    )
    image_size: str | None = _option(None, "resize images to SIDE or HxW pixels", group="data")
    channels: Literal[1, 3, 4] | None = _option(
        None, "convert images to grey or colour; 4: RGBA, for folders only", group="data"
    )
    resize: Literal["crop", "pad", "stretch"] = _option(
        "crop", "to change the aspect ratio take the middle, add margins, or distort", group="data"
    )
    background: str = _option(
        "white", "colour behind transparent pixels and of margins, a name or #rrggbb", group="data"
    )
    labels: Number = _option(
        0,
        "number of labelled training examples, balanced over the classes; 0: all",
        group="data",
    )
    target_dataset: str | None = _option(
        None, "a second, unlabelled data set to adapt to, for dann", group="data"
    )
    validation: Number | None = _option(
        None,
        "number of training images reserved for validation; 0: none, and no best checkpoint [a "
        "sixth, at most 10,000; or the data set's own validation part]",
        group="data",
    )
    strict_data: bool = _option(
        False,
        "stop if an image file cannot be used, instead of skipping it with a warning",
        group="data",
    )

    model: str = _option(
        "bigan",
        "the system: a file in tf_bigan/models, or your own module, as my_package.my_model",
        group="model",
    )
    networks: str = _option(
        "conv",
        "the family of networks: conv, residual (larger images), mlp, paper (the official MLP), "
        "dcgan or tutorial",
        group="model",
    )
    latent_dim: Count = _option(16, "latent dimension: the size of z", group="model")
    prior: str = _option(
        "normal",
        "the distribution of z: uniform, normal, or parts, as normal62+categorical10+uniform2",
        group="model",
    )
    moves: str | None = _option(
        None,
        "the order of the players' updates in a step, as D,EG (in turn), D+EG (at once) or D,D,D,G "
        "[the system's]",
        group="model",
    )
    set: str | None = _option(
        None, "the system's hyperparameters, as gamma=0.7,lambda_k=0.01", group="model"
    )
    loss: str | None = _option(
        None,
        "what D and its opponents minimise: logistic, minimax, hinge, least_squares, wasserstein, "
        "relativistic [the system's]",
        group="model",
    )
    penalty: str = _option(
        "r1:gamma=0.2",
        "penalty on the slope of D: none, r1, r1r2, gradient or dragan, as "
        "r1:gamma=0.2,every_row=4; with half_life=N, gamma halves every N steps",
        group="model",
    )
    augmentation: str | None = _option(
        None,
        "augmentation of the images that D sees: translation, cutout, color, flip, affine, "
        "thickness, joined by +; adaptive with translation+color:target=0.6",
        group="model",
    )
    init_from: str | None = _option(
        None,
        "start from the weights of a run or a .keras file, where the shapes of the layers fit",
        group="model",
    )
    width: Count | None = _option(
        None, "units of each layer (mlp), or channels of the largest map", group="model"
    )
    l2: NonNegative = _option(0.0, "weight decay l2·w added to the gradients", group="model")

    epochs: Count = _option(
        25,
        "epochs to train, of ceil(images / batch_size) steps each",
        group="training",
        may_change=True,
    )
    batch_size: Count = _option(64, "images in a step, over all replicas", group="training")
    learning_rate: Positive = _option(
        4e-4,
        "learning rate of Adam for all players; overrides player_rates of the preset or system",
        group="training",
    )
    player_rates: str | None = _option(
        None,
        "learning rates of individual players, as EG=1e-3 or D=2e-4,EG=1e-3",
        group="training",
    )
    beta_1: Rate = _option(0.5, "Adam's beta_1", group="training")
    beta_2: Rate = _option(0.999, "Adam's beta_2", group="training")
    epsilon: Positive = _option(1e-8, "Adam's epsilon", group="training")
    decay_epochs: Number = _option(
        0,
        "the learning rate is constant for half of this number of epochs, then decays to 1 %; 0: "
        "always constant",
        group="training",
    )
    ema: Rate = _option(
        0.998,
        "decay of the moving average of the weights; 0: no average",
        group="training",
    )
    seed: Seed = _option(
        0, "random seed of the initial weights, data order, z and dropout", group="training"
    )
    precision: Literal["auto", "float32", "mixed_bfloat16"] = _option(
        "auto",
        "compute dtype of the networks; auto: bfloat16 if it is faster on the hardware",
        group="training",
    )
    jit_compile: Literal["auto", "true", "false"] = _option(
        "auto", "compile with XLA", group="training"
    )
    steps_per_execution: Count = _option(
        16,
        "most steps per call of a compiled function; fewer if they take over a second",
        group="training",
    )

    strategy: Literal["auto", "none", "mirrored", "multi_worker", "tpu"] = _option(
        "auto",
        "devices to train on; auto: several machines if TF_CONFIG or Slurm name them, else all "
        "local GPUs, else the CPU",
        group="devices",
        may_change=True,
    )
    join_timeout: Count = _option(
        300, "seconds to wait for the other workers", group="devices", may_change=True
    )
    sync_batch_norm: bool = _option(
        False, "batch statistics over all replicas, without XLA", group="devices"
    )

    checkpoint_steps: Number = _option(
        0,
        "steps between two checkpoints; 0: one every epoch",
        group="output",
        may_change=True,
    )
    keep: Count = _option(
        3, "newest checkpoints to keep, besides the best", group="output", may_change=True
    )
    eval_every: Number = _option(
        1,
        "epochs between two evaluations on validation images, in metrics.jsonl; 0: none",
        group="output",
        may_change=True,
    )
    eval_metrics: str | None = _option(
        None,
        "metrics of these evaluations: names or groups as in evaluate.py "
        f"[{','.join(QUICK_METRICS)}]",
        group="output",
        may_change=True,
    )
    monitor: str | None = _option(
        None,
        "the metric that selects checkpoints/best.keras, as EGr or val_EGr [the system's, as "
        "NND/100]",
        group="output",
        may_change=True,
    )
    picture_every: Count = _option(
        1, "epochs between two sets of pictures", group="output", may_change=True
    )
    profile: str | None = _option(
        None,
        "steps START:STOP, counted from 0, to profile for TensorBoard",
        group="output",
        may_change=True,
    )

    def __post_init__(self):
        for name, value in vars(self).items():
            if isinstance(value, np.generic):  # JSON cannot store it
                object.__setattr__(self, name, value.item())
        check_arguments(type(self), vars(self))
        networks_of(self.networks)  # for its check
        priors.from_text(self.prior, self.latent_dim)  # for its check
        if self.decay_epochs == 1:
            raise UserError(
                "decay_epochs=1: half of one epoch cannot be constant; give 0 for a constant "
                "rate, or at least 2"
            )
        self.rates  # noqa: B018 - parsed for its check
        if not all(player for group in self.groups or () for player in group):
            raise UserError(f"moves={self.moves}: a player is missing; give names, as D,EG")
        if self.init_from == "":
            raise UserError("init_from= is empty: give a run or a .keras file")
        if self.loss is not None:
            losses.get(self.loss)
        penalties.get(self.penalty)
        augmentation.get(self.augmentation)
        self.settings  # noqa: B018 - parsed for its check
        self.size  # noqa: B018 - parsed for its check
        colour(self.background)
        self.profiled  # noqa: B018 - parsed for its check
        self.measured  # noqa: B018 - parsed for its check
        if self.monitor is not None:
            self._check_monitor()

    def _check_monitor(self):
        for option in ("validation", "eval_every"):
            if getattr(self, option) == 0:
                raise UserError(
                    f"monitor={self.monitor}: nothing is measured with {option}=0: change one of "
                    "them"
                )
        name = str(self.monitored)
        if name not in self.measured:
            raise UserError(
                f"monitor={self.monitor}: it is not among the metrics of eval_metrics=NAME,..."
                f"{did_you_mean(name, self.measured)}"
            )
        if not registry.METRICS[name].better:
            raise UserError(
                f"monitor={self.monitor}: neither low nor high values of {name} are better: choose "
                "another metric"
            )

    @property
    def rates(self) -> dict[str, float]:
        """`player_rates` as {player: learning rate}."""
        rates = {}
        for part in self.player_rates.split(",") if self.player_rates else ():
            player, _, rate = part.partition("=")
            try:
                rates[player] = float(rate)
            except ValueError:
                rates[player] = 0.0
            if not (player and 0 < rates[player] < float("inf")):
                raise UserError(
                    f"player_rates={self.player_rates}: give PLAYER=RATE, as EG=1e-3, "
                    "with commas between several"
                )
        return rates

    @property
    def settings(self) -> dict[str, str]:
        """`set` as {name: value}, the values as they were given."""
        settings = {}
        for part in self.set.split(",") if self.set else ():
            name, equals, value = part.partition("=")
            if not (name and equals and value):
                raise UserError(
                    f"set={self.set}: give NAME=VALUE, as gamma=0.7, with commas between several"
                )
            settings[name] = value
        return settings

    @property
    def measured(self) -> tuple[str, ...]:
        """`eval_metrics` as names of metrics."""
        if self.eval_metrics is None:
            return QUICK_METRICS
        return registry.choose(self.eval_metrics, "eval_metrics")

    @property
    def monitored(self) -> str | None:
        """`monitor` as the name of a metric."""
        return self.monitor and self.monitor.removeprefix("val_")

    @property
    def groups(self) -> tuple[tuple[str, ...], ...] | None:
        """`moves` as groups of players."""
        if self.moves is None:
            return None
        return tuple(tuple(group.split("+")) for group in self.moves.split(","))

    @property
    def size(self) -> tuple[int, int] | None:
        """`image_size` as (H, W)."""
        if self.image_size is None:
            return None
        sides = self.image_size.lower().split("x")
        if not all(side.isdecimal() and int(side) > 0 for side in sides) or len(sides) > 2:
            raise UserError(f"image_size={self.image_size}: give SIDE or HxW in pixels, as 32x48")
        return int(sides[0]), int(sides[-1])

    @property
    def profiled(self) -> tuple[int, int] | None:
        """`profile` as (first step, the step after the last)."""
        if self.profile is None:
            return None
        start, _, stop = self.profile.partition(":")
        if not (start.isdecimal() and stop.isdecimal() and int(start) < int(stop)):
            raise UserError(
                f"profile={self.profile}: give START:STOP, two numbers of steps, as 100:110"
            )
        return int(start), int(stop)

    def _meaning(self, name: str) -> object:
        """A field's value as it is understood; different texts may say the same."""
        parsed = {"image_size": "size", "player_rates": "rates", "set": "settings"}
        objects = {
            "loss": losses.get,
            "penalty": penalties.get,
            "augmentation": augmentation.get,
        }
        value = getattr(self, parsed.get(name, name))
        if name in objects and value is not None:
            value = objects[name](value)
            return value and (type(value), value.get_config())
        return value

    def to_json(self) -> str:
        """The configuration as indented JSON."""
        return json.dumps(dataclasses.asdict(self), indent=2)

    @classmethod
    def from_dict(cls, values: Mapping) -> "Config":
        """The inverse of `dataclasses.asdict`. Raises UserError for unknown options."""
        known = {option.name for option in dataclasses.fields(cls)}
        for name in values:
            if name not in known:
                raise UserError(f"unknown option {name}{did_you_mean(name, known)}")
        return cls(**values)

    def replace(self, **changes) -> "Config":
        """A checked copy with some fields changed."""
        return dataclasses.replace(self, **changes)

    def differences(self, other: "Config") -> list[str]:
        """ "name=A there, B here" for every different field that a resumed run must keep."""
        return [
            f"{option.name}={getattr(self, option.name)} there, {getattr(other, option.name)} here"
            for option in dataclasses.fields(self)
            if not option.metadata["may_change"]
            and self._meaning(option.name) != other._meaning(option.name)
        ]
