"""DANN's losses against NumPy, the sign of the adversary, its schedule, what it never reads."""

import math

import keras
import numpy as np
import pytest
import tensorflow as tf
from scipy.special import softmax

from tests.closeness import assert_close
from tests.models.conftest import make_batch, make_system, with_settings
from tf_bigan.errors import UserError
from tf_bigan.models.dann import DANN
from tf_bigan.priors import Uniform
from tf_bigan.run import presets


def at(step, total=100, strength=0.5):
    model = with_settings("dann", total_steps=total, strength=strength)
    model.step.assign(step)
    return model


def test_the_adversary_rises_over_the_run_that_it_is_in():
    assert presets.system("dann").of_run({"strength": 0.5}, 7, 3) == {
        "strength": 0.5,
        "total_steps": 21,
    }
    assert presets.system("dann").of_run({"total_steps": 9}, 7, 3) == {"total_steps": 9}
    model = make_system("dann", options={"epochs": 5, "set": "dropout_rate=0.1"})  # four steps each
    assert model.total_steps == 20


def test_losses_against_numpy():
    model, batch = at(30), make_batch()
    source, target = (model.encoder(batch[name]) for name in ("image", "target_image"))
    y = batch["label"].numpy()
    l_y = -np.log(softmax(model.label_predictor(source).numpy(), -1)[np.arange(8), y]).mean()
    p_source = 1 / (1 + np.exp(-model.domain_classifier(source).numpy()))
    p_target = 1 / (1 + np.exp(-model.domain_classifier(target).numpy()))
    l_d = -0.5 * (np.log(p_source).mean() + np.log(1 - p_target).mean())
    strength = 0.5 * (2 / (1 + math.exp(-10 * 0.3)) - 1)
    losses, logs = model.player_losses(batch, None, training=False)
    np.testing.assert_allclose(losses["C"], l_y, rtol=1e-5)
    np.testing.assert_allclose(losses["D"], l_d, rtol=1e-5)
    np.testing.assert_allclose(losses["F"], l_y - strength * l_d, rtol=1e-5)
    np.testing.assert_allclose(logs["lambda"], strength, rtol=1e-5)
    right = np.concatenate([p_source > 0.5, p_target < 0.5])
    np.testing.assert_array_equal(logs["accuracy_domain"], right)


@pytest.mark.parametrize("step, p", [(0, 0.0), (50, 0.5), (100, 1.0), (250, 1.0)])
def test_the_adversary_grows_and_stays(step, p):
    expected = 0.5 * (2 / (1 + math.exp(-10 * p)) - 1)
    assert float(at(step)._adversary()) == pytest.approx(expected, rel=1e-5)


def test_features_go_against_the_domain_classifier():
    """The gradient of F's loss is that of L_y with λ times that of L_d reversed."""
    model, batch = at(1000, strength=3.0), make_batch()
    variables = [v.value for v in model.encoder.trainable_variables]
    with tf.GradientTape(persistent=True) as tape:
        losses, _ = model.player_losses(batch, None, training=False)
    f, y, d = (tape.gradient(losses[player], variables) for player in "FCD")
    for one, of_labels, of_domain in zip(f, y, d, strict=True):
        expected = of_labels - 3.0 * math.tanh(5) * of_domain
        assert np.abs(of_domain).max() > 1e-5
        assert_close(one, expected, tol=1e-4)


def test_each_domain_has_its_own_statistics_and_the_targets_are_kept():
    model, batch = at(0), make_batch()
    del batch["target_label"]  # never read
    bright = batch | {"target_image": 0.5 + 0.5 * batch["target_image"]}
    _, key = model._draw(batch, 0)
    found = []
    for b in (batch, bright):
        model._begin(b, key)  # the same units are dropped
        found.append(model.player_losses(b, None, training=True)[0]["C"])
    one, other = found
    assert float(one) == pytest.approx(float(other), rel=1e-5)  # the source's see none of it
    norm = model.encoder.norms[0]
    norm.moving_mean.assign(tf.zeros_like(norm.moving_mean))
    model.player_losses(bright, None, training=True)
    maps = model.encoder.convs[0](2.0 * bright["target_image"] - 1.0)
    expected = (1 - norm.momentum) * maps.numpy().mean((0, 1, 2))
    assert_close(norm.moving_mean, expected)


def test_the_image_shape_of_a_keras_encoder():
    networks = {name: getattr(at(0), name) for name in ("label_predictor", "domain_classifier")}
    flat = [keras.layers.Flatten(), keras.layers.Dense(4)]
    encoder = keras.Sequential([keras.Input((6, 5, 2)), *flat])
    assert DANN(encoder=encoder, prior=Uniform(3), **networks).image_shape == (6, 5, 2)
    with pytest.raises(ValueError, match="image_shape, \\(H, W, C\\), into its get_config"):
        DANN(encoder=keras.Sequential(flat), prior=Uniform(3), **networks)


def test_it_classifies_and_refuses_data_without_labels():
    model, x = at(0), make_batch()["target_image"].numpy()
    expected = softmax(model.label_predictor(model.encoder(x)).numpy(), -1)
    assert_close(model.classify(x), expected)
    with pytest.raises(UserError, match="labels"):
        DANN.make_networks(lambda *a, **k: None, 5, None)


@pytest.mark.parametrize("draw, factor", [(0.4, 0.0), (0.6, 2.0)])
def test_features_below_the_draw_are_dropped_and_the_others_doubled(monkeypatch, draw, factor):
    model, batch = at(0), make_batch()
    monkeypatch.setattr(model.random, "uniform", lambda shape: tf.fill((8, *shape), draw))
    for layer in model.label_predictor._flatten_layers():
        if isinstance(layer, keras.layers.BatchNormalization):  # would take the factor out again
            monkeypatch.setattr(layer, "trainable", False)
    source = model.encoder(batch["image"], training=True)
    logits = model.label_predictor(factor * source, training=True)
    found = model.player_losses(batch, None, training=True)[0]["C"]
    p = softmax(logits.numpy(), -1)[np.arange(8), batch["label"].numpy()]
    assert float(found) == pytest.approx(-np.log(p).mean(), rel=1e-4)
