"""The base class of adversarial models: players, their order of moves, and their losses."""

import inspect
from collections.abc import Iterable, Mapping, Sequence
from typing import Annotated, Any

import keras
import tensorflow as tf

from tf_bigan import augmentation as augmentations
from tf_bigan import constraints, losses, penalties
from tf_bigan.constraints import Count, Seed
from tf_bigan.core import hardware
from tf_bigan.core.averaging import Averaging
from tf_bigan.core.inference import Inference
from tf_bigan.core.judging import Judgements, Judging
from tf_bigan.core.randomness import Randomness
from tf_bigan.core.statistics import (
    average_over_replicas,
    mean_over_replicas,
    rows_of,
    seed_states,
)
from tf_bigan.core.trainer import Trainer
from tf_bigan.errors import UserError
from tf_bigan.networks.normalization import (
    BatchNormalization,
    statistics_over_replicas,
)
from tf_bigan.networks.spectral import power_iteration
from tf_bigan.optimizers import Adam
from tf_bigan.priors import Prior

Moves = Sequence[Sequence[str]]


class AdversarialModel(Averaging, Inference, Judging):
    """The base class of every system. A subclass declares the players and their losses.

    Class attributes of a subclass:
        players: player -> names of the networks it owns; each network belongs to one player.
        moves: groups of players, in order. The players of a group move at the same time: one draw
            of z, one forward pass, all gradients from the same weights.
        fresh_z: whether each group of a step gets its own draw of z.
        requires: the keys of a batch that the losses use.
        network_methods: network -> the method that it must have besides `call`.
        default_loss: the adversarial loss, a name of `losses.LOSSES`; None where D gives no logits.
        default_penalty: the penalty on D, as text for `penalties.get`; None where no discriminator
            is called by `judge`, so that there is nothing to penalise or to augment.

    A subclass has a constructor with explicit arguments: its networks, `prior`, then its
    hyperparameters with type, constraint (see `tf_bigan.constraints`) and default, then `moves`
    and `name`. It passes all of them to this constructor, which stores them as attributes.
    `get_config` is derived from the constructor's signature.

    Args:
        prior: the distribution of z.
        moves: the order of moves, if it differs from the class's.
        name: name of the model.
        **parts: the networks by the names in `players` (built `keras.Model`s), and the
            hyperparameters.

    Raises:
        ValueError: a network is missing; the shapes of G or E do not fit the prior; `moves` names
            an unknown player, or one twice in a group.
        UserError: a hyperparameter does not meet its constraint.

    Example:
        class Mine(tb.AdversarialModel):
            players = {"D": ("discriminator",), "G": ("generator",)}
            moves = (("D",), ("G",))

            def __init__(self, generator, discriminator, prior, *, weight: NonNegative = 1.0,
                         moves: Moves | None = None, name: str | None = None):
                super().__init__(prior, moves=moves, name=name, generator=generator,
                                 discriminator=discriminator, weight=weight)

            def player_losses(self, batch, z, training): ...
    """

    moves: Moves
    fresh_z: bool = True
    requires: tuple[str, ...] = ("image",)
    network_methods: Mapping[str, str] = {}
    default_loss: str | None = "logistic"
    default_penalty: str | None = "none"

    # --- declaration ------------------------------------------------------------------------

    def __init__(
        self, prior: Prior, *, moves: Moves | None = None, name: str | None = None, **parts: Any
    ):
        super().__init__(name=name, dtype="float32")
        values = {k: v for k, v in parts.items() if k not in self.network_names()}
        self.check_options(prior, moves=moves, **values)
        missing = [network for network in self.network_names() if parts.get(network) is None]
        if missing:
            raise ValueError(f"{type(self).__name__} needs the networks {', '.join(missing)}")
        self.prior = prior
        self.moves = tuple(tuple(group) for group in moves or type(self).moves)
        for part in (*self.network_names(), *values):  # the order of the model's variables
            setattr(self, part, parts[part])
        self._option_names = tuple(values)
        self._check_networks()
        self.random = Randomness()
        self.__dict__["_judged"] = Judgements()  # past Keras's tracking: these are no layers
        # The number of training steps so far, a part of the saved state.
        self.step = self.add_weight(
            name="step", dtype="int64", initializer="zeros", trainable=False
        )
        # The probability of augmenting an image. A weight, because an adaptive one must be saved.
        self.augmentation_probability = self.add_weight(
            name="augmentation_probability", initializer="zeros", trainable=False
        )
        self._set_average(None)
        self._set_game(None, None, None)
        self._inference_functions = {}
        self.image_shape = self._find_image_shape()
        self.built = True

    @classmethod
    def hyperparameters(cls) -> dict[str, Any]:
        """{name: default} of the constructor's arguments except networks, prior, moves, name."""
        others = {*cls.network_names(), "prior", "moves", "name"}
        return {
            name: parameter.default
            for name, parameter in _parameters(cls).items()
            if name not in others and parameter.kind is not parameter.VAR_KEYWORD
        }

    @classmethod
    def make_networks(cls, make, latent_dim: int, classes: int | None) -> dict[str, keras.Model]:
        """Makes matching networks from one family.

        Args:
            make: makes the network of a role, for example make("encoder", latent_dim=50); see
                `networks.families` for the roles and their sizes.
            latent_dim: latent dimension of the prior.
            classes: number of classes, or None without labels.
        """
        return {name: make(name, latent_dim=latent_dim) for name in cls.network_names()}

    @classmethod
    def from_preset(
        cls,
        preset: str,
        image_shape: tuple[int, int, int],
        classes: int | None = None,
        steps_per_epoch: int | None = None,
        **options: Any,
    ) -> "AdversarialModel":
        """A compiled model with the networks, prior and optimizers of a preset of train.py.

        Args:
            preset: its name, for example "best_mnist"; see `tf_bigan.run.presets.PRESETS`.
            image_shape: (H, W, C) of the images to train on.
            classes: number of classes, for a system that learns from labels.
            steps_per_epoch: needed for the preset's learning rate decay; without it the learning
                rate is constant.
            **options: fields of `tf_bigan.run.config.Config` that override the preset's.

        Raises:
            UserError: an unknown preset or option.

        Example:
            model = tb.models.BiGAN.from_preset("best_mnist", image_shape=(28, 28, 1))
        """
        # The only import of a higher layer: presets belong to the commands.
        from tf_bigan.run.build import model_from_preset

        return model_from_preset(cls, preset, image_shape, classes, steps_per_epoch, **options)

    def player_losses(
        self, batch: Mapping[str, tf.Tensor], z: tf.Tensor, training: bool
    ) -> tuple[dict[str, tf.Tensor], dict[str, tf.Tensor]]:
        """The loss of each player. This is the one method that a system must define.

        Args:
            batch: {"image": x [B, H, W, C] in [0, 1], "label": [B] if the data has labels}.
            z: a draw from the prior, [B, latent_dim].
            training: whether batch norm, dropout and the like run in training mode.

        Returns:
            ({player: scalar loss}, {name: tensor}). The mean of each named tensor is logged, and
            TensorBoard shows its distribution.
        """
        raise NotImplementedError

    def adapt(self, logs: Mapping[str, tf.Tensor]) -> None:
        """Updates the system's adaptive state once per step, after all players have moved.

        The state is a weight, made in the constructor by `self.add_weight(..., trainable=False)`,
        so that it is saved and resumed.

        Args:
            logs: this step's means of the tensors logged by `player_losses`, over all replicas.
        """

    def is_active(self, player: str) -> bool | tf.Tensor:
        """Whether a player learns in this step; if not, its gradients are 0.

        A bool, or a scalar bool tensor that depends on `self.step`.
        """
        return True

    def _check_networks(self):
        owners: dict[int, str] = {}
        for name in self.network_names():
            network = getattr(self, name)
            method = self.network_methods.get(name)
            if method and not hasattr(network, method):
                raise UserError(
                    f"{type(self).__name__}: {name} has no method {method}(): make it with "
                    "tb.networks, or see there what it returns"
                )
            for variable in network.variables:  # a shared one is saved once, and not restored
                other = owners.setdefault(id(variable), name)
                if other != name:
                    raise UserError(
                        f"{other} and {name} share the weight {variable.path}: give each network "
                        "layers of its own"
                    )

    @classmethod
    def check_options(
        cls,
        prior: Prior,
        *,
        moves: Moves | None = None,
        loss: losses.AdversarialLoss | str | None = None,
        penalty: penalties.Penalty | str | None = None,
        augmentation: augmentations.Augmentation | str | None = None,
        **values: Any,
    ) -> None:
        """Checks arguments of the constructor and of `compile`, as far as no networks are needed.

        The commands call it before they read images. A system with conditions of its own extends
        it, with a default for each hyperparameter, because a subclass need not have it.

        Args:
            prior, moves, loss, penalty, augmentation: as there.
            **values: hyperparameters.

        Raises:
            ValueError: `moves` names an unknown player, or a group has none.
            UserError: something else does not fit the system.
        """
        constraints.check_arguments(cls, values, where=f"{cls.__name__}: ")
        if not isinstance(prior, Prior):
            raise UserError(f"prior={prior!r}: give a Prior, as tb.priors.Normal(50)")
        for group in moves or cls.moves:
            if not group:
                raise ValueError("moves: a group without players")
            for player in group:
                if player not in cls.players:
                    raise ValueError(
                        f"moves: no player {player}; players: {', '.join(cls.players)}"
                    )
                if list(group).count(player) > 1:
                    raise UserError(f"moves: {player} is twice in the same group")
        if loss is not None and cls.default_loss is None:
            raise UserError(f"loss={loss}: {cls.__name__} has a loss of its own: leave loss out")
        augmentation = augmentations.get(augmentation)
        if cls.default_penalty is None:
            cls._refuse_judging(penalties.get(penalty or "none"), augmentation)
        if augmentation is not None and augmentation.target is not None and not cls.default_loss:
            raise UserError(
                f"augmentation: {cls.__name__} has no logits, whose sign a target needs: "
                "leave target out"
            )

    @classmethod
    def _refuse_judging(cls, penalty, augmentation):
        """Raises UserError if one of them is given: no discriminator is there to act on."""
        for option, value in {"penalty": penalty, "augmentation": augmentation}.items():
            if value is not None:
                raise UserError(
                    f"{option}: {cls.__name__} has no discriminator that judge() calls: use "
                    f"{option}='none'"
                )

    def _find_image_shape(self) -> tuple[int, int, int]:
        """(H, W, C) from G, or from E without G. Raises if the networks do not match."""
        latent = (None, self.prior.dim)
        if not hasattr(self, "generator") and not hasattr(self, "encoder"):
            raise ValueError(
                f"{type(self).__name__} has neither a network `generator` nor `encoder`, by which "
                "the shape of images is known: name one of its networks so"
            )
        if not hasattr(self, "generator"):
            return _image_shape_of(self.encoder)
        try:
            image = _output_shape(self.generator, latent)
        except ValueError as error:
            raise ValueError(
                f"the generator does not take z of latent_dim={self.prior.dim}, which the prior has"
            ) from error
        if hasattr(self, "encoder") and _output_shape(self.encoder, image) != latent:
            raise ValueError(
                f"encoder gives {_output_shape(self.encoder, image)}, but the prior's z is {latent}"
            )
        return image[1:]

    # --- configuration ----------------------------------------------------------------------

    def compile(
        self,
        optimizer: keras.optimizers.Optimizer | str | Mapping | None = None,
        loss: losses.AdversarialLoss | str | None = None,
        *,
        penalty: penalties.Penalty | str | None = None,
        augmentation: augmentations.Augmentation | str | None = None,
        ema: Annotated[float, "(0, 1)"] | None = None,
        seed: Seed = 0,
        jit_compile: bool | str = "auto",
        steps_per_execution: Count = 16,
        sync_batch_norm: bool = False,
    ) -> None:
        """Configures the training.

        Args:
            optimizer: one optimizer, copied for every player, or
                {player: optimizer}. Default: `tf_bigan.optimizers.Adam(2e-4, beta_1=0.5)`. In
                mixed_float16 each is wrapped in Keras's `LossScaleOptimizer`.
            loss: what D and its opponents minimise, for a system whose D gives logits: one of
                `tf_bigan.losses`, or its name, as "hinge". Default: the system's.
            penalty: on the slope of D, added to D's loss: one of `tf_bigan.penalties`, or its name
                and arguments, as "r1:gamma=0.3"; "none" for none. Default: the system's.
            augmentation: differentiable changes of the images that D sees, for small data sets: a
                `tf_bigan.augmentation.Augmentation`, or its kinds, as "translation+cutout".
            ema: decay per step, in (0, 1), of an exponential moving average of all networks,
                used by `encode`, `generate` and `reconstruct`; None for no average. The decay
                is ramped up: it is min(ema, (1 + n) / (10 + n)) in step n = 0, 1, ...
            seed: random seed of the training: z, dropout, noise. A step depends only on the
                state, the batch, this seed and the step number.
            jit_compile: whether XLA compiles the gradients; "auto" depends on the hardware.
            steps_per_execution: the maximal number of steps per call of the compiled loop. A call
                makes fewer steps if they would take more than about a second. Callbacks and
                signals act between calls. The results do not depend on this number.
            sync_batch_norm: whether replicas normalise with the statistics of the global batch
                instead of those of their own part. XLA cannot compile the gradients then.

        Raises:
            UserError: an argument does not meet its constraint.
            ValueError: the optimizers do not match the players.
        """
        values = {"ema": ema, "seed": seed, "steps_per_execution": steps_per_execution}
        values["sync_batch_norm"] = sync_batch_norm
        constraints.check_arguments(AdversarialModel.compile, values)
        self.check_options(
            self.prior,
            moves=self.moves,
            loss=loss,
            penalty=penalty,
            augmentation=augmentation,
            **{name: getattr(self, name) for name in self._option_names},
        )
        if jit_compile != "auto":
            constraints.check("jit_compile", jit_compile, bool)
        for name in self.network_names():
            if not getattr(self, name).built:
                raise UserError(
                    f"{name} is not built, so that it has no weights to train: call it once on a "
                    "batch, or begin it with keras.Input"
                )
        self._check_owners()
        if sync_batch_norm:
            self._check_synchronises()
        with self.distribute_strategy.scope():  # variables are placed on its devices
            optimizers = self._one_each(Adam(2e-4, beta_1=0.5) if optimizer is None else optimizer)
            super().compile(optimizer=None, jit_compile=False)
            for player, one in optimizers.items():
                if not one.built:
                    one.build(self.player_variables(player))
                # One named attribute each, because Keras saves the objects of a dict by order.
                setattr(self, f"optimizer_{player}", one)
            self._set_game(loss, penalty, augmentation)
            self.seed, self.ema, self.jit_compile = int(seed), ema, jit_compile
            self.steps_per_execution, self.sync_batch_norm = steps_per_execution, sync_batch_norm
            self._set_average(self._make_average() if ema is not None else None)
        self._forget_compiled()

    def _check_synchronises(self):
        """Raises UserError if a network has batch statistics that stay those of a replica."""
        for name in self.network_names():
            for layer in self._layers_of(name):
                stock = isinstance(layer, keras.layers.BatchNormalization) and not isinstance(
                    layer, BatchNormalization
                )
                if stock and not layer.synchronized:
                    raise UserError(
                        f"sync_batch_norm: {name} has Keras's BatchNormalization: use "
                        "tb.networks.BatchNormalization, or synchronized=True of the layer"
                    )

    def _set_game(self, loss, penalty, augmentation):
        loss, penalty = loss or self.default_loss, penalty or self.default_penalty
        self.adversarial_loss = None if loss is None else losses.get(loss)
        self.penalty = penalties.get(penalty)
        self.augmentation = augmentations.get(augmentation)
        if self.augmentation is not None:
            self.augmentation_probability.assign(self.augmentation.probability)

    def get_compile_config(self) -> dict | None:
        if not self.compiled:
            return None
        serialize = keras.saving.serialize_keras_object
        return {
            "optimizer": {
                player: keras.optimizers.serialize(self.optimizer_of(player))
                for player in self.players
            },
            "loss": serialize(self.adversarial_loss),
            "penalty": serialize(self.penalty),
            "augmentation": serialize(self.augmentation),
            "ema": self.ema,
            "seed": self.seed,
            "jit_compile": self.jit_compile,
            "steps_per_execution": self.steps_per_execution,
            "sync_batch_norm": self.sync_batch_norm,
        }

    def compile_from_config(self, config: dict) -> None:
        optimizer = {
            player: keras.optimizers.deserialize(one) for player, one in config["optimizer"].items()
        }
        restore = keras.saving.deserialize_keras_object
        game = {name: restore(config[name]) for name in ("loss", "penalty", "augmentation")}
        game["penalty"] = game["penalty"] or "none"
        arguments: dict[str, Any] = config | game | {"optimizer": optimizer}
        self.compile(**arguments)

    def get_config(self) -> dict:
        names = [n for n, p in _parameters(type(self)).items() if p.kind is not p.VAR_KEYWORD]
        # The networks first, in the players' order, in which a model made from this config draws
        # its initial weights.
        names = dict.fromkeys([*self.network_names(), *names])
        # Keras does not save which layers are frozen; a reloaded model would train them again.
        frozen = {
            name: [i for i, layer in enumerate(self._layers_of(name)) if not layer.trainable]
            for name in self.network_names()
        }
        serialize = keras.saving.serialize_keras_object
        return {name: serialize(getattr(self, name)) for name in names} | {"frozen": frozen}

    @classmethod
    def from_config(cls, config: dict, custom_objects=None) -> "AdversarialModel":
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

    def build(self, input_shape=None) -> None:
        """Does nothing: the networks are built in their constructors."""

    def save(self, filepath, overwrite: bool = True, **kwargs: Any) -> None:
        """Saves networks, optimizers and state in Keras's .keras format.

        Raises:
            ValueError: the suffix is not .keras; nothing is written then.
        """
        if not str(filepath).endswith(".keras"):
            raise ValueError(
                f"{filepath}: an adversarial model is saved as FILE.keras; tb.export.export makes "
                "files for other runtimes"
            )
        super().save(filepath, overwrite=overwrite, **kwargs)

    def export(self, filepath, *args: Any, **kwargs: Any) -> None:
        """Exports `call`, G(E(x)) or G(z), as Keras does; `tb.export.export` exports the parts.

        The signature is float32 [None, H, W, C], or [None, latent_dim] without an encoder.
        """
        shape = self.image_shape if hasattr(self, "encoder") else (self.prior.dim,)
        signature = [keras.InputSpec(shape=(None, *shape), dtype="float32")]
        super().export(filepath, *args, **{"input_signature": signature} | kwargs)

    @property
    def policy(self) -> str:
        """The dtype policy of the networks, for example "mixed_bfloat16"."""
        return getattr(self, self.network_names()[0]).dtype_policy.name

    def make_predict_function(self, force: bool = False):
        """Keras's, with XLA where the gradients have it: Keras would take "auto" for yes."""
        chosen, self.jit_compile = self.jit_compile, self.uses_xla()
        try:
            return super().make_predict_function(force)
        finally:
            self.jit_compile = chosen

    def uses_xla(self) -> bool:
        """Whether XLA compiles the gradients."""
        if self.jit_compile != "auto":
            return bool(self.jit_compile)
        networks = [getattr(self, name) for name in self.network_names()]
        return hardware.choose(self.policy, networks=networks)[1]

    # --- one step ---------------------------------------------------------------------------

    def train_step(self, batch: Mapping[str, tf.Tensor]) -> dict[str, tf.Tensor]:
        """One training step on one replica's part of the batch; {name: scalar to log}.

        Gradients come from a compiled function without communication between replicas.
        Only the optimizers sum them over the replicas.
        """
        logs = {}
        self._power_iteration()
        for index, group in enumerate(self.moves):
            z, key = self._draw(batch, index)
            gradients, group_logs = self._trainer.gradients["+".join(group)](batch, z, key)
            for player in group:
                self.optimizer_of(player).apply(gradients[player], self.player_variables(player))
            logs |= group_logs
        if type(self).adapt is not AdversarialModel.adapt:
            self.adapt(mean_over_replicas(logs))
        if "sign_real" in logs:
            sign = mean_over_replicas([logs.pop("sign_real")])[0]
            rows = rows_of(batch) * self.distribute_strategy.num_replicas_in_sync
            before = self.augmentation_probability
            before.assign(self.augmentation.adapted(before.value, sign, rows))
            logs["augmentation_probability"] = before.value
        if self.average is not None:
            self._trainer.update_average(batch, z, key)
        self.step.assign_add(1)
        average_over_replicas(self)
        return logs

    def _power_iteration(self):
        models = [self] if self.average is None else [self, self.average]
        power_iteration(getattr(m, name) for m in models for name in m.network_names())

    def test_step(self, batch: Mapping[str, tf.Tensor], number: tf.Tensor) -> dict[str, tf.Tensor]:
        """The losses of a batch in inference mode, without an update; {name: scalar to log}.

        number: number of the batch, from 0. Each batch gets its own z.
        """
        z, key = self._draw(batch, 0, ahead=number)
        self._begin(batch, key)
        losses, logs = self.player_losses(batch, z, training=False)
        return tf.nest.map_structure(_mean, _named(losses) | logs)

    def call(self, x, training=False):
        """G(E(x)), [B, H, W, C] -> the same shape. Without an encoder, x is z and this is G(z)."""
        model = self if training else self.inference_model()
        if x.dtype == tf.uint8:  # images: z is never uint8
            x = tf.cast(x, tf.float32) / 255.0
        z = model.encoder(x, training=training) if hasattr(self, "encoder") else x
        return model.generator(z, training=training)

    def _draw(self, batch: Mapping, index: int, ahead=0) -> tuple[tf.Tensor, tf.Tensor]:
        """(z for this replica's rows, key of its other random numbers: a seed and the replica).

        Both are new in every step and group; `ahead` gives those of a later step. z is a slice of
        one draw for the global batch, so that it does not depend on the number of replicas.
        """
        context = tf.distribute.get_replica_context()
        replica = tf.cast(context.replica_id_in_sync_group, tf.int32)
        base = tf.stack([self.seed, tf.cast(self.step.value, tf.int32) + ahead])
        fold = tf.random.experimental.stateless_fold_in
        rows = rows_of(batch)
        z = self.prior.sample(
            rows * context.num_replicas_in_sync, fold(base, index if self.fresh_z else 0)
        )
        z = tf.ensure_shape(z[replica * rows : (replica + 1) * rows], (rows, self.prior.dim))
        return z, tf.concat([fold(base, index), replica[None]], 0)

    def _begin(self, batch: Mapping, key: tf.Tensor):
        """Makes all random numbers of a pass depend only on its key, not on earlier passes."""
        seed, replica = key[:2], key[2]
        replicas = self.distribute_strategy.num_replicas_in_sync
        self.random.begin(seed, rows_of(batch), replica, replicas)
        self._judged.calls.clear()
        seed = tf.random.experimental.stateless_fold_in(seed, replica)
        for number, network in enumerate(self.network_names()):  # their dropout and noise layers
            for index, state in enumerate(seed_states(getattr(self, network))):
                fold = number * 1000 + index + 1
                new = tf.random.experimental.stateless_fold_in(seed, fold)
                state.assign(tf.cast(new, state.dtype))

    def gradients(self, group: Iterable[str], batch: Mapping, z: tf.Tensor, key: tf.Tensor):
        """({player: its gradients}, logs) for a group of players, all from the same weights."""
        self._begin(batch, key)
        # TensorFlow variables: a tape cannot make zero gradients for unused Keras variables.
        variables = {player: [v.value for v in self.player_variables(player)] for player in group}
        with tf.GradientTape(persistent=True, watch_accessed_variables=False) as tape:
            tape.watch(variables)
            with statistics_over_replicas(self.sync_batch_norm):
                losses, logs = self.player_losses(batch, z, training=True)
            self.check_losses(losses, group)
            # Keras's optimizers sum the gradients over the replicas; the mean is taken here.
            replicas = self.distribute_strategy.num_replicas_in_sync
            if not self._judged.calls:
                self._refuse_judging(self.penalty, self.augmentation)
            # Before the penalties, whose calls of D would replace its layers' losses.
            own = {player: self._objective(player, losses[player]) for player in group}
            slopes = self._penalties_of(group)
            objectives = {
                player: self.optimizer_of(player).scale_loss(
                    self._if_active(player, own[player] + slopes.get(player, 0.0)) / replicas
                )
                for player in group
            }
        gradients = {
            player: tape.gradient(
                objectives[player], variables[player], unconnected_gradients="zero"
            )
            for player in group
        }
        logs = _named({player: losses[player] for player in group}) | logs
        logs |= {f"penalty_{player}": penalty for player, penalty in slopes.items()}
        if self._adapts_augmentation() and self._judged.calls[0].player in group:
            real, *_ = self.adversarial_loss.margins(*self._judged.calls[0].logits)
            logs["sign_real"] = tf.sign(real)
        return gradients, tf.nest.map_structure(_mean, logs)

    @property
    def keeps_groups_apart(self) -> bool:
        """Whether all networks do, so that a method of the model may be called on joined groups."""
        networks = (getattr(self, name) for name in self.network_names())
        return all(getattr(network, "keeps_groups_apart", False) for network in networks)

    def check_losses(self, losses: Mapping[str, tf.Tensor], players: Iterable[str]) -> None:
        """Raises ValueError if `player_losses` does not give each player a scalar loss."""
        for player in players:
            if player not in losses:
                raise ValueError(f"player_losses gives no loss for player {player}")
            shape = losses[player].shape
            if shape.rank:
                raise ValueError(
                    f"player_losses gives player {player} a loss of shape {list(shape)}: it must "
                    "be one number, as a mean over the batch"
                )

    def _objective(self, player: str, loss: tf.Tensor) -> tf.Tensor:
        """The player's loss with those of its layers: of weights, and of their last call."""
        terms = [layer_loss for n in self.players[player] for layer_loss in getattr(self, n).losses]
        return tf.cast(loss, tf.float32) + tf.add_n([tf.zeros(()), *terms])

    def _if_active(self, player: str, objective: tf.Tensor) -> tf.Tensor:
        active = self.is_active(player)
        return objective if active is True else tf.cast(active, objective.dtype) * objective

    def synchronises_in_step(self) -> bool:
        """Whether layers communicate between replicas; XLA cannot compile such code."""
        return self.sync_batch_norm and self.distribute_strategy.num_replicas_in_sync > 1

    def forward(self, batch: Mapping, z: tf.Tensor, key: tf.Tensor) -> int:
        """A pass in training mode that only updates the batch statistics."""
        self._begin(batch, key)
        self.player_losses(batch, z, training=True)
        return 0

    # --- training ---------------------------------------------------------------------------

    def fit(
        self,
        x=None,
        y=None,
        batch_size: Count | None = None,
        epochs: int = 1,
        verbose: int | str = "auto",
        callbacks=None,
        validation_split: Annotated[float, "[0, 1)"] = 0.0,
        validation_data=None,
        *,
        initial_epoch: int = 0,
        initial_step: int = 0,
        steps_per_epoch: int | None = None,
        validation_steps: int | None = None,
        validation_batch_size: int | None = None,
    ) -> keras.callbacks.History:
        """Trains the model.

        The arguments have the meaning of those of `keras.Model.fit`.

        Args:
            x: images [N, H, W, C], uint8 or float in [0, 1]; or a dict of arrays
                {"image": ..., "label": ..., ...}; or `tf_bigan.data` batches
                (`load(...).batches(...)`); or a batched `tf.data.Dataset` of images,
                (images, labels) or {"image": ..., "label": ...}.
            y: labels [N], integers from 0, for an array of images.
            batch_size: global batch size over all replicas, for arrays; by default min(32, N).
            epochs: the epoch to stop at, counted from 0 as in Keras. An epoch has
                ceil(N / batch_size) steps.
            verbose: 0 is silent, 1 a progress bar, 2 a line per epoch.
            callbacks: Keras callbacks. They run between calls of at most `steps_per_execution`
                steps and about a second. With several workers, callbacks with `chief_only = True`
                run only on the chief and must not communicate.
            validation_split: the fraction of the arrays, taken from their end, to validate on,
                unless there is `validation_data`.
            validation_data: data as for `evaluate`, or (x, y); its values are logged as "val_...".
            initial_epoch, initial_step: where to start: the number of finished epochs, and of
                finished steps in the next epoch. `tf_bigan.data` batches continue from
                `self.step`, so that a resumed run sees the same examples as an uninterrupted one.
            steps_per_epoch, validation_steps: batches per epoch and per validation; needed for
                a dataset of unknown length, which must repeat.
            validation_batch_size: `batch_size` for validation, the same by default.

        Returns:
            The history: one mean per epoch for each logged name.

        Raises:
            NonFiniteLoss: a logged value is NaN or infinite.
            ValueError: the model is not compiled, the data has an unsupported form, or a callback
                needs stock Keras.
        """
        return self._compiled_trainer().fit(
            x,
            y,
            batch_size=batch_size,
            epochs=epochs,
            verbose=verbose,
            callbacks=callbacks,
            validation_split=validation_split,
            validation_data=validation_data,
            initial_epoch=initial_epoch,
            initial_step=initial_step,
            steps_per_epoch=steps_per_epoch,
            validation_steps=validation_steps,
            validation_batch_size=validation_batch_size,
        )

    def evaluate(
        self,
        x=None,
        y=None,
        batch_size: Count | None = None,
        verbose: int | str = 0,
        *,
        steps: int | None = None,
        return_dict: bool = True,
    ) -> dict[str, float]:
        """The mean losses and logs over data in inference mode, as {name: value}.

        The data is given as in `fit`. Every example counts once; the last batch may be smaller.
        Several replicas need equal parts, so that the last few rows may be left out.
        Each batch has its own z; nothing is updated. `verbose` and `return_dict` exist for Keras:
        nothing is printed, and the result is always a dict.
        """
        return self._compiled_trainer().evaluate(x, y, batch_size=batch_size, steps=steps)

    def train_on_batch(self, x, y=None, **kwargs: Any) -> dict[str, float]:
        """One training step, with the moves of all players, on one batch: {name: value}."""
        return self._compiled_trainer().on_batch("train", x, y, **kwargs)

    def test_on_batch(self, x, y=None, **kwargs: Any) -> dict[str, float]:
        """The losses of one batch in inference mode: {name: value}."""
        return self._compiled_trainer().on_batch("test", x, y, **kwargs)

    def _compiled_trainer(self) -> Trainer:
        if not self.compiled:
            raise ValueError("compile the model first: model.compile(optimizer=...)")
        return self._trainer

    def _forget_compiled(self):
        """Drops the compiled functions; the next call traces them again."""
        self._inference_functions = {}
        self._trainer = Trainer(self)


def _parameters(system: type) -> dict[str, inspect.Parameter]:
    """The parameters of a constructor by name, without `self`."""
    parameters = dict(inspect.signature(system.__init__).parameters)
    parameters.pop("self")
    return parameters


def _output_shape(network: keras.Model, input_shape: tuple) -> tuple:
    return tuple(network(keras.Input(input_shape[1:])).shape)


def _image_shape_of(encoder: keras.Model) -> tuple[int, int, int]:
    shape = encoder.get_config().get("image_shape") or getattr(encoder, "input_shape", ())[1:]
    if len(shape) != 3:
        raise ValueError("put the encoder's image_shape, (H, W, C), into its get_config")
    return tuple(shape)


def _named(losses: Mapping) -> dict[str, tf.Tensor]:
    return {f"loss_{player}": loss for player, loss in losses.items()}


def _mean(value: tf.Tensor) -> tf.Tensor:
    return tf.reduce_mean(tf.cast(value, tf.float32))
