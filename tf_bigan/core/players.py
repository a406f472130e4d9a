"""The players of a game: the networks and weights that each owns, and its optimizer."""

from collections.abc import Mapping

import keras

from tf_bigan.errors import UserError


class Players(keras.Model):
    """The part of an `AdversarialModel` that knows who owns what.

    players: player -> names of the networks it owns; each network belongs to one player.
    """

    players: dict[str, tuple[str, ...]]

    @classmethod
    def network_names(cls) -> tuple[str, ...]:
        """The names of all networks, in the players' order."""
        return tuple(network for networks in cls.players.values() for network in networks)

    def optimizer_of(self, player: str) -> keras.optimizers.Optimizer:
        """The optimizer of a player, including its state."""
        return getattr(self, f"optimizer_{player}")

    def check_optimizers(self) -> None:
        """Raises UserError if a player has a trainable weight that its optimizer does not know."""
        for player in self.players:
            known = {id(v) for v in self.optimizer_of(player)._trainable_variables}
            for variable in self.player_variables(player):
                if id(variable) not in known:
                    raise UserError(
                        f"the optimizer of {player} does not know the weight {variable.path}: "
                        "compile the model again, with a new optimizer"
                    )

    def player_variables(self, player: str) -> list[keras.Variable]:
        """The trainable variables of a player."""
        return [v for n in self.players[player] for v in getattr(self, n).trainable_variables]

    def _layers_of(self, network: str) -> list[keras.layers.Layer]:
        """A network and all layers in it, always in the same order."""
        return list(getattr(self, network)._flatten_layers())

    def _check_owners(self):
        """Raises UserError if a trainable weight is of no player, so that none would train it."""
        owned = {id(v) for player in self.players for v in self.player_variables(player)}
        for variable in self.trainable_variables:
            if id(variable) not in owned:
                raise UserError(
                    f"the weight {variable.path} belongs to no player, and would not be trained: "
                    "name its network in `players`, or make it with trainable=False"
                )

    def _one_each(self, optimizer) -> dict[str, keras.optimizers.Optimizer]:
        """{player: its own optimizer}, from one for all or from one for each."""
        if not isinstance(optimizer, Mapping):
            one = keras.optimizers.get(optimizer)
            serialize, make = keras.optimizers.serialize, keras.optimizers.deserialize
            # Serialized for each player, because a wrapping optimizer changes its config.
            made = {player: make(serialize(one)) for player in self.players}
        elif set(optimizer) != set(self.players):
            raise ValueError(
                f"optimizers are for {sorted(optimizer)}, but the players are "
                f"{sorted(self.players)}"
            )
        else:
            made = {player: keras.optimizers.get(one) for player, one in optimizer.items()}
        several = self.distribute_strategy.num_replicas_in_sync > 1
        for one in (getattr(one, "inner_optimizer", one) for one in made.values()):
            if one.use_ema:
                raise UserError("use_ema=True of an optimizer: use compile(ema=0.999) instead")
            if one.gradient_accumulation_steps and several:
                raise UserError(
                    "gradient_accumulation_steps of an optimizer: Keras cannot accumulate on "
                    "several replicas; use a larger batch_size"
                )
        if len({id(one) for one in made.values()}) < len(made):
            raise ValueError("each player needs its own optimizer: two players share one object")
        return {player: self._loss_scaled(player, one) for player, one in made.items()}

    def _loss_scaled(self, player: str, optimizer) -> keras.optimizers.Optimizer:
        """The optimizer, with dynamic loss scaling if a network of the player needs it."""
        # Of the layers: a stock network's own policy need not be that of its layers.
        layers = [layer for name in self.players[player] for layer in self._layers_of(name)]
        half = any(layer.compute_dtype == "float16" for layer in layers)
        scaling = keras.optimizers.LossScaleOptimizer
        given = isinstance(optimizer, scaling)
        if (half or given) and self.distribute_strategy.num_replicas_in_sync > 1:
            raise ValueError(
                "mixed_float16 needs loss scaling, which Keras's LossScaleOptimizer cannot do on "
                "several replicas: use mixed_bfloat16"
            )
        return scaling(optimizer) if half and not given else optimizer
