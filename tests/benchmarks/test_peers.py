"""The peers of the throughput benchmark compute what tf_bigan computes."""

import numpy as np
import pytest
import tensorflow as tf

from benchmarks import agreement, ours
from benchmarks.peers import stock_keras
from benchmarks.setting import ADAM, Setting, images, random_weights

pytestmark = pytest.mark.slow

SETTINGS = [
    Setting("mlp", "", "paper", 8, (6, 5, 1), latent=3, width=16),
    Setting("dcgan", "", "dcgan", 8, (28, 28, 1), latent=3, width=4, hidden=8),
    Setting("conv", "", "conv", 8, (28, 20, 2), latent=3, width=4, hidden=128),
    Setting("conv_grey", "", "conv", 8, (16, 12, 1), latent=3, width=4, hidden=128),
]


def keras_peer(setting, bfloat16=False):
    return stock_keras.Peer(
        setting, images(setting, 24), "mixed_bfloat16" if bfloat16 else "float32"
    )


def pytorch_peer(setting, bfloat16=False):
    pytest.importorskip("torch", reason='torch is not installed: pip install -e ".[dev]"')
    from benchmarks.peers import pytorch

    return pytorch.Peer(setting, images(setting, 24), bfloat16, compiled=False)


def batch(setting):
    rng = np.random.default_rng(3)
    x = rng.random((setting.batch, *setting.image_shape), np.float32)
    return x, rng.uniform(-1, 1, (setting.batch, setting.latent)).astype(np.float32)


def weights_of(peer):
    """{role: copies of the weights, as Keras shapes them}."""
    if isinstance(peer, stock_keras.Peer):
        return {role: [v.numpy().copy() for v in vs] for role, vs in peer.weights().items()}
    from benchmarks.peers.pytorch import TO_KERAS

    return {
        role: [p.detach().numpy().transpose(TO_KERAS[p.ndim]).copy() for p in parameters]
        for role, parameters in peer.weights().items()
    }


def moving_mean(peer):
    """Of the batch norm of the MLP encoder."""
    if isinstance(peer, stock_keras.Peer):
        (norm,) = (v for v in peer.model.encoder.non_trainable_variables if "mean" in v.path)
        return norm.numpy()
    return peer.encoder.norm2.running_mean.numpy()


def update(peer, x, z):
    if isinstance(peer, stock_keras.Peer):
        peer.model.update(tf.constant(x), tf.constant(z))
    else:
        import torch

        peer.step(torch.from_numpy(x), torch.from_numpy(z))


@pytest.fixture(params=SETTINGS, ids=lambda setting: setting.name)
def setting(request):
    return request.param


@pytest.fixture(params=[keras_peer, pytorch_peer])
def make(request):
    return request.param


@pytest.mark.parametrize("bfloat16", [False, True])
def test_losses_and_gradients_agree(make, setting, bfloat16):
    agreement.check(setting, make(setting, bfloat16))


def test_another_loss_is_noticed(setting):
    peer = keras_peer(setting)
    honest = peer.model.gradients
    peer.model.gradients = lambda x, z: (honest(x, z)[0] + 0.01, *honest(x, z)[1:])
    with pytest.raises(agreement.Disagreement, match="its loss of D"):
        agreement.check(setting, peer)


def test_a_missing_gradient_is_noticed(setting):
    peer = keras_peer(setting)
    honest = peer.model.gradients

    def without_half_of_the_encoder(x, z):
        loss_d, loss_eg, of_d, of_eg = honest(x, z)
        return loss_d, loss_eg, of_d, [0.5 * of_eg[0], *of_eg[1:]]

    peer.model.gradients = without_half_of_the_encoder
    with pytest.raises(agreement.Disagreement, match="of its encoder is off"):
        agreement.check(setting, peer)


def test_one_step_moves_all_networks_at_once_by_adam(make, setting):
    """Adam's first step is -rate·g/(|g| + ε); g must be of the weights before any step."""
    peer = make(setting)
    seeds = enumerate(weights_of(peer).items())
    start = {role: random_weights([a.shape for a in arrays], s) for s, (role, arrays) in seeds}
    peer.load(start)
    x, z = batch(setting)
    _, gradients = peer.losses_and_gradients(x, z)
    update(peer, x, z)
    for role, arrays in weights_of(peer).items():
        for before, after, gradient in zip(start[role], arrays, gradients[role], strict=True):
            clear = np.abs(gradient) > 1e-4  # of smaller ones, rounding may decide the sign
            step = -ADAM["learning_rate"] * gradient / (np.abs(gradient) + ADAM["epsilon"])
            np.testing.assert_allclose((after - before)[clear], step[clear], rtol=0.02, atol=1e-6)
        assert any((np.abs(gradient) > 1e-4).mean() > 0.3 for gradient in gradients[role])


def test_every_variant_trains_on_its_own_pipeline(make, setting):
    peer = make(setting)
    before = weights_of(peer)
    assert peer.seconds_of(3) > 0
    for role, arrays in weights_of(peer).items():
        assert any((a != b).any() for a, b in zip(before[role], arrays, strict=True))


def test_tf_bigan_variant_trains_on_its_own_pipeline(setting):
    variant = ours.Variant(setting, images(setting, 24), "float32", False)
    assert variant.seconds_of(3) > 0
    warm_up = variant.model.steps_per_execution
    assert int(variant.model.step.numpy()) == warm_up + 3


def test_what_a_peer_is_measured_with(make):
    """Moving means over a pass are those of all images, and evaluated rows stand alone."""
    setting = SETTINGS[0]
    peer = make(setting)
    peer.load({role: random_weights([a.shape for a in arrays], 1)
               for role, arrays in weights_of(peer).items()})  # fmt: skip
    before = weights_of(peer)
    peer.recalibrate(3)  # of 8 of the 24 images
    x = images(setting, 24).astype(np.float32) / 255
    kernels = before["encoder"]
    hidden = x.reshape(24, -1) @ kernels[0]
    hidden = np.maximum(hidden, 0.2 * hidden) @ kernels[1]
    np.testing.assert_allclose(moving_mean(peer), hidden.mean(0), rtol=1e-3, atol=1e-4)
    z = batch(setting)[1]
    np.testing.assert_allclose(peer.generate(z)[:3], peer.generate(z[:3]), atol=1e-6)
    codes = np.tanh(peer.encode(x)["e"] / 2)
    np.testing.assert_allclose(peer.reconstruct(x), peer.generate(codes), atol=1e-5)
    for role, arrays in weights_of(peer).items():
        for array, same in zip(arrays, before[role], strict=True):
            np.testing.assert_array_equal(array, same)


def test_training_ends_when_the_callback_says_so(make):
    peer, steps = make(SETTINGS[0]), []
    peer.train(lambda step: steps.append(step) or step == 5)
    assert steps == [1, 2, 3, 4, 5]


def test_coupled_weight_decay_of_the_official_recipe():
    """Adam's first step goes by the sign of the gradient plus l2 times the weight."""
    peer = pytorch_peer(SETTINGS[0])
    assert peer.optimizers[0].param_groups[0]["weight_decay"] == 0
    from benchmarks.peers import pytorch

    peer = pytorch.Peer(SETTINGS[0], images(SETTINGS[0], 24), False, False, l2=1e3)
    before = weights_of(peer)
    peer.seconds_of(1)
    for role, arrays in weights_of(peer).items():
        for array, start in zip(arrays, before[role], strict=True):
            clear = np.abs(start) > 1e-3  # the decay is then larger than any gradient
            step = -ADAM["learning_rate"] * np.sign(start)
            np.testing.assert_allclose((array - start)[clear], step[clear], rtol=0.02, atol=1e-6)
