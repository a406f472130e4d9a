import keras
import numpy as np
import pytest
import tensorflow as tf

from tests.closeness import assert_close
from tf_bigan.networks import DCGANDiscriminator, DCGANEncoder, DCGANGenerator, discriminate

LATENT = 5
# Image -> the sizes of the maps after each halving.
SIZES = {
    (28, 28, 1): [(14, 14), (7, 7), (4, 4)],
    (32, 32, 3): [(16, 16), (8, 8), (4, 4)],
    (64, 64, 3): [(32, 32), (16, 16), (8, 8), (4, 4)],
    (45, 30, 1): [(23, 15), (12, 8), (6, 4)],
    (8, 8, 1): [(4, 4)],
    (12, 10, 3): [(6, 5)],
}
ODD = (17, 14, 2)  # -> 9×7 -> 5×4


def images(shape, n=4, seed=0):
    return np.random.default_rng(seed).uniform(0, 1, (n, *shape)).astype("float32")


def latents(n=4, dim=LATENT):
    return np.random.default_rng(1).uniform(-1, 1, (n, dim)).astype("float32")


def enlarged(net):
    """Random weights of a size at which every layer counts, biases and centres included."""
    random = np.random.default_rng(2)
    for v in net.trainable_variables:
        v.assign(random.normal(size=v.shape) * 0.3 + (v.name == "gamma"))
    return net


# --- a reference in NumPy --------------------------------------------------------------------


def weights(layer):
    return [np.asarray(v, np.float64) for v in layer.trainable_variables]


def convolved(h, kernel, bias=0.0):
    """Stride 2, kernel 4, SAME: an even side is padded by 1 and 1, an odd one by 1 and 2."""
    n, height, width, _ = h.shape
    h = np.pad(h, [(0, 0), (1, 1 + height % 2), (1, 1 + width % 2), (0, 0)])
    out = np.zeros((n, -(-height // 2), -(-width // 2), kernel.shape[-1]))
    for i in range(out.shape[1]):
        for j in range(out.shape[2]):
            patch = h[:, 2 * i : 2 * i + 4, 2 * j : 2 * j + 4]
            out[:, i, j] = np.tensordot(patch, kernel, 3)
    return out + bias


def transposed(h, kernel, bias=0.0):
    """Stride 2, kernel 4, SAME: each pixel adds its stamp of 4×4; a margin of 1 falls away."""
    n, height, width, _ = h.shape
    out = np.zeros((n, 2 * height + 2, 2 * width + 2, kernel.shape[2]))
    for i in range(height):
        for j in range(width):
            stamp = np.einsum("nc,abdc->nabd", h[:, i, j], kernel)
            out[:, 2 * i : 2 * i + 4, 2 * j : 2 * j + 4] += stamp
    return out[:, 1:-1, 1:-1] + bias


def normalised(h, gamma, beta):
    axes = tuple(range(h.ndim - 1))
    return gamma * (h - h.mean(axes)) / np.sqrt(h.var(axes) + 1e-5) + beta


def leaky(h):
    return np.where(h > 0, h, 0.2 * h)


def tower(net, x):
    h = leaky(convolved(2.0 * x - 1.0, *weights(net.convs[0])))
    h = leaky(normalised(convolved(h, *weights(net.convs[1])), *weights(net.norms[0])))
    assert len(net.convs) == 2 and len(net.norms) == 1
    return h.reshape(len(h), -1)


def test_generator_against_numpy():
    g, z = enlarged(DCGANGenerator(ODD, LATENT, width=4)), latents()
    h = (z @ weights(g.project)[0]).reshape(-1, 5, 4, 8)
    h = np.maximum(normalised(h, *weights(g.norms[0])), 0)
    h = transposed(h, *weights(g.convs[0]))[:, :9, :7]
    h = np.maximum(normalised(h, *weights(g.norms[1])), 0)
    pixels = transposed(h, *weights(g.convs[1]))[:, :17]
    assert_close(g(z, training=True), 1 / (1 + np.exp(-pixels)))


@pytest.mark.parametrize("squash", [True, False])
def test_encoder_against_numpy(squash):
    e, x = enlarged(DCGANEncoder(ODD, LATENT, width=4, squash=squash)), images(ODD)
    h = tower(e, x)
    kernel, bias = weights(e.latent)
    logits = h @ kernel + bias
    features = e.features(x, training=True)
    assert list(features) == ["map1", "map2", "e-", "e"]
    assert features["map1"].shape == (len(x), 9, 7, 4)
    assert_close(np.reshape(features["map2"], (len(x), -1)), h)
    assert_close(features["e-"], h)
    assert_close(features["e"], logits)
    expected = 2 / (1 + np.exp(-logits)) - 1 if squash else logits
    assert_close(e(x, training=True), expected)


@pytest.mark.parametrize("latent", [LATENT, None])
def test_discriminator_against_numpy(latent):
    d = enlarged(DCGANDiscriminator(ODD, latent, width=4, hidden=6))
    x, z = images(ODD), latents()
    h = tower(d, x)
    if latent:
        joint = h @ weights(d.joint)[0] + z @ weights(d.condition)[0]
        h = leaky(normalised(joint, *weights(d.norm_joint)))
    kernel, bias = weights(d.logit)
    got = d([x, z] if latent else x, training=True)
    assert_close(got, h @ kernel + bias)


# --- sizes -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("shape", "maps"),
    [
        pytest.param(*item, marks=pytest.mark.slow if item[0][0] in (32, 64) else ())
        for item in SIZES.items()
    ],
)
def test_any_size_comes_out_exactly(shape, maps):
    g = DCGANGenerator(shape, LATENT, width=2)
    e = DCGANEncoder(shape, LATENT, width=2)
    d = DCGANDiscriminator(shape, LATENT, width=2, hidden=8)
    assert e.sizes == g.sizes == [shape[:2], *maps]
    x_fake, z_hat = g(latents(), training=True), e(images(shape), training=True)
    assert x_fake.shape == (4, *shape) and z_hat.shape == (4, LATENT)
    assert np.min(x_fake) > 0 and np.max(x_fake) < 1
    logits = d([x_fake, z_hat], training=True)
    assert logits.shape == (4, 1)
    assert x_fake.dtype == z_hat.dtype == logits.dtype == tf.float32


def test_channels_double_up_to_eight_times_the_width():
    e = DCGANEncoder((8, 8, 3), LATENT, width=2)
    assert e.channels == [3, 2]
    e = DCGANEncoder((160, 129, 3), LATENT, width=2)
    assert e.channels == [3, 2, 4, 8, 16, 16]
    assert [conv.kernel.shape[-1] for conv in e.convs] == [2, 4, 8, 16, 16]


@pytest.mark.parametrize("network", [DCGANGenerator, DCGANEncoder, DCGANDiscriminator])
@pytest.mark.parametrize(
    ("shape", "options", "message"),
    [
        ((7, 12, 1), {}, "at least 8×8 pixels, not 7×12"),
        ((28, 3, 1), {}, "at least 8×8 pixels, not 28×3"),
        ((8, 8, 0), {}, r"^image_shape=\(8, 8, 0\): it must be "),
        ((8, 8, 1), {"latent_dim": 0}, "^latent_dim=0: it must be "),
        ((8, 8, 1), {"width": 0}, "^width=0: it must be "),
    ],
)
def test_sizes_out_of_range_are_refused(network, shape, options, message):
    with pytest.raises(ValueError, match=message):
        network(shape, **{"latent_dim": LATENT} | options)


# --- the tutorial's nets ---------------------------------------------------------------------


def test_the_tutorial_generator_has_the_tutorials_layers():
    g = DCGANGenerator.tutorial()
    shapes = [tuple(v.shape) for layer in (g.project, *g.convs) for v in layer.trainable_variables]
    assert shapes == [
        (100, 3 * 3 * 512),
        (3 * 3 * 512,),
        (3, 3, 256, 512),  # [kernel, kernel, out, in]
        (4, 4, 128, 256),
        (4, 4, 1, 128),
        (1,),
    ]
    assert [layer.padding for layer in g.convs] == ["valid", "same", "same"]
    assert [layer.strides for layer in g.convs] == [(2, 2)] * 3
    maps = [512, 256, 128]
    norms = [[tuple(v.shape) for v in norm.trainable_variables] for norm in g.norms]
    assert norms == [[], *([(c,), (c,)] for c in maps[1:])]
    assert g.activation is keras.activations.leaky_relu
    h = tf.zeros((1, 3, 3, 512))
    for conv, size in zip(g.convs, (7, 14, 28), strict=True):
        h = conv(h)
        assert h.shape[1:3] == (size, size)
    assert g(latents(dim=100)).shape == (4, 28, 28, 1)


def test_the_tutorial_discriminator_is_dcgans_at_width_64():
    d = DCGANDiscriminator((28, 28, 1), width=64)
    assert [tuple(c.kernel.shape) for c in d.convs] == [
        (4, 4, 1, 64),
        (4, 4, 64, 128),
        (4, 4, 128, 256),
    ]
    assert [norm.gamma.shape[0] for norm in d.norms] == [128, 256]
    assert tuple(d.logit.kernel.shape) == (4 * 4 * 256, 1)
    assert d(images((28, 28, 1))).shape == (4, 1)


# --- what all networks promise ---------------------------------------------------------------


def networks(dtype="float32"):
    """{network: its inputs}, each argument off its default."""
    x, z = images((12, 10, 3)), latents()
    shape, options = (12, 10, 3), {"width": 3, "l2": 0.3, "dtype": dtype}
    return {
        DCGANGenerator(shape, LATENT, base=(2, 3), activation="leaky_relu", **options): z,
        DCGANGenerator(shape, LATENT, base_norm=False, **options): z,
        DCGANEncoder(shape, LATENT, squash=False, **options): x,
        DCGANDiscriminator(shape, LATENT, hidden=7, **options): [x, z],
        DCGANDiscriminator(shape, **options): x,
    }


def test_weights_start_from_a_normal_distribution_of_their_own():
    keras.utils.set_random_seed(0)
    d = DCGANDiscriminator((28, 28, 1), 50)
    kernels = [*(c.kernel for c in d.convs), d.joint.kernel, d.condition.kernel, d.logit.kernel]
    for kernel in kernels:
        np.testing.assert_allclose(np.std(kernel), 0.02, rtol=4 / np.sqrt(2 * np.size(kernel)))
    e = DCGANEncoder((16, 16, 8), LATENT, width=8)
    assert not np.array_equal(e.convs[0].kernel[..., :8], e.convs[1].kernel[..., :8])


def test_the_gradient_of_l2_is_l2_times_the_kernel():
    for net in networks():
        variables = net.trainable_variables
        with tf.GradientTape() as tape:
            penalty = tf.add_n(net.losses)
        gradients = tape.gradient(penalty, [v.value for v in variables])
        for variable, gradient in zip(variables, gradients, strict=True):
            if variable.name == "kernel":
                assert_close(gradient, 0.3 * variable.value)
            else:
                assert gradient is None


@pytest.mark.parametrize("dtype", ["float32", "mixed_bfloat16"])
def test_config_round_trip_keeps_arguments_dtype_and_function(dtype):
    for net, inputs in networks(dtype).items():
        copy = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(net))
        assert type(copy) is type(net) and copy.dtype_policy.name == dtype
        assert copy.get_config().keys() == net.get_config().keys()
        copy.set_weights(net.get_weights())
        y = net(inputs, training=False)
        assert y.dtype == tf.float32
        np.testing.assert_array_equal(copy(inputs, training=False), y)


def test_saved_networks_load_as_they_were(tmp_path):
    for net, inputs in networks().items():
        net = enlarged(net)
        net(inputs, training=True)  # moves the batch statistics
        net.save(tmp_path / "net.keras")
        loaded = keras.saving.load_model(tmp_path / "net.keras")
        np.testing.assert_array_equal(loaded(inputs, training=False), net(inputs, training=False))


def test_mixed_precision_is_close_to_float32():
    for full, (net, inputs) in zip(networks(), networks("mixed_bfloat16").items(), strict=True):
        net.set_weights(full.get_weights())
        np.testing.assert_allclose(
            net(inputs, training=True), full(inputs, training=True), atol=0.05
        )
        assert {layer.compute_dtype for layer in net.layers if layer.weights} == {"bfloat16"}


@pytest.mark.parametrize("latent", [LATENT, None])
def test_discriminate_equals_two_calls(latent):
    d = enlarged(DCGANDiscriminator(ODD, latent, width=4, hidden=6))
    real, fake = images(ODD), images(ODD, seed=3) ** 3
    if latent:
        real, fake = [real, latents()], [fake, latents() ** 3]
    got = discriminate(d, real, fake, training=True)
    for logits, inputs in zip(got, (real, fake), strict=True):
        assert_close(logits, d(inputs, training=True))


@pytest.mark.slow
def test_xla_gives_the_same_gradients():
    g, e = DCGANGenerator(ODD, LATENT, width=4), DCGANEncoder(ODD, LATENT, width=4)
    d = enlarged(DCGANDiscriminator(ODD, LATENT, width=4, hidden=6))
    variables = [v.value for net in (g, e, d) for v in net.trainable_variables]

    def gradients(x, z):
        with tf.GradientTape() as tape:
            real = [x, e(x, training=True)]
            fake = [g(z, training=True), z]
            real, fake = discriminate(d, real, fake, training=True)
            loss = tf.reduce_mean(tf.nn.softplus(-real) + tf.nn.softplus(fake))
        return tape.gradient(loss, variables)

    x, z = tf.constant(images(ODD)), tf.constant(latents())
    compiled = tf.function(gradients, jit_compile=True)(x, z)
    for got, expected in zip(compiled, gradients(x, z), strict=True):
        assert np.abs(expected).max() > 0
        assert_close(got, expected, tol=1e-3)
