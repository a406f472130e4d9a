"""The convolutional and the residual family: shapes, sizes, norms, features, saving."""

import keras
import numpy as np
import pytest
import tensorflow as tf

import tf_bigan as tb
from tests.closeness import assert_close
from tf_bigan.errors import UserError
from tf_bigan.networks import make
from tf_bigan.networks.conv import ConvNetwork, doubled
from tf_bigan.networks.normalization import batch_groups
from tf_bigan.networks.spectral import _Spectral

FAMILIES = ["conv", "residual"]
SLOWLY = ["conv", pytest.param("residual", marks=pytest.mark.slow)]
ROLES = ["encoder", "generator", "discriminator"]
LATENT, ROWS = 5, 4
SIZES = {"image_shape": (8, 8, 1), "latent_dim": LATENT, "width": 4}
# Image -> the smallest map and its channels at a width of 4.
MAPS = {
    (8, 8, 1): (4, 4, 4),
    (28, 28, 1): (7, 7, 8),
    (33, 70, 3): (5, 9, 16),
    (64, 64, 3): (8, 8, 16),
}
NORMS = ["batch", "layer", "spectral", None]


def network(family, role, **sizes):
    sizes = SIZES | ({} if role == "generator" else {"hidden": 12}) | sizes
    return make(family, role, **sizes)


def inputs_of(role, image_shape=(8, 8, 1), rows=ROWS, seed=0):
    rng = np.random.default_rng(seed)
    x = tf.constant(rng.random((rows, *image_shape)), tf.float32)
    z = tf.constant(rng.normal(size=(rows, LATENT)), tf.float32)
    return {"encoder": x, "generator": z, "discriminator": [x, z], "image_discriminator": x}[role]


def enlarged(net, seed=1):
    """The network with weights large enough for its rows to differ, biases too."""
    rng = np.random.default_rng(seed)
    for variable in net.trainable_variables:
        variable.assign(variable + rng.normal(0, 0.1, variable.shape))
    return net


@pytest.mark.parametrize("family", SLOWLY)
@pytest.mark.parametrize("image_shape", MAPS, ids=str)
def test_shapes(family, image_shape):
    sizes = {"image_shape": image_shape}
    e, g, d = (network(family, role, **sizes) for role in ROLES)
    height, width, channels = MAPS[image_shape]
    assert g.base_shape == (height, width, channels)
    assert g.project.kernel.shape == (LATENT, height * width * channels)
    x, z = inputs_of("discriminator", image_shape)
    features = e.features(x)
    stages = [f"map{stage}" for stage in range(1, len(e.sizes))]
    assert list(features) == [*stages, "maps", "e-", "e"]
    for name, size, depth in zip(stages, e.sizes[1:], e.channels[1:], strict=True):
        assert features[name].shape == (ROWS, *size, depth)
    assert features["maps"].shape == (ROWS, height * width * channels)
    np.testing.assert_array_equal(features["maps"], tf.reshape(features[stages[-1]], (ROWS, -1)))
    assert features["e-"].shape == (ROWS, 12) and features["e"].shape == (ROWS, LATENT)
    assert e(x).shape == (ROWS, LATENT)
    image = g(z)
    assert image.shape == x.shape and image.dtype == "float32"
    assert np.min(image) > 0 and np.max(image) < 1
    assert d([x, z]).shape == (ROWS, 1)
    assert d.features([x, z]).shape == (ROWS, 12)
    alone = network(family, "discriminator", **sizes | {"latent_dim": None, "outputs": 3})
    assert alone(x).shape == (ROWS, 3)


def test_pixels_are_repeated():
    x = np.arange(6.0).reshape(1, 2, 3, 1)
    repeated = [[0, 0, 1, 1, 2, 2], [0, 0, 1, 1, 2, 2], [3, 3, 4, 4, 5, 5], [3, 3, 4, 4, 5, 5]]
    np.testing.assert_array_equal(doubled(tf.constant(x), (4, 6))[0, :, :, 0], repeated)
    np.testing.assert_array_equal(
        doubled(tf.constant(x), (3, 5))[0, :, :, 0], np.array(repeated)[:3, :5]
    )


@pytest.mark.parametrize("family", FAMILIES)
def test_an_area_of_one_colour_has_no_mesh(family):
    """A constant map becomes a constant image: no pixel has a kernel of its own."""
    g = enlarged(network(family, "generator", image_shape=(32, 48, 3), norm=None))
    h = tf.ones((1, *g.sizes[1], g.channels[1]))
    if family == "conv":
        up = g.stages
        image = up.convs[-1](doubled(up.activation(up.norms[-1](h)), up.sizes[-1]))
    else:
        image = g.stages.image(doubled(h, g.sizes[0]))
    inside = image[:, 2:-2, 2:-2]
    assert_close(inside, np.broadcast_to(inside[:, :1, :1], inside.shape))
    assert image.shape == (1, 32, 48, 3) and np.abs(inside).max() > 0.01


def test_the_channels_double_to_eight_times_the_width():
    """An image of 300 pixels is halved six times: 4, 8, 16, 32, 32, 32."""
    net = ConvNetwork(
        {"image_shape": (300, 300, 3), "width": 4, "norm": None, "l2": 0.0, "activation": "relu"}
    )
    assert net.channels == [3, 4, 8, 16, 32, 32, 32]
    assert [size[0] for size in net.sizes] == [300, 150, 75, 38, 19, 10, 5]


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("role", ROLES)
@pytest.mark.parametrize("size", [(7, 8), (8, 7), (1, 1), (64, 4)], ids=str)
def test_an_image_that_is_too_small_is_one_line(family, role, size):
    line = f"take images of at least 8×8 pixels, not {size[0]}×{size[1]}: use networks=mlp$"
    with pytest.raises(UserError, match=line):
        network(family, role, image_shape=(*size, 1))


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize(
    ("role", "sizes"),
    [
        ("generator", {"width": 0}),
        ("generator", {"latent_dim": 0}),
        ("encoder", {"hidden": 0}),
        ("discriminator", {"hidden": 2.5}),
        ("discriminator", {"latent_dim": -1}),
    ],
)
def test_a_size_out_of_its_range(family, role, sizes):
    ((name, value),) = sizes.items()
    with pytest.raises(UserError, match=f"^{name}={value}: it must be an int in "):
        network(family, role, **sizes)
    with pytest.raises(ValueError, match="norm='bach' is unknown"):
        network(family, role, norm="bach")


@pytest.mark.parametrize("family", SLOWLY)
@pytest.mark.parametrize("norm", NORMS, ids=str)
def test_the_norm_of_each_network(family, norm):
    """Its layers are of that kind, and the network sees what it should of other rows."""
    kinds = {
        "batch": tb.networks.normalization.BatchNormalization,
        "layer": keras.layers.LayerNormalization,
        "spectral": _Spectral,
    }
    for role in ROLES:
        net = enlarged(network(family, role, norm=norm))
        layers = net._flatten_layers()
        counts = {
            k: sum(isinstance(one, kind) for one in net._flatten_layers())
            for k, kind in kinds.items()
        }
        assert [k for k, n in counts.items() if n] == ([norm] if norm else []), role
        assert len(list(layers)) > 5
        x = inputs_of(role)
        whole = net(x, training=True)
        part = net(tf.nest.map_structure(lambda v: v[:2], x), training=True)
        difference = np.abs(whole[:2] - part).max() / np.abs(whole).max()
        assert difference > 1e-3 if norm == "batch" else difference < 1e-5, role
        if norm != "batch":
            assert_close(net(x, training=False), whole)


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("role", ROLES)
def test_groups_of_rows_stay_apart(family, role):
    """One call of joined rows is a call of each group, with batch normalisation."""
    net = enlarged(network(family, role, norm="batch"))
    assert net.keeps_groups_apart
    groups = [inputs_of(role, seed=seed) for seed in (0, 1)]
    apart = np.concatenate([net(group, training=True) for group in groups])
    joined = tf.nest.map_structure(lambda *rows: tf.concat(rows, 0), *groups)
    with batch_groups(2):
        assert_close(net(joined, training=True), apart, 1e-4)
    assert np.abs(net(joined, training=True) - apart).max() > 1e-3


@pytest.mark.parametrize("family", SLOWLY)
def test_every_weight_has_a_part_in_the_output(family):
    """No layer is made and not used. A bias before batch normalisation has no effect."""
    for role in ROLES:
        for norm in ("batch", "layer"):
            net = enlarged(network(family, role, norm=norm))
            variables = [v.value for v in net.trainable_variables]
            with tf.GradientTape() as tape:
                y = net(inputs_of(role), training=True)
                value = tf.reduce_sum(y * tf.random.stateless_normal(y.shape, (1, 2)))
            gradients = tape.gradient(value, variables)
            scale = max(float(tf.norm(g)) for g in gradients)
            for variable, gradient in zip(net.trainable_variables, gradients, strict=True):
                if norm != "batch" or not variable.path.endswith("bias"):
                    assert float(tf.norm(gradient)) > 1e-5 * scale, (role, norm, variable.path)


@pytest.mark.parametrize("family", FAMILIES)
def test_the_discriminator_of_a_pair_sees_both_parts_together(family):
    """l(x, z) is no sum of a function of x and one of z."""
    d = enlarged(network(family, "discriminator"))
    x, z = inputs_of("discriminator", rows=2)
    logits = [[float(d([x[i : i + 1], z[j : j + 1]])[0, 0]) for j in (0, 1)] for i in (0, 1)]
    mixed = logits[0][0] + logits[1][1] - logits[0][1] - logits[1][0]
    assert abs(mixed) > 1e-4 * np.ptp(logits)
    assert_close(d.head(d.features([x, z])), d([x, z]))


@pytest.mark.parametrize("family", FAMILIES)
def test_the_encoders_last_steps(family):
    e = enlarged(network(family, "encoder", squash=True))
    plain = network(family, "encoder")
    plain.set_weights(e.get_weights())
    x = inputs_of("encoder")
    logits = e.features(x)["e"].numpy()
    assert_close(plain(x), logits)
    assert_close(e(x), 2 / (1 + np.exp(-logits)) - 1)
    zero = network(family, "encoder", zero_init=True)
    assert np.abs(zero(x)).max() == 0 and np.abs(zero.features(x)["e-"]).max() > 0


@pytest.mark.parametrize("family", FAMILIES)
def test_a_regressor_with_spectral_norm_starts_at_zero_and_learns(family):
    e = network(family, "encoder", zero_init=True, norm="spectral")
    kernel = e.latent.kernel.value
    with tf.GradientTape() as tape:
        y = e(inputs_of("encoder"), training=True)
        value = tf.reduce_sum(y)
    assert np.abs(y).max() == 0
    gradient = tape.gradient(value, kernel)
    assert np.isfinite(gradient).all() and np.abs(gradient).max() > 0


def conv_by_hand(x, kernel, bias, stride):
    """A "same" convolution as TensorFlow pads it: the odd pixel of padding at the end."""
    height, width, _, _ = kernel.shape
    out = [-(-side // stride) for side in x.shape[1:3]]
    pads = [
        max((o - 1) * stride + k - side, 0)
        for o, k, side in zip(out, (height, width), x.shape[1:3], strict=True)
    ]
    x = np.pad(x, [(0, 0), *((p // 2, p - p // 2) for p in pads), (0, 0)])
    y = np.zeros((len(x), *out, kernel.shape[-1]))
    for i in range(out[0]):
        for j in range(out[1]):
            patch = x[:, i * stride : i * stride + height, j * stride : j * stride + width]
            y[:, i, j] = np.einsum("bhwc,hwco->bo", patch, kernel)
    return y + bias


def leaky(h):
    return np.where(h > 0, h, 0.2 * h)


def test_the_convolutional_discriminator_against_numpy():
    """Images are rescaled to [-1, 1]; kernel 4 and stride 2, a dense layer, x and z, two more."""
    d = enlarged(network("conv", "discriminator", image_shape=(9, 17, 2)))
    x, z = inputs_of("discriminator", (9, 17, 2))
    h = 2 * x.numpy() - 1
    assert len(d.stages.convs) == 2 or len(d.stages.convs) == 1
    for conv in d.stages.convs:
        assert conv.kernel.shape[:2] == (4, 4)
        h = leaky(conv_by_hand(h, conv.kernel.numpy(), conv.bias.numpy(), 2))
    w, b = (v.numpy() for v in (d.dense.kernel, d.dense.bias))
    of_z = leaky(z.numpy() @ d.latent.kernel.numpy() + d.latent.bias.numpy())
    h = leaky(h.reshape(ROWS, -1) @ w + b + of_z @ d.condition.kernel.numpy())
    assert len(d.joint) == 2
    for layer in d.joint:
        h = leaky(h @ layer.kernel.numpy() + layer.bias.numpy())
    assert_close(d.features([x, z]), h, 1e-4)
    assert_close(d([x, z]), h @ d.logit.kernel.numpy() + d.logit.bias.numpy(), 1e-4)


@pytest.mark.parametrize("doubled", [False, True])
def test_a_residual_block_against_numpy(doubled):
    """Norm, activation, convolution, twice; halved by averages, doubled by repeats, a shortcut."""
    net = network("residual", "generator" if doubled else "discriminator", norm=None)
    from tf_bigan.networks.residual import ResidualBlock

    block = ResidualBlock(net, 6, size=(9, 7) if doubled else None)
    x = tf.constant(np.random.default_rng(0).normal(size=(ROWS, 5, 4, 3)), tf.float32)
    block(x)
    enlarged(block)
    activation = (lambda v: np.maximum(v, 0)) if doubled else leaky

    def double(v):
        return np.repeat(np.repeat(v, 2, 1), 2, 2)[:, :9, :7] if doubled else v

    def halve(v):
        if doubled:
            return v
        y = np.zeros((ROWS, 3, 2, v.shape[-1]))
        for i in range(3):
            for j in range(2):
                y[:, i, j] = v[:, 2 * i : 2 * i + 2, 2 * j : 2 * j + 2].mean((1, 2))
        return y

    def conv(layer, v):
        return conv_by_hand(v, layer.kernel.numpy(), layer.bias.numpy(), 1)

    h = conv(block.convs[0], double(activation(x.numpy())))
    h = halve(conv(block.convs[1], activation(h)))
    expected = h + conv(block.shortcut, halve(double(x.numpy())))
    assert expected.shape == ((ROWS, 9, 7, 6) if doubled else (ROWS, 3, 2, 6))
    assert_close(block(x), expected, 1e-4)


@pytest.mark.parametrize("family", FAMILIES)
def test_weight_decay_is_of_kernels_alone(family):
    net = network(family, "discriminator", l2=0.3)
    variables = [v.value for v in net.trainable_variables]
    with tf.GradientTape() as tape:
        value = tf.add_n(net.losses)
    gradients = tape.gradient(value, variables, unconnected_gradients="zero")
    for variable, gradient in zip(net.trainable_variables, gradients, strict=True):
        expected = 0.3 * variable if variable.ndim > 1 else tf.zeros_like(variable)
        assert_close(gradient, expected)
    assert not network(family, "discriminator").losses


@pytest.mark.parametrize("family", SLOWLY)
@pytest.mark.parametrize("role", ROLES)
@pytest.mark.parametrize(
    "dtype", [pytest.param("float32", marks=pytest.mark.slow), "mixed_bfloat16"]
)
def test_config_round_trip_keeps_arguments_dtype_and_function(family, role, dtype):
    net = enlarged(network(family, role, dtype=dtype, norm="spectral", l2=0.1, name="mine"))
    copy = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(net))
    assert type(copy) is type(net) and copy.name == "mine"
    assert copy.dtype_policy.name == dtype and copy.get_config() == net.get_config()
    copy.set_weights(net.get_weights())
    y = net(inputs_of(role))
    assert y.dtype == tf.float32
    np.testing.assert_array_equal(copy(inputs_of(role)), y)
    compute = "bfloat16" if dtype == "mixed_bfloat16" else "float32"
    linear = [one for one in net._flatten_layers() if isinstance(one, _Spectral)]
    assert linear and {one.compute_dtype for one in linear} == {compute}


@pytest.mark.parametrize("family", SLOWLY)
@pytest.mark.parametrize("role", ROLES)
def test_bfloat16_is_close_to_float32(family, role):
    exact = enlarged(network(family, role))
    rounded = network(family, role, dtype="mixed_bfloat16")
    rounded.set_weights(exact.get_weights())
    expected, got = exact(inputs_of(role)), rounded(inputs_of(role))
    assert got.dtype == tf.float32
    spread = np.abs(expected).max()
    assert 0 < np.abs(got - expected).max() < 0.05 * spread
    if role == "encoder":
        features = rounded.features(inputs_of(role))
        assert {value.dtype for value in features.values()} == {tf.float32}


@pytest.mark.parametrize("family", SLOWLY)
def test_a_saved_network_is_the_same(family, tmp_path):
    """With what only a training changes: moving statistics."""
    e = enlarged(network(family, "encoder", image_shape=(9, 12, 2)))
    x = inputs_of("encoder", (9, 12, 2))
    e(x, training=True)
    e.save(tmp_path / "e.keras")
    loaded = keras.saving.load_model(tmp_path / "e.keras")
    np.testing.assert_array_equal(loaded(x), e(x))
    for name, value in e.features(x).items():
        np.testing.assert_array_equal(loaded.features(x)[name], value)
