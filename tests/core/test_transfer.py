"""Taking the weights of another model, as far as they fit."""

import keras
import numpy as np
import pytest

import tf_bigan as tb
from tf_bigan.core.transfer import take_weights


def built(system=tb.models.BiGAN, latent_dim=3, seed=0, ema=None) -> tb.AdversarialModel:
    """A new model; every weight is drawn, so that none is equal to another's by chance."""

    def make(role, **sizes):
        return tb.networks.make("conv", role, image_shape=(8, 8, 1), width=2, **sizes)

    networks = system.make_networks(make, latent_dim, None)
    model = system(prior=tb.priors.Normal(latent_dim), **networks)
    if ema is not None:
        model.compile(ema=ema)
    rng = np.random.default_rng(seed)
    for copy in [model] if model.average is None else [model, model.average]:
        for name in model.network_names():
            for weight in getattr(copy, name).weights:
                weight.assign(rng.random(weight.shape))
    return model


def values(network) -> list[np.ndarray]:
    return [weight.numpy() for weight in network.weights]


def test_a_model_of_the_same_form_is_taken_whole():
    model, source = built(seed=1), built()
    model.step.assign(3)
    source.step.assign(7)
    result = take_weights(model, source)
    assert result.new == [] and int(model.step.numpy()) == 3
    for name in model.network_names():
        ours, theirs = values(getattr(model, name)), values(getattr(source, name))
        assert len(ours) > 3
        for a, b in zip(ours, theirs, strict=True):
            np.testing.assert_array_equal(a, b)


def test_layers_that_do_not_fit_stay_new():
    model, source = built(latent_dim=5, seed=1), built()
    before = {name: values(getattr(model, name)) for name in model.network_names()}
    result = take_weights(model, source)
    assert result.new == ["discriminator.latent", "encoder.latent", "generator.project"]
    assert {"encoder.dense", "encoder.norm_dense", "encoder.stages.convs.0"} < set(result.taken)
    np.testing.assert_array_equal(model.encoder.latent.kernel, before["encoder"][-2])
    np.testing.assert_array_equal(model.encoder.dense.kernel, source.encoder.dense.kernel)
    moments = ("moving_mean", "moving_variance", "gamma", "beta")
    for name in moments:
        ours, theirs = (getattr(m.encoder.norm_dense, name) for m in (model, source))
        np.testing.assert_array_equal(ours, theirs)


def test_another_system_shares_its_generator_and_no_other_network():
    model, source = built(), built(tb.models.GAN, seed=1)
    encoder = values(model.encoder)
    result = take_weights(model, source)
    assert "encoder" in result.new and "generator" not in result.new
    for a, b in zip(values(model.generator), values(source.generator), strict=True):
        np.testing.assert_array_equal(a, b)
    for a, b in zip(values(model.encoder), encoder, strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("ema", [0.9, None])
def test_the_average_is_taken_from_the_average_if_there_is_one(ema):
    model, source = built(ema=0.5), built(ema=ema, seed=1)
    take_weights(model, source)
    theirs = source.inference_model()
    np.testing.assert_array_equal(model.generator.project.kernel, source.generator.project.kernel)
    np.testing.assert_array_equal(
        model.average.generator.project.kernel, theirs.generator.project.kernel
    )
    different = not np.array_equal(theirs.encoder.dense.kernel, source.encoder.dense.kernel)
    assert different == (ema is not None)


def test_networks_of_keras_are_compared_in_their_order():
    def made(units):
        layers = [keras.layers.Dense(6), keras.layers.Dense(units), keras.layers.Dense(1)]
        discriminator = keras.Sequential([keras.Input((2, 2, 1)), keras.layers.Flatten(), *layers])
        z = keras.Input((3,))
        x = keras.layers.Reshape((2, 2, 1))(keras.layers.Dense(4)(z))
        return tb.models.GAN(keras.Model(z, x), discriminator, tb.priors.Normal(3))

    model, source = made(5), made(4)
    result = take_weights(model, source)
    assert result.new == ["discriminator.3", "discriminator.4"]
    assert len(result.taken) == 2  # the first layer of D, the only one of G
    for a, b in zip(values(model.discriminator)[:2], values(source.discriminator)[:2], strict=True):
        np.testing.assert_array_equal(a, b)
