"""An adversarial model is a game: who plays, who moves when, and what each player minimises."""

from collections.abc import Iterable, Mapping

import keras
import tensorflow as tf

from tf_bigan.core.compiling import Compiling
from tf_bigan.core.inference import Inference
from tf_bigan.core.limits import check_limits
from tf_bigan.core.randomness import Randomness
from tf_bigan.core.statistics import Statistics, rows_of, seed_states
from tf_bigan.core.trainer import Loop
from tf_bigan.errors import UserError, did_you_mean
from tf_bigan.networks.normalization import statistics_over_replicas
from tf_bigan.priors import Prior

# Steps between two updates of the averaged model's batch statistics: a forward pass every tenth
# step costs little.
AVERAGE_STATISTICS_EVERY = 10


class AdversarialModel(Compiling, Loop, Inference, Statistics, keras.Model):
    """The base of every system. A subclass declares the game and writes `player_losses`.

    Class attributes of a subclass:
        players: player -> names of the networks it owns; each network belongs to one player.
        schedule: groups of players, in order. Within a group all players move at once: one draw
            of z, one forward pass, all gradients from the same weights.
        fresh_z: whether z is drawn anew for each group of a step.
        hyperparameters: name -> default of the numbers and options in the losses. Each becomes
            an argument of the constructor and an attribute.
        limits: name -> its choices, as ("l1", "l2"), or the interval that a number must be in, as
            "[0, 1)". Without one a number must be in [0, inf), finite and not negative, as long as
            its default is.
        requires: the entries of a batch that the losses use.
        defaults: options of train.py that suit the system, as {"prior": "normal"}.
        monitor: the metric by which train.py picks its best checkpoint, if it is measured.

    Args:
        prior: a `tf_bigan.priors.Prior`, the distribution of z.
        schedule: another schedule than the class's.
        **parts: the networks by the names in `players` (built `keras.Model`s), and any of the
            hyperparameters.

    Raises:
        ValueError: a network is missing or unknown; G's or E's shapes do not fit the prior's; the
            schedule names no player, or one twice in a group.
        UserError: a hyperparameter is out of its limits, or of another kind than its default.
    """

    players: dict[str, tuple[str, ...]]
    schedule: tuple[tuple[str, ...], ...]
    fresh_z: bool = True
    hyperparameters: dict = {}
    limits: dict[str, str | tuple[str, ...]] = {}
    requires: tuple[str, ...] = ("image",)
    defaults: dict = {}
    monitor: str = "NND/100"

    def __init__(self, *, prior: Prior, schedule=None, name: str | None = None, **parts):
        super().__init__(name=name, dtype="float32")
        networks = self.network_names()
        known = [*networks, *self.hyperparameters]
        for part in parts:
            if part not in known:
                takes = ", ".join([*known, "prior", "schedule"])
                hint = did_you_mean(part, known)
                raise ValueError(f"{type(self).__name__} takes {takes}, not {part}{hint}")
        missing = [network for network in networks if network not in parts]
        if missing:
            raise ValueError(f"{type(self).__name__} needs the networks {', '.join(missing)}")
        self.prior = prior
        self.schedule = tuple(tuple(group) for group in schedule or type(self).schedule)
        for group in self.schedule:
            if not group:
                raise ValueError("the schedule has a move without players")
            for player in group:
                if player not in self.players:
                    players = ", ".join(self.players)
                    raise ValueError(f"the schedule moves {player}; players: {players}")
                if group.count(player) > 1:
                    raise UserError(f"the schedule moves {player} twice at the same moment")
        self.random = Randomness()
        for part in known:
            setattr(self, part, parts.get(part, self.hyperparameters.get(part)))
        check_limits(type(self), {name: getattr(self, name) for name in self.hyperparameters})
        # The number of training steps so far, a part of the saved state.
        self.step = self.add_weight(
            name="step", dtype="int64", initializer="zeros", trainable=False
        )
        self.average = None
        self._inference_functions = {}
        self.built = True
        self._check_shapes()

    @classmethod
    def network_names(cls) -> tuple[str, ...]:
        """The names of all networks, in the players' order."""
        return tuple(network for networks in cls.players.values() for network in networks)

    @classmethod
    def make_networks(cls, make, latent_dim: int, classes: int | None) -> dict[str, keras.Model]:
        """Networks that fit together, from a family.

        Args:
            make: makes the network of a role, as make("encoder", latent_dim=50); see
                `networks.families` for the roles and their sizes.
            latent_dim: entries of z.
            classes: classes of the labels, None where there are none.
        """
        return {name: make(name, latent_dim=latent_dim) for name in cls.network_names()}

    @classmethod
    def settings_of_run(cls, settings: Mapping, steps_per_epoch: int, epochs: int) -> dict:
        """Hyperparameters for a run of train.py: those given, and what follows from its length.

        Raises UserError where the run is too short for them.
        """
        return dict(settings)

    def player_losses(self, batch: Mapping, z: tf.Tensor, training: bool):
        """What each player minimises: the one method a system must write.

        Args:
            batch: {"image": x [B, H, W, C] in [0, 1], "label": [B] where the data has labels}.
            z: a draw of the prior, [B, latent].
            training: whether batch norm, dropout and the like run in training mode.

        Returns:
            ({player: scalar loss}, {name: tensor}); the mean of each named tensor is logged, its
            distribution shown in TensorBoard.
        """
        raise NotImplementedError

    def adapt(self, logs: Mapping):
        """Updates what the system adapts by itself, once a step, after all players have moved.

        State is a weight of the model, made in its constructor by `self.add_weight(...,
        trainable=False)`, and thus saved and resumed.

        Args:
            logs: the means of what `player_losses` named in this step, over all replicas.
        """

    # --- shapes -----------------------------------------------------------------------------

    def _check_shapes(self):
        """Finds `image_shape`, (H, W, C), and refuses networks that do not fit each other."""
        if not hasattr(self, "generator"):
            return
        latent = (None, self.prior.dim)
        try:
            image = _output_shape(self.generator, latent)
        except ValueError as error:
            raise ValueError(
                f"the generator does not take z of {self.prior.dim}, as the prior gives it"
            ) from error
        self.image_shape = image[1:]
        if hasattr(self, "encoder") and _output_shape(self.encoder, image) != latent:
            raise ValueError(
                f"encoder gives {_output_shape(self.encoder, image)}, but the prior's z is {latent}"
            )

    def call(self, x, training=False):
        """G(E(x)), [B, H, W, C] -> the same; for a model without an encoder G(z) of x = z."""
        model = self if training else self.inference_model()
        if x.dtype == tf.uint8:  # not z: that is never of bytes
            x = tf.cast(x, tf.float32) / 255.0
        z = model.encoder(x, training=training) if hasattr(self, "encoder") else x
        return model.generator(z, training=training)

    # --- one step ---------------------------------------------------------------------------

    def train_step(self, batch: Mapping) -> tf.Tensor:
        """One step on one replica's part of the batch; the log values, float32 [names].

        Gradients come from a compiled function without any communication between replicas;
        they are summed over the replicas by the optimizers, and nowhere else.
        """
        logs = {}
        for index, group in enumerate(self.schedule):
            z, key = self._draw(batch, index)
            gradients, group_logs = self._gradient_functions["+".join(group)](batch, z, key)
            for player in group:
                self.optimizer_of(player).apply(gradients[player], self.player_variables(player))
            logs |= group_logs
        if type(self).adapt is not AdversarialModel.adapt:
            self.adapt(_mean_over_replicas(logs))
        self.step.assign_add(1)
        if self.average is not None:
            self._average_function(batch, z, key)
        self._average_statistics_over_replicas()
        return self.pack_logs("train", logs)

    def test_step(self, batch: Mapping, number: tf.Tensor) -> tf.Tensor:
        """The losses of a batch in inference mode, without an update; float32 [names].

        number: of the batch, counted from 0; each has a z of its own.
        """
        z, key = self._draw(batch, 0, ahead=number)
        self._begin(batch, key)
        losses, logs = self.player_losses(batch, z, training=False)
        return self.pack_logs("test", _named(losses) | logs)

    def _draw(self, batch: Mapping, index: int, ahead=0) -> tuple[tf.Tensor, tf.Tensor]:
        """z for this replica's rows, and the key of its other randomness: a seed, the replica.

        Both are new in every step and group; `ahead` gives those of a later step. z is cut from one
        draw for the global batch, so that it does not depend on the number of replicas which share
        the batch.
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
        """Makes all randomness of a pass a function of its key, and not of the past."""
        seed, replica = key[:2], key[2]
        replicas = self.distribute_strategy.num_replicas_in_sync
        self.random.begin(seed, rows_of(batch), replica, replicas)
        seed = tf.random.experimental.stateless_fold_in(seed, replica)
        for number, network in enumerate(self.network_names()):  # their dropout and noise layers
            for index, state in enumerate(seed_states(getattr(self, network))):
                fold = number * 1000 + index + 1
                new = tf.random.experimental.stateless_fold_in(seed, fold)
                state.assign(tf.cast(new, state.dtype))

    def _gradients(self, group: tuple[str, ...], batch: Mapping, z: tf.Tensor, key: tf.Tensor):
        """Gradients of all the group's players from the same weights, and the logs."""
        self._begin(batch, key)
        # TensorFlow's own, as a tape cannot make the zeros of a Keras variable without a gradient.
        variables = {player: [v.value for v in self.player_variables(player)] for player in group}
        with tf.GradientTape(persistent=True, watch_accessed_variables=False) as tape:
            tape.watch(variables)
            with statistics_over_replicas(self.sync_batch_norm):
                losses, logs = self.player_losses(batch, z, training=True)
            self._check_losses(losses, group)
            # Keras's optimizers sum the gradients over the replicas; the mean is taken here.
            replicas = self.distribute_strategy.num_replicas_in_sync
            objectives = {
                player: self.optimizer_of(player).scale_loss(
                    (losses[player] + self._regularization(player)) / replicas
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
        return gradients, tf.nest.map_structure(_mean, logs)

    def _check_losses(self, losses: Mapping, players: Iterable[str]):
        for player in players:
            if player not in losses:
                raise ValueError(f"player_losses gives no loss for player {player}")
            shape = losses[player].shape
            if shape.rank:
                raise ValueError(
                    f"player_losses gives player {player} a loss of shape {list(shape)}: it must "
                    "be one number, as a mean over the batch"
                )

    def _regularization(self, player: str) -> tf.Tensor:
        return tf.add_n(
            [
                tf.zeros(()),
                *(loss for n in self.players[player] for loss in getattr(self, n).losses),
            ]
        )

    def _update_average(self, batch: Mapping, z: tf.Tensor, key: tf.Tensor):
        """average <- ema·average + (1 - ema)·weights, and the batch statistics that go with it."""
        for player in self.players:
            pairs = zip(
                self.average.player_variables(player), self.player_variables(player), strict=True
            )
            for average, weight in pairs:
                average.assign(average + (1.0 - self.ema) * (weight - average))
        # The statistics of averaged weights are not the average of the statistics: the averaged
        # networks must see data. Only their moving statistics are kept of this pass.
        if_due = tf.equal(self.step.value % AVERAGE_STATISTICS_EVERY, 0)
        tf.cond(if_due, lambda: self.average._forward(batch, z, key), lambda: 0)

    def _average_statistics_over_replicas(self):
        """Gives every replica the mean of the moving batch statistics.

        After each step: a mean at the end of each call would be the same but for rounding, and
        bits must not depend on how many steps a call makes.
        """
        if self.distribute_strategy.num_replicas_in_sync == 1:
            return
        models = [self] if self.average is None else [self, self.average]
        networks = [getattr(model, name) for model in models for name in self.network_names()]
        weights = [v for network in networks for v in network.non_trainable_weights]
        statistics = [v for v in weights if v.dtype == "float32"]
        if statistics:
            means = _mean_over_replicas([tf.identity(v) for v in statistics])
            for variable, mean in zip(statistics, means, strict=True):
                variable.assign(mean)

    def _forward(self, batch: Mapping, z: tf.Tensor, key: tf.Tensor) -> int:
        """A pass in training mode for nothing but what it leaves in the batch statistics."""
        self._begin(batch, key)
        self.player_losses(batch, z, training=True)
        return 0


def _output_shape(network: keras.Model, input_shape: tuple) -> tuple:
    return tuple(network(keras.Input(input_shape[1:])).shape)


def _named(losses: Mapping) -> dict[str, tf.Tensor]:
    return {f"loss_{player}": loss for player, loss in losses.items()}


def _mean(value: tf.Tensor) -> tf.Tensor:
    return tf.reduce_mean(tf.cast(value, tf.float32))


def _mean_over_replicas(values):
    """The means of a list or dict of tensors."""
    context = tf.distribute.get_replica_context()
    return values if context.num_replicas_in_sync == 1 else context.all_reduce("MEAN", values)
