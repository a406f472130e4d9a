"""What must be true of every system, found by the names of their files."""

import inspect
import re

import keras
import numpy as np
import pytest
import tensorflow as tf

import tf_bigan as tb
from tests.models.conftest import make_batch, make_dataset, make_system
from tests.test_loop import two_replicas


def assert_same_state(a, b, atol=0.0):
    """Of two models: all that a step changes, weights, adapted state and the optimizers'."""
    parts = [[model, *map(model.optimizer_of, model.players)] for model in (a, b)]
    for one, other in zip(*parts, strict=True):
        for v, w in zip(one.variables, other.variables, strict=True):
            np.testing.assert_allclose(v.numpy(), w.numpy(), atol, atol, err_msg=v.path)


def test_its_file_is_short_and_names_its_source(name):
    source = inspect.getsource(inspect.getmodule(tb.models.find(name)))
    assert source.count("\n") < 120
    assert re.search(r"\b(19|20)\d\d\b", inspect.getmodule(tb.models.find(name)).__doc__)


def test_trains_on_images_of_another_shape(name):
    """All other tests have images of 8×8×1."""
    image_shape = (12, 10, 3)
    model = make_system(name, image_shape)
    history = model.fit(make_dataset(image_shape=image_shape), verbose=0).history
    assert set(history) >= {f"loss_{p}" for group in model.schedule for p in group}
    if hasattr(model, "generator"):
        assert model.sample(3).shape == (3, *image_shape)
    if hasattr(model, "encoder"):
        x = make_batch(image_shape)["image"].numpy()
        assert model.encode(x).shape[0] == len(x)


def test_a_step_moves_exactly_who_is_to_move(name):
    """Each player alone in the schedule: its variables change, all others stay."""
    schedule = tb.models.find(name).schedule
    for player in tb.models.find(name).players:
        only = make_system(name, optimizer=keras.optimizers.SGD(0.1), options={"schedule": player})
        only.step.assign(10_000)  # past the time in which a system lets a player wait
        before = {v.path: v.numpy() for v in only.trainable_variables}
        only.fit(make_dataset(1), verbose=0)
        for other in only.players:
            moved = [(before[v.path] != v.numpy()).any() for v in only.player_variables(other)]
            assert all(moved) if other == player else not any(moved), (player, other, moved)
    assert {p for group in schedule for p in group} == set(tb.models.find(name).players)


def test_players_of_a_group_move_at_once_and_groups_in_turn(name):
    """Against the same step done by hand with plain gradient descent."""
    rate = 0.01
    model, hand = (make_system(name, optimizer=keras.optimizers.SGD(rate)) for _ in range(2))
    batch = make_batch()
    model.fit(tf.data.Dataset.from_tensors(batch), verbose=0)
    for index, group in enumerate(hand.schedule):
        z, key = hand._draw(batch, index)
        hand._begin(batch, key)
        with tf.GradientTape(persistent=True) as tape:
            losses, _ = hand.player_losses(batch, z, training=True)
            losses = {p: losses[p] + hand._regularization(p) for p in group}
        gradients = {
            p: tape.gradient(losses[p], [v.value for v in hand.player_variables(p)]) for p in group
        }
        for player in group:
            for v, g in zip(hand.player_variables(player), gradients[player], strict=True):
                if g is not None:
                    v.assign(v - rate * g)
    for a, b in zip(model.trainable_variables, hand.trainable_variables, strict=True):
        np.testing.assert_allclose(a.numpy(), b.numpy(), atol=5e-6, err_msg=a.path)


def test_the_step_after_a_reload_is_the_step_without_it(name, tmp_path):
    model = make_system(name, ema=0.9)
    model.fit(make_dataset(), verbose=0)
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    assert_same_state(model, loaded)
    for one in (model, loaded):
        one.fit(make_dataset(), epochs=2, initial_epoch=1, verbose=0)
    assert_same_state(model, loaded)


def test_xla_gives_the_same_step(name):
    plain, compiled = (
        make_system(name, optimizer=keras.optimizers.SGD(0.01), jit_compile=xla)
        for xla in (False, True)
    )
    for model in (plain, compiled):
        model.fit(make_dataset(2), verbose=0)
    assert_same_state(plain, compiled, atol=2e-5)


def test_two_replicas_equal_one(name):
    """With statistics of rows alone: batch normalisation is that of a replica's rows."""
    models = []
    for strategy in (tf.distribute.get_strategy(), two_replicas()):
        with strategy.scope():
            model = make_system(name)
            for layer in model._flatten_layers():
                if isinstance(layer, keras.layers.BatchNormalization):
                    layer.trainable = False
            # Without XLA, which has a test of its own and takes long to compile.
            model.compile(keras.optimizers.SGD(0.001), seed=3, jit_compile=False)
        model.fit(make_dataset(2), verbose=0)
        models.append(model)
    assert_same_state(*models, atol=2e-5)


def test_mixed_precision_is_finite_and_keeps_float32_weights(name):
    model = make_system(name, options={"precision": "mixed_bfloat16"})
    history = model.fit(make_dataset(), epochs=2, verbose=0).history
    assert all(np.isfinite(values).all() for values in history.values())
    assert {v.dtype for v in model.trainable_variables} == {"float32"}


def test_what_it_needs_of_a_batch_is_named(name):
    model = make_system(name)
    for key in model.requires:
        if key != "image":
            batch = {k: v for k, v in make_batch().items() if k not in (key, f"labelled_{key}")}
            with pytest.raises(ValueError, match=key):
                model.fit(tf.data.Dataset.from_tensors(batch), verbose=0)
