"""How the players learn, and what of it is saved: compile, configurations, the averaged copy."""

from collections.abc import Mapping
from functools import partial

import keras
import tensorflow as tf

from tf_bigan.core import hardware
from tf_bigan.optimizers import Adam

# Of the averaged model's batch statistics: its passes are ten steps apart, and ten of them see the
# last hundred steps.
AVERAGE_STATISTICS_MOMENTUM = 0.9


class Compiling:
    """`compile`, and the configurations by which Keras saves and loads an `AdversarialModel`."""

    def compile(
        self,
        optimizer: keras.optimizers.Optimizer | Mapping | None = None,
        *,
        ema: float | None = None,
        seed: int = 0,
        jit_compile: bool | str = "auto",
        steps_per_execution: int = 16,
        sync_batch_norm: bool = False,
    ):
        """Says how the players learn.

        Args:
            optimizer: one optimizer, of which every player gets its own copy, or
                {player: optimizer}. Default: `tf_bigan.optimizers.Adam(2e-4, beta_1=0.5)`.
            ema: decay per step, in (0, 1), of an exponential moving average of all networks,
                which `encode`, `generate` and `reconstruct` then use; None for no average.
            seed: of all randomness in training: z, dropout, noise. A step is a function of
                the state, the batch, this seed and the step's number alone.
            jit_compile: whether XLA compiles the gradients; "auto" decides by the hardware.
            steps_per_execution: most steps of one call into the compiled loop, between which no
                Python runs; fewer where they would take more than about a second. Callbacks and
                signals act between calls. What is computed does not depend on it.
            sync_batch_norm: whether several replicas normalise by the statistics of the global
                batch, and not each by its own part's; XLA cannot compile the gradients then.

        Raises:
            ValueError: an argument out of its range, or optimizers that do not match the players.
        """
        if ema is not None and not 0 < ema < 1:
            raise ValueError(f"ema is a decay between 0 and 1, or None, not {ema}")
        if steps_per_execution < 1:
            raise ValueError(f"steps_per_execution must be at least 1, not {steps_per_execution}")
        with self.distribute_strategy.scope():  # whose devices hold all that is made here
            optimizers = self._one_each(Adam(2e-4, beta_1=0.5) if optimizer is None else optimizer)
            super().compile(optimizer=None, jit_compile=False)
            for player, one in optimizers.items():
                if not one.built:
                    one.build(self.player_variables(player))
                # A named attribute each, since Keras saves the objects of a dict by their order.
                setattr(self, f"optimizer_{player}", one)
            self.seed, self.ema, self.jit_compile = int(seed), ema, jit_compile
            self.steps_per_execution, self.sync_batch_norm = steps_per_execution, sync_batch_norm
            if self.average is not None:
                self._tracker.untrack(self.average)  # an earlier one: Keras would save it too
            self.average = self._make_average() if ema is not None else None
        self._forget_compiled()

    def _one_each(self, optimizer) -> dict[str, keras.optimizers.Optimizer]:
        """{player: an optimizer of its own}, of one for all or one for each."""
        if not isinstance(optimizer, Mapping):
            one = keras.optimizers.get(optimizer)
            serialize, make = keras.optimizers.serialize, keras.optimizers.deserialize
            # Serialized for each, as a wrapping optimizer takes its configuration apart.
            return {player: make(serialize(one)) for player in self.players}
        if set(optimizer) != set(self.players):
            raise ValueError(
                f"optimizers are for {sorted(optimizer)}, but the players are "
                f"{sorted(self.players)}"
            )
        made = {player: keras.optimizers.get(one) for player, one in optimizer.items()}
        if len({id(one) for one in made.values()}) < len(made):
            raise ValueError("each player needs an optimizer of its own, not one object for two")
        return made

    def get_compile_config(self) -> dict | None:
        if not self.compiled:
            return None
        return {
            "optimizer": {
                player: keras.optimizers.serialize(self.optimizer_of(player))
                for player in self.players
            },
            "ema": self.ema,
            "seed": self.seed,
            "jit_compile": self.jit_compile,
            "steps_per_execution": self.steps_per_execution,
            "sync_batch_norm": self.sync_batch_norm,
        }

    def compile_from_config(self, config: dict):
        optimizer = {
            player: keras.optimizers.deserialize(one) for player, one in config["optimizer"].items()
        }
        self.compile(**{**config, "optimizer": optimizer})

    def get_config(self) -> dict:
        parts = ("prior", "schedule", *self.network_names(), *self.hyperparameters)
        # Keras does not save which layers are frozen; a reloaded model would move them again.
        frozen = {
            name: [i for i, layer in enumerate(self._layers_of(name)) if not layer.trainable]
            for name in self.network_names()
        }
        return {"name": self.name, "frozen": frozen} | {
            part: keras.saving.serialize_keras_object(getattr(self, part)) for part in parts
        }

    @classmethod
    def from_config(cls, config: dict, custom_objects=None) -> keras.Model:
        config = dict(config)
        frozen = config.pop("frozen", {})
        model = cls(
            **{
                name: keras.saving.deserialize_keras_object(value, custom_objects)
                for name, value in config.items()
            }
        )
        for name, indices in frozen.items():
            layers = model._layers_of(name)
            for index in indices:
                layers[index].trainable = False
        return model

    def _layers_of(self, network: str) -> list[keras.layers.Layer]:
        """A network and all layers in it, always in the same order."""
        return list(getattr(self, network)._flatten_layers())

    def build(self, input_shape=None):
        """Nothing: the networks are built when they are made."""

    def optimizer_of(self, player: str) -> keras.optimizers.Optimizer:
        """The optimizer of one player, with its state."""
        return getattr(self, f"optimizer_{player}")

    def player_variables(self, player: str) -> list:
        """The variables that a player moves."""
        return [v for n in self.players[player] for v in getattr(self, n).trainable_variables]

    def _make_average(self) -> keras.Model:
        average = type(self).from_config(self.get_config() | {"name": "average"})
        for layer in average._flatten_layers():
            if isinstance(layer, keras.layers.BatchNormalization):
                layer.momentum = AVERAGE_STATISTICS_MOMENTUM
        for network in self.network_names():
            getattr(average, network).set_weights(getattr(self, network).get_weights())
        return average

    def _forget_compiled(self):
        self._inference_functions = {}
        self._gradient_functions = {
            "+".join(group): self._compiled(partial(self._gradients, group))
            for group in self.schedule
        }
        self._average_function = tf.function(self._update_average, jit_compile=self._use_xla())
        self._diagnose_function = tf.function(
            lambda batch: self.distribute_strategy.run(self._diagnose, args=(batch,))
        )
        super()._forget_compiled()

    def _compiled(self, gradients):
        # Neither XLA nor a function of its own may hold communication between replicas.
        if self.sync_batch_norm and self.distribute_strategy.num_replicas_in_sync > 1:
            return gradients
        return tf.function(gradients, jit_compile=self._use_xla())

    @property
    def policy(self) -> str:
        """The dtype policy of the networks, as "mixed_bfloat16"."""
        return getattr(self, self.network_names()[0]).dtype_policy.name

    def _use_xla(self) -> bool:
        if self.jit_compile != "auto":
            return self.jit_compile
        networks = [getattr(self, name) for name in self.network_names()]
        return hardware.choose(self.policy, networks=networks)[1]
