"""Spectral normalisation against singular values of NumPy, and when its iterations are made."""

import keras
import numpy as np
import pytest
import tensorflow as tf

import tf_bigan as tb
from tests.closeness import assert_close
from tests.models.conftest import LATENT, make_batch, step_eagerly
from tf_bigan.networks.spectral import (
    SingularVector,
    SpectralConv2D,
    SpectralConv2DTranspose,
    SpectralDense,
    _Spectral,
    layer_class,
    power_iteration,
)

# The layer, its stock form, the shape of its input.
LAYERS = {
    "dense": (SpectralDense, keras.layers.Dense, {"units": 7}, (5,)),
    "conv": (
        SpectralConv2D,
        keras.layers.Conv2D,
        {"filters": 7, "kernel_size": 3, "strides": 2, "padding": "same"},
        (6, 5, 4),
    ),
    "transposed": (
        SpectralConv2DTranspose,
        keras.layers.Conv2DTranspose,
        {"filters": 3, "kernel_size": 4, "strides": 2, "padding": "same"},
        (6, 5, 4),
    ),
}


FRESH = {"image_shape": (28, 28, 1), "latent_dim": 5, "width": 8, "hidden": 24}


def make(kind, **arguments):
    """(the spectral layer, its stock form with the same weights, an input)."""
    spectral, stock, sizes, shape = LAYERS[kind]
    rng = np.random.default_rng(0)
    layers = [one(**sizes, **arguments) for one in (spectral, stock)]
    for layer in layers:
        layer.build((None, *shape))
    kernel = rng.normal(size=layers[0].kernel.shape)
    for layer in layers:
        layer.kernel.assign(kernel)
        layer.bias.assign(np.arange(layer.bias.shape[0]))
    return *layers, tf.constant(rng.normal(size=(3, *shape)), tf.float32)


def matrix_of(layer):
    """[outputs, inputs], by the definition of the layer's kernel."""
    kernel = layer.kernel.numpy()
    if isinstance(layer, keras.layers.Conv2DTranspose):  # [h, w, outputs, inputs]
        return np.transpose(kernel, (2, 0, 1, 3)).reshape(kernel.shape[2], -1)
    return kernel.reshape(-1, kernel.shape[-1]).T


def norm_of(layer):
    return np.linalg.svd(matrix_of(layer), compute_uv=False)[0]


def layers_of(model):
    """All spectral layers of a system or a network, as Keras lists them."""
    return [one for one in model._flatten_layers() if isinstance(one, _Spectral)]


def iterated(u, matrix):
    """One power iteration in NumPy."""
    v = matrix.T @ u
    left = matrix @ (v / np.linalg.norm(v))
    return left / np.linalg.norm(left)


@pytest.mark.parametrize("kind", LAYERS)
def test_against_the_first_singular_value(kind):
    """The kernel is divided by it, the bias is not."""
    layer, stock, x = make(kind)
    for _ in range(100):
        layer.iterate()
    sigma = norm_of(layer)
    assert_close(layer.vector.norm(layer._matrix()), sigma)
    stock.kernel.assign(stock.kernel / sigma)
    assert sigma > 1.5
    assert_close(layer(x), stock(x), 2e-5)


@pytest.mark.parametrize("kind", LAYERS)
def test_an_iteration_against_numpy(kind):
    layer, _, _ = make(kind)
    matrix, u = matrix_of(layer), layer.vector.u.numpy()
    for _ in range(3):
        layer.iterate()
        u = iterated(u, matrix)
        assert_close(layer.vector.u, u)
    v = matrix.T @ u
    assert_close(layer.vector.norm(layer._matrix()), np.linalg.norm(v))


@pytest.mark.parametrize("kind", LAYERS)
def test_a_fresh_layer_has_a_good_estimate(kind):
    spectral, _, sizes, shape = LAYERS[kind]
    layer = spectral(**sizes)
    layer.build((None, *shape))
    estimate = float(layer.vector.norm(layer._matrix()))
    assert 0.9 * norm_of(layer) < estimate < 1.00001 * norm_of(layer)
    assert not layer.vector.u.trainable and np.linalg.norm(layer.vector.u) == pytest.approx(1)


@pytest.mark.parametrize("kind", LAYERS)
@pytest.mark.parametrize("training", [False, True])
def test_a_call_leaves_u_as_it_is(kind, training):
    layer, _, x = make(kind)
    before = layer.vector.u.numpy()
    first, second = layer(x, training=training), layer(x, training=training)
    np.testing.assert_array_equal(first, second)
    np.testing.assert_array_equal(layer.vector.u, before)


@pytest.mark.parametrize("family", ["conv", pytest.param("residual", marks=pytest.mark.slow)])
def test_a_fresh_network_has_good_estimates(family):
    """Though its layers are built while no kernel has a value yet."""
    keras.utils.set_random_seed(0)
    net = tb.networks.make(family, "discriminator", norm="spectral", **FRESH)
    copy = type(net).from_config(net.get_config())
    for one in (net, copy):
        layers = layers_of(one)
        assert len(layers) == (8 if family == "conv" else 12)
        for layer in layers:
            estimate = float(layer.vector.norm(layer._matrix()))
            assert 0.8 * norm_of(layer) < estimate < 1.00001 * norm_of(layer), layer.path
            assert np.linalg.norm(layer.vector.u) == pytest.approx(1), layer.path


def test_the_gradient_is_that_of_equation_12():
    """Of y = (W / σ) x with σ = uᵀWv for constant u and v: (g xᵀ - <g xᵀ, W/σ> u vᵀ) / σ."""
    layer, _, x = make("dense")
    for _ in range(3):  # not yet at the singular vectors
        layer.iterate()
    g = np.random.default_rng(1).normal(size=(3, 7))
    with tf.GradientTape() as tape:
        y = tf.reduce_sum(layer(x) * g)
    got = tape.gradient(y, layer.kernel.value).numpy().T
    w, u = matrix_of(layer).astype(np.float64), layer.vector.u.numpy().astype(np.float64)
    v = w.T @ u / np.linalg.norm(w.T @ u)
    sigma, outer = u @ w @ v, g.T @ x.numpy()
    expected = (outer - (outer * w).sum() / sigma * np.outer(u, v)) / sigma
    assert_close(got, expected, 1e-4)


@pytest.mark.parametrize("kind", LAYERS)
def test_the_scale_of_a_kernel_does_not_matter(kind):
    layer, _, x = make(kind)
    before = layer(x)
    layer.kernel.assign(1000.0 * layer.kernel)
    assert_close(layer(x), before, 2e-5)


@pytest.mark.parametrize("kind", LAYERS)
def test_a_kernel_of_zeros_is_finite_and_learns(kind):
    """It has no direction: u stays, and finds the kernel's direction once it has one."""
    layer, _, x = make(kind, bias_initializer="zeros")
    kernel = layer.kernel.numpy()
    layer.bias.assign(tf.zeros_like(layer.bias))
    layer.kernel.assign(tf.zeros_like(layer.kernel))
    layer.iterate()
    with tf.GradientTape() as tape:
        y = layer(x)
        value = tf.reduce_sum(y)
    np.testing.assert_array_equal(y, tf.zeros_like(y))
    gradient = tape.gradient(value, layer.kernel.value)
    assert np.isfinite(gradient).all() and np.abs(gradient).max() > 0
    layer.kernel.assign(kernel)
    for _ in range(100):
        layer.iterate()
    assert_close(layer.vector.norm(layer._matrix()), norm_of(layer))


@pytest.mark.parametrize("kind", LAYERS)
def test_bfloat16_estimates_in_float32(kind):
    layer, _, x = make(kind, dtype="mixed_bfloat16")
    for _ in range(100):
        layer.iterate()
    sigmas, stock_call = [], type(layer.vector).norm

    def norm(self, matrix):
        sigmas.append(stock_call(self, matrix))
        return sigmas[-1]

    layer.vector.norm = norm.__get__(layer.vector)
    y = layer(x)
    assert y.dtype == tf.bfloat16
    assert sigmas[0].dtype == tf.float32
    assert_close(sigmas[0], norm_of(layer))


def test_which_layer_a_norm_has():
    for spectral, stock, _, _ in LAYERS.values():
        assert layer_class(stock, "spectral") is spectral
        for norm in (None, "batch", "layer"):
            assert layer_class(stock, norm) is stock


def test_a_perceptron_against_numpy():
    net = tb.networks.Perceptron(5, 2, units=6, hidden=2, norm="spectral")
    rng = np.random.default_rng(0)
    for variable in net.trainable_variables:
        variable.assign(rng.normal(size=variable.shape))
    for _ in range(200):
        power_iteration([net])
    h = x = rng.normal(size=(4, 5)).astype(np.float32)
    for layer in [*net.dense, net.logit]:
        w = layer.kernel.numpy()
        h = h @ (w / np.linalg.svd(w, compute_uv=False)[0]) + layer.bias.numpy()
        if layer is not net.logit:
            h = np.where(h > 0, h, 0.2 * h)
    assert_close(net(x), h, 1e-4)
    assert len(layers_of(net)) == 3


def test_a_spectral_perceptron_is_1_lipschitz():
    """Leaky ReLUs, with slopes up to 1, between kernels of norm 1."""
    net = tb.networks.Perceptron(5, 1, units=6, hidden=2, norm="spectral")
    rng = np.random.default_rng(0)
    for variable in net.trainable_variables:
        variable.assign(5 * rng.normal(size=variable.shape))
    for _ in range(200):
        power_iteration([net])
    a, b = rng.normal(size=(2, 500, 5)).astype(np.float32)
    assert (np.abs(net(a) - net(b))[:, 0] <= 1.0001 * np.linalg.norm(a - b, axis=1)).all()


@pytest.mark.parametrize(
    ("family", "role"),
    [(family, "discriminator") for family in ("conv", "residual", "mlp", "paper", "dcgan")]
    + [("dcgan", "image_discriminator"), ("conv", "lenet")],
)
def test_every_kernel_of_a_network_is_normalised(family, role):
    """The last one, too: the sizes of the kernels then do not matter."""
    sizes = {"latent_dim": 5} if role == "discriminator" else {}
    net = tb.networks.make(family, role, image_shape=(8, 8, 1), width=4, norm="spectral", **sizes)
    kinds = (keras.layers.Dense, keras.layers.Conv2D)
    linear = [one for one in net._flatten_layers() if isinstance(one, kinds)]
    assert linear and layers_of(net) == linear
    rng = np.random.default_rng(0)
    x = tf.constant(rng.random((3, 8, 8, 1)), tf.float32)
    inputs = [x, tf.ones((3, 5))] if sizes else x
    for layer in linear:
        layer.kernel.assign(rng.normal(size=layer.kernel.shape))
    before = net(inputs).numpy()
    for layer in linear:
        layer.kernel.assign(7.0 * layer.kernel)
    assert np.abs(before).max() > 1e-3
    assert_close(net(inputs), before, 1e-4)


# --- in a system ------------------------------------------------------------------------------


def spectral_networks(networks=("discriminator",), family="conv"):
    sizes = {"image_shape": (8, 8, 1), "width": 4}
    roles = ("encoder", "generator", "discriminator")
    hidden = {"generator": {}, "encoder": {"hidden": 12}, "discriminator": {"hidden": 12}}
    return {
        role: tb.networks.make(
            family,
            role,
            latent_dim=LATENT,
            norm="spectral" if role in networks else None,
            **sizes | hidden[role],
        )
        for role in roles
    }


def make_spectral(networks=("discriminator",), family="conv", moves=None, **compile_arguments):
    keras.utils.set_random_seed(1)
    parts = spectral_networks(networks, family)
    model = tb.models.BiGAN(prior=tb.priors.Uniform(LATENT), moves=moves, **parts)
    defaults = {"jit_compile": False, "seed": 3, "steps_per_execution": 2}
    defaults["optimizer"] = tb.optimizers.Adam(1e-2)
    model.compile(**defaults | compile_arguments)
    return model


@pytest.mark.slow
@pytest.mark.parametrize("moves", [None, [("D",), ("D",), ("EG",)]], ids=str)
def test_a_step_makes_one_iteration_however_many_moves_it_has(moves):
    """Of the kernels before the step; also with a penalty, which calls D again."""
    model = make_spectral(moves=moves, penalty="r1")
    layers = layers_of(model)
    assert len(layers) >= 4
    for step in range(2):
        expected = [iterated(one.vector.u.numpy(), matrix_of(one)) for one in layers]
        kernels = [one.kernel.numpy() for one in layers]
        step_eagerly(model, make_batch(seed=step))
        for layer, u, kernel in zip(layers, expected, kernels, strict=True):
            assert_close(layer.vector.u, u, 1e-4)
            assert (layer.kernel.numpy() != kernel).any()


@pytest.mark.parametrize("family", ["conv", pytest.param("residual", marks=pytest.mark.slow)])
def test_every_network_of_every_player_iterates(family):
    everyone = ("encoder", "generator", "discriminator")
    model = make_spectral(everyone, family)
    for name in everyone:
        layers = layers_of(getattr(model, name))
        linear = [
            one
            for one in getattr(model, name)._flatten_layers()
            if isinstance(
                one, (keras.layers.Dense, keras.layers.Conv2D, keras.layers.Conv2DTranspose)
            )
        ]
        assert layers and len(layers) == len(linear)
        rng = np.random.default_rng(0)
        for one in layers:
            one.vector.u.assign(rng.normal(size=one.vector.u.shape))
        expected = [iterated(one.vector.u.numpy(), matrix_of(one)) for one in layers]
        power_iteration([getattr(model, name)])
        for one, u in zip(layers, expected, strict=True):
            assert_close(one.vector.u, u, 1e-4)


def test_an_evaluation_makes_none(eagerly):
    model, x = make_spectral(), make_batch()["image"].numpy()
    before = [one.vector.u.numpy() for one in layers_of(model)]
    model.evaluate(x)
    model.encode(x)
    for layer, u in zip(layers_of(model), before, strict=True):
        np.testing.assert_array_equal(layer.vector.u, u)


@pytest.mark.slow
def test_the_averaged_copy_iterates_too():
    """From its own u, with its own, averaged kernels."""
    model = make_spectral(("generator", "discriminator"), ema=0.9)
    step_eagerly(model, make_batch())
    average = layers_of(model.average)
    assert len(average) == len(layers_of(model))
    expected = [iterated(one.vector.u.numpy(), matrix_of(one)) for one in average]
    step_eagerly(model, make_batch(seed=1))
    differ = []
    for mine, layer, u in zip(layers_of(model), average, expected, strict=True):
        assert_close(layer.vector.u, u, 1e-4)
        differ.append((layer.vector.u.numpy() != mine.vector.u.numpy()).any())
    assert sum(differ) > len(differ) / 2


@pytest.mark.slow
@pytest.mark.parametrize("ema", [pytest.param(None, marks=pytest.mark.slow), 0.9])
def test_a_resumed_step_has_the_same_bits(ema, tmp_path):
    model = make_spectral(("generator", "discriminator"), ema=ema)
    step_eagerly(model, make_batch())
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    for a, b in zip(model.get_weights(), loaded.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)
    for one in (model, loaded):
        step_eagerly(one, make_batch(seed=1))
    for a, b in zip(model.get_weights(), loaded.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)
    assert len(layers_of(loaded)) == len(layers_of(model))
    assert all(isinstance(one.vector, SingularVector) for one in layers_of(loaded))


@pytest.mark.slow
def test_xla_gives_the_same_steps():
    states = []
    for xla in (False, True):
        rate = keras.optimizers.SGD(0.01)
        model = make_spectral(optimizer=rate, ema=0.9, penalty="r1", jit_compile=xla)
        images = np.concatenate([make_batch(seed=s)["image"] for s in (0, 1)])
        model.fit(images, batch_size=8, epochs=1, verbose=0)
        states.append(model.get_weights())
    for a, b in zip(*states, strict=True):
        np.testing.assert_allclose(a, b, rtol=2e-4, atol=2e-5)


@pytest.mark.slow
def test_a_training_keeps_the_norms_at_1():
    """After 30 steps of one iteration each, at a usual rate, each kernel has a norm close to 1."""
    model = make_spectral(optimizer=tb.optimizers.Adam(1e-3))
    images = np.concatenate([make_batch(seed=s)["image"] for s in range(10)])
    model.fit(images, batch_size=8, epochs=3, verbose=0)
    for layer in layers_of(model):
        ratio = norm_of(layer) / float(layer.vector.norm(layer._matrix()))
        assert 0.999 < ratio < 1.1, layer.path
