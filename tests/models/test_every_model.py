"""What must be true of every system, found by the names of their files."""

import inspect
import re

import keras
import numpy as np
import pytest
import tensorflow as tf

import tf_bigan as tb
from tests.closeness import assert_close
from tests.core.test_loop import two_replicas
from tests.models.conftest import (
    every_choice,
    make_batch,
    make_dataset,
    make_system,
    step_eagerly,
)
from tests.small import as_it_was, eager, state_of

RATE, MOMENTUM = 0.01, 0.9  # of gradient descent
DECAY = {"l2": 0.1}  # which belongs to each player's loss


# `invariance` is of a replica's rows, so that only the others are the same on two replicas.
VIEWS = ["sgan consistency=1,views=affine", "triple_gan consistency=1,views=affine"]
WITH_VIEWS = [*VIEWS, "infogan invariance=1,balance=1,views=affine"]
VARIANTS = [
    pytest.param(v, marks=pytest.mark.slow if " " in v else ())
    for v in (*every_choice(), *WITH_VIEWS)
]


@pytest.fixture(params=VARIANTS, scope="module")
def variant(request) -> str:
    """Every system, and again, slowly, with each of its choices."""
    return request.param


@pytest.fixture(scope="module")
def built(variant):
    """(a model that learns by gradient descent, all its state when it was new)."""
    model = make_system(variant, optimizer=keras.optimizers.SGD(RATE, MOMENTUM), options=DECAY)
    return model, [v.numpy() for v in state_of(model)]


@pytest.fixture
def model(built):
    """The same model for all tests of a system, which takes long to build, always as it was new."""
    return as_it_was(*built)


@pytest.fixture(scope="module")
def stepped(built):
    """The state after one step on `make_batch()`, neither traced nor compiled by XLA."""
    model = as_it_was(*built)
    step_eagerly(model, make_batch())
    return [v.numpy() for v in state_of(model)]


def assert_same_state(model, values, tol=0.0):
    for variable, value in zip(state_of(model), values, strict=True):
        np.testing.assert_allclose(variable.numpy(), value, tol, tol, err_msg=variable.path)


def test_its_file_is_short_and_names_its_source(name):
    system = tb.models.find(name)
    source = inspect.getsource(inspect.getmodule(system))
    # Arguments: the constructor has a line for each, twice.
    methods = [vars(system)[name] for name in ("__init__", "check_options") if name in vars(system)]
    of_arguments = sum(inspect.getsource(method).count("\n") for method in methods)
    assert source.count("\n") - of_arguments < 140
    assert re.search(r"\b(19|20)\d\d\b", inspect.getmodule(tb.models.find(name)).__doc__)


def test_a_step_moves_exactly_who_is_to_move(model):
    """Each player alone in the schedule: its kernels change, all variables of others stay."""
    schedule = model.moves
    assert {p for group in type(model).moves for p in group} == set(model.players)
    model.step.assign(10_000)  # past the time in which a system lets a player wait
    try:
        for player in (player for group in schedule for player in group):
            model.moves = ((player,),)
            model._forget_compiled()
            before = {v.path: v.numpy() for v in model.trainable_variables}
            step_eagerly(model, make_batch())
            for other in model.players:
                moved = {
                    v.path: (before[v.path] != v.numpy()).any()
                    for v in model.player_variables(other)
                }
                # A bias before batch normalisation has no effect.
                kernels = [moved[v.path] for v in model.player_variables(other) if v.ndim > 1]
                assert all(kernels) if other == player else not any(moved.values()), player
    finally:
        model.moves = schedule
        model._forget_compiled()


def test_players_of_a_group_move_at_once_and_groups_in_turn(model, stepped):
    """Against the same step done by hand."""
    batch, moved_by = make_batch(), {}
    model._power_iteration()
    for index, group in enumerate(model.moves):
        z, key = model._draw(batch, index)
        model._begin(batch, key)
        with tf.GradientTape(persistent=True) as tape:
            losses, _ = model.player_losses(batch, z, training=True)
            losses = {p: model._objective(p, losses[p]) for p in group}
            slopes = {p: model._penalty_of(p) for p in group}
            losses |= {p: losses[p] + slope for p, slope in slopes.items() if slope is not None}
            losses = {p: model._if_active(p, losses[p]) for p in group}
        gradients = {
            p: tape.gradient(losses[p], [v.value for v in model.player_variables(p)]) for p in group
        }
        for player in group:
            for v, g in zip(model.player_variables(player), gradients[player], strict=True):
                if g is not None:
                    moved_by[v.path] = MOMENTUM * moved_by.get(v.path, 0.0) - RATE * g
                    v.assign(v + moved_by[v.path])
    trainable = {id(v) for v in model.trainable_variables}
    for variable, value in zip(state_of(model), stepped, strict=True):
        if id(variable) in trainable:
            assert_close(variable.numpy(), value, 2e-5, err_msg=variable.path)


def test_no_loss_holds_a_gradient_back(variant, model):
    """Whom a loss reaches is what `players` says; nothing in between is taken as a constant.

    But for LS-GAN's margin. Values of losses do not show it, and networks move all the same.
    """
    batch = make_batch()
    z, key = model._draw(batch, 0)

    def losses():
        model._begin(batch, key)
        return model.player_losses(batch, z, training=True)[0]

    operations = tf.function(losses).get_concrete_function().graph.get_operations()
    stops = [
        op.name for op in operations if op.type == "StopGradient" and "spectral" not in op.name
    ]
    stops = [op for op in stops if not re.search("normalization|LogSumExp", op)]
    assert len(stops) == variant.startswith("loss_sensitive_gan"), stops


@pytest.mark.slow
@pytest.mark.parametrize("variant", [*tb.models.names(), *WITH_VIEWS], indirect=True)
def test_xla_gives_the_same_step(model, stepped):
    """In the compiled loop."""
    model.jit_compile = True
    model._forget_compiled()
    try:
        model.fit(tf.data.Dataset.from_tensors(make_batch()), verbose=0)
        assert_same_state(model, stepped, 2e-5)
    finally:
        model.jit_compile = False
        model._forget_compiled()


def test_the_step_after_a_reload_is_the_step_without_it(model, tmp_path):
    step_eagerly(model, make_batch(seed=0))
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    assert_same_state(loaded, [v.numpy() for v in state_of(model)])
    for one in (model, loaded):
        step_eagerly(one, make_batch(seed=1))
    assert_same_state(loaded, [v.numpy() for v in state_of(model)])


@pytest.mark.slow
@pytest.mark.parametrize("variant", [*tb.models.names(), *VIEWS], indirect=True)
def test_two_replicas_equal_one(variant, model):
    """With statistics of rows alone: batch normalisation is that of a replica's rows."""
    rate = 0.1  # of one step, large enough for a gradient's hundredth to show
    moves = tuple(dict.fromkeys(model.moves))  # once each: a game of five amplifies rounding

    def norms(of):
        layers = of._flatten_layers()
        return [one for one in layers if isinstance(one, keras.layers.BatchNormalization)]

    with two_replicas().scope():
        two = make_system(variant, options=DECAY)
        for layer in norms(two):
            layer.trainable = False
        # Without XLA, which has a test of its own and takes long to compile.
        two.moves = moves
        two.compile(
            keras.optimizers.SGD(rate, MOMENTUM),
            seed=3,
            jit_compile=False,
            augmentation=model.augmentation,
        )
    with eager():
        two.fit(make_dataset(1), verbose=0)  # one step: by a second the game has amplified rounding
    for player in model.players:
        model.optimizer_of(player).learning_rate = rate
    schedule, model.moves = model.moves, moves
    model._forget_compiled()
    for layer in norms(model):
        layer.trainable = False
    try:
        step_eagerly(model, make_batch(seed=0))
    finally:
        model.moves = schedule
        model._forget_compiled()
        for layer in norms(model):
            layer.trainable = True
    for variable, expected in zip(two.variables, model.variables, strict=True):
        np.testing.assert_allclose(variable, expected, 2e-5, 2e-5, err_msg=variable.path)


def test_what_it_needs_of_a_batch_is_named(model):
    for key in model.requires:
        if key != "image":
            batch = {k: v for k, v in make_batch().items() if k not in (key, f"labelled_{key}")}
            with pytest.raises(ValueError, match=key):
                model.fit(tf.data.Dataset.from_tensors(batch), verbose=0)


@pytest.mark.parametrize(
    "variant", ["bigan", "alad", "cycle_bigan latent_cycle=0.1"], indirect=True
)
def test_a_pass_moves_the_generators_statistics_once_by_its_samples(model):
    """Also where the pass calls G again, for reconstructions."""
    batch, generator = make_batch(), model.generator
    twin = type(generator).from_config(generator.get_config())
    twin.set_weights(generator.get_weights())
    z, key = model._draw(batch, 0)
    model.forward(batch, z, key)
    twin(z, training=True)
    pairs = zip(generator.non_trainable_weights, twin.non_trainable_weights, strict=True)
    for mine, once in pairs:
        assert_close(mine.numpy(), once.numpy(), err_msg=mine.path)
