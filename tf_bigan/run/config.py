"""The flat, typed configuration of a run: every flag of train.py, checked and stored."""

from __future__ import annotations

import dataclasses
import json
import math
import re
from collections.abc import Mapping
from dataclasses import field

import numpy as np

from tf_bigan.constraints import is_of_kind
from tf_bigan.errors import UserError, did_you_mean
from tf_bigan.evaluation import registry

_PRIOR = re.compile(r"(uniform|normal)([1-9]\d*)?|categorical[1-9]\d*")
LARGEST_SEED = 2**31 - 1  # the seeds of stateless randomness are int32
# What every epoch can afford to measure, of what the system and the data allow.
QUICK_METRICS = ("NND/100", "EGr", "EGr_b", "accuracy")


def _option(default, help: str, *, group: str, choices=None, at_least=None, may_change=False):
    metadata = {"help": help, "group": group, "choices": choices}
    return field(
        default=default, metadata=metadata | {"at_least": at_least, "may_change": may_change}
    )


@dataclasses.dataclass(frozen=True)
class Config:
    """One run. A field is a flag; `None` of an optional field means "not given".

    `may_change` fields may differ when a run is resumed: they do not change what is learnt.

    Raises:
        UserError: a value out of its range or choices, in one line.
    """

    dataset: str = _option(
        "digits",
        "digits, mnist, mnist_m (MNIST on photographs), any TFDS image data set by name, "
        "folder:DIR, npz:FILE or idx:DIR",
        group="data",
    )
    data_dir: str | None = _option(
        None, "where data sets are found and kept", group="data", may_change=True
    )
    image_size: str | None = _option(None, "resize images to SIDE or HxW pixels", group="data")
    channels: int | None = _option(
        None, "convert images to grey or colour", group="data", choices=(1, 3)
    )
    labels: int = _option(
        0, "keep so many labels, balanced over the classes; 0: all", group="data", at_least=0
    )
    target_dataset: str | None = _option(
        None, "a second, unlabelled data set to adapt to, for dann", group="data"
    )
    validation: int = _option(
        0, "examples of the training part set aside for validation", group="data", at_least=0
    )
    strict_data: bool = _option(
        False, "refuse broken image files instead of leaving them out", group="data"
    )

    model: str = _option(
        "bigan",
        "the system: a file in tf_bigan/models, or a module of your own as my_package.my_model",
        group="model",
    )
    networks: str = _option(
        "mlp",
        "the family of networks: mlp, dcgan, dcgan_mlp (a D without convolutions) or tutorial",
        group="model",
    )
    latent: int = _option(50, "entries of z", group="model", at_least=1)
    prior: str = _option(
        "uniform",
        "the distribution of z: uniform, normal, or parts as normal62+categorical10+uniform2",
        group="model",
    )
    moves: str | None = _option(
        None,
        "who moves when in a step, as D,EG (in turn), D+EG (at once) or D,D,D,G [the system's]",
        group="model",
    )
    set: str | None = _option(
        None, "the system's own numbers and options, as gamma=0.7,lambda_k=0.01", group="model"
    )
    width: int | None = _option(
        None, "units of a layer (mlp) or channels of the first (dcgan)", group="model", at_least=1
    )
    l2: float = _option(0.0, "weight decay l2·w added to the gradients", group="model", at_least=0)

    epochs: int = _option(25, "passes over the data", group="training", at_least=1, may_change=True)
    batch_size: int = _option(
        128, "images in a step, over all replicas", group="training", at_least=1
    )
    learning_rate: float = _option(
        2e-4,
        "of Adam, for every player, also those to whom the preset or the system gives another",
        group="training",
        at_least=0,
    )
    player_rates: str | None = _option(
        None,
        "other learning rates of single players, as EG=1e-3 or D=2e-4,EG=1e-3",
        group="training",
    )
    beta_1: float = _option(0.5, "of Adam", group="training", at_least=0)
    epsilon: float = _option(1e-8, "of Adam", group="training", at_least=0)
    decay_epochs: int = _option(
        0,
        "learning rate constant for half of so many epochs, then falling to 1 %; 0: constant",
        group="training",
        at_least=0,
    )
    ema: float = _option(
        0.0, "decay of the weights' moving average, as 0.995; 0: none", group="training", at_least=0
    )
    seed: int = _option(0, "of weights, data order, z and dropout", group="training", at_least=0)
    precision: str = _option(
        "auto",
        "of the networks' products; auto: bfloat16 where the hardware multiplies it faster",
        group="training",
        choices=("auto", "float32", "mixed_bfloat16"),
    )
    jit_compile: str = _option(
        "auto", "compile with XLA", group="training", choices=("auto", "true", "false")
    )
    steps_per_execution: int = _option(
        16,
        "most steps between two returns to Python; fewer where they take over a second",
        group="training",
        at_least=1,
    )

    strategy: str = _option(
        "auto",
        "devices; auto: other machines where TF_CONFIG or Slurm name them, else all GPUs here",
        group="devices",
        choices=("auto", "none", "mirrored", "multi_worker", "tpu"),
        may_change=True,
    )
    join_timeout: int = _option(
        300, "seconds to wait for the other workers", group="devices", at_least=1, may_change=True
    )
    sync_batch_norm: bool = _option(
        False, "batch statistics over all replicas, without XLA", group="devices"
    )

    checkpoint_steps: int = _option(
        0,
        "write a checkpoint every so many steps; 0: every epoch",
        group="output",
        at_least=0,
        may_change=True,
    )
    keep: int = _option(
        3, "checkpoints to keep, beside the best", group="output", at_least=1, may_change=True
    )
    eval_every: int = _option(
        1,
        "epochs between two measurements in metrics.jsonl; 0: none",
        group="output",
        at_least=0,
        may_change=True,
    )
    eval_metrics: str | None = _option(
        None,
        "what is measured then: names or groups of evaluate.py's metrics "
        f"[{','.join(QUICK_METRICS)}]",
        group="output",
        may_change=True,
    )
    monitor: str | None = _option(
        None,
        "the measurement that picks checkpoints/best.keras, as EGr or val_EGr [the system's, as "
        "NND/100]",
        group="output",
        may_change=True,
    )
    picture_every: int = _option(
        1, "epochs between two sets of pictures", group="output", at_least=1, may_change=True
    )
    profile: str | None = _option(
        None,
        "steps START:STOP, counted from 0, to profile for TensorBoard",
        group="output",
        may_change=True,
    )

    def __post_init__(self):
        for option in dataclasses.fields(self):
            value, rules = getattr(self, option.name), option.metadata
            kind, _, optional = str(option.type).partition(" | ")
            if value is None and optional:
                continue
            if not is_of_kind(value, {"bool": bool, "int": int, "float": float, "str": str}[kind]):
                raise UserError(f"--{option.name}={value}: it is no {kind}")
            if isinstance(value, np.generic):  # which JSON does not know
                value = value.item()
                object.__setattr__(self, option.name, value)
            if isinstance(value, float) and not math.isfinite(value):
                raise UserError(f"--{option.name}={value}: it must be a finite number")
            least = rules["at_least"]
            if least is not None and value < least:
                raise UserError(f"--{option.name}={value}: it must be at least {least}")
            if rules["choices"] and value not in rules["choices"]:
                choices = ", ".join(map(str, rules["choices"]))
                raise UserError(f"--{option.name}={value}: choose one of {choices}")
        for name in ("beta_1", "ema"):
            if getattr(self, name) >= 1:
                raise UserError(f"--{name}={getattr(self, name)}: it must be below 1")
        if self.learning_rate == 0:
            raise UserError("--learning_rate=0: it must be above 0")
        if not all(_PRIOR.fullmatch(part) for part in self.prior.split("+")):
            raise UserError(
                f"--prior={self.prior}: give uniform or normal, or parts with their sizes, as "
                "normal62+categorical10+uniform2"
            )
        if self.decay_epochs == 1:
            raise UserError(
                "--decay_epochs=1: half of one epoch cannot be constant; give 0 for a constant "
                "rate, or at least 2"
            )
        if self.seed > LARGEST_SEED:
            raise UserError(f"--seed={self.seed}: it must be at most {LARGEST_SEED}")
        self.rates  # noqa: B018 - parsed for its check
        self.settings  # noqa: B018 - parsed for its check
        self.size  # noqa: B018 - parsed for its check
        self.profiled  # noqa: B018 - parsed for its check
        self.measured  # noqa: B018 - parsed for its check
        if self.monitor is not None and self.monitored not in self.measured:
            raise UserError(
                f"--monitor={self.monitor}: it is not among --eval_metrics"
                f"{did_you_mean(self.monitored, self.measured)}"
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
            if not (player and 0 < rates[player] < math.inf):
                raise UserError(
                    f"--player_rates={self.player_rates}: give PLAYER=RATE, as EG=1e-3, "
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
                    f"--set={self.set}: give NAME=VALUE, as gamma=0.7, with commas between several"
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
            raise UserError(f"--image_size={self.image_size}: give SIDE or HxW in pixels, as 32x48")
        return int(sides[0]), int(sides[-1])

    @property
    def profiled(self) -> tuple[int, int] | None:
        """`profile` as (first step, the step after the last)."""
        if self.profile is None:
            return None
        start, _, stop = self.profile.partition(":")
        if not (start.isdecimal() and stop.isdecimal() and int(start) < int(stop)):
            raise UserError(
                f"--profile={self.profile}: give START:STOP, two numbers of steps, as 100:110"
            )
        return int(start), int(stop)

    def to_json(self) -> str:
        """The configuration as indented JSON."""
        return json.dumps(dataclasses.asdict(self), indent=2)

    @classmethod
    def from_dict(cls, values: Mapping) -> Config:
        """The inverse of `dataclasses.asdict`. Raises UserError for unknown names."""
        known = {option.name for option in dataclasses.fields(cls)}
        for name in values:
            if name not in known:
                raise UserError(f"unknown option {name}{did_you_mean(name, known)}")
        return cls(**values)

    def replace(self, **changes) -> Config:
        """A copy with some fields changed, checked as a new one."""
        return dataclasses.replace(self, **changes)

    def differences(self, other: Config) -> list[str]:
        """ "--name: mine there, other's here" of every field that a resumed run may not change."""
        return [
            f"--{option.name}: {getattr(self, option.name)} there, "
            f"{getattr(other, option.name)} here"
            for option in dataclasses.fields(self)
            if not option.metadata["may_change"]
            and getattr(self, option.name) != getattr(other, option.name)
        ]
