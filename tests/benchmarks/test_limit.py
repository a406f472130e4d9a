"""The limit counts the work that a step needs, and no more."""

import pytest

from benchmarks import limit, ours
from benchmarks.setting import SETTINGS, Setting

pytestmark = pytest.mark.slow

MLP128, MLP512, DCGAN128, CONV28, CONV64 = SETTINGS
TINY = Setting("tiny", "", "paper", 4, (3, 2, 1), latent=3, width=5)


def test_flops_of_the_papers_step_by_hand():
    pixels, width, latent, batch = 784, 1024, 50, 128
    e = pixels * width + width * width + width * latent
    g = latent * width + width * width + latent * width + width * pixels
    d = pixels * width + width * width + latent * width + width
    forward_and_weights = 2 * (e + g + 2 * d)
    # Gradients with respect to inputs, in E's, G's and D's own passes: of all layers with
    # something to train below them.
    inputs = (e - pixels * width) + (g - 2 * latent * width) + 2 * (width * width + width)
    # E and G's loss through D: to z_hat by the logit and z's layer, to x_fake by the others.
    through_d = (width + latent * width) + (width + width * width + pixels * width)
    expected = 2 * batch * (forward_and_weights + inputs + through_d)
    counted = limit.step_products(MLP128)
    assert sum(product.flops * count for product, count in counted.items()) == expected


def test_four_times_the_batch_is_four_times_the_work():
    def work(setting):
        return sum(p.flops * count for p, count in limit.step_products(setting).items())

    assert work(MLP512) == 4 * work(MLP128)


def test_convolutions_are_products_of_their_patches():
    model = ours.make(DCGAN128)
    tower = limit.forward(model.encoder, 2, (28, 28, 1))
    assert [layer.product for layer in tower] == [
        (2 * 14 * 14, 4 * 4 * 1, 32),
        (2 * 7 * 7, 4 * 4 * 32, 64),
        (2 * 4 * 4, 4 * 4 * 64, 128),
        (2, 4 * 4 * 128, 50),
    ]
    assert [layer.on_weights for layer in tower] == [False, True, True, True]
    up = limit.forward(model.generator, 2, (50,))
    assert [layer.product for layer in up] == [
        (2, 50, 4 * 4 * 128),
        (2 * 4 * 4, 128, 4 * 4 * 64),
        (2 * 7 * 7, 64, 4 * 4 * 32),
        (2 * 14 * 14, 32, 4 * 4 * 1),
    ]


@pytest.mark.parametrize(("setting", "maps"), [(CONV28, (14, 7)), (CONV64, (32, 16, 8))])
def test_the_maps_of_the_default_networks(setting, maps):
    tower = limit.forward(ours.make(setting).encoder, 2, setting.image_shape)
    channels = [setting.image_shape[2], *(setting.width * 2**i for i in range(len(maps)))]
    convolutions = zip(maps, channels[:-1], channels[1:], strict=True)
    assert [layer.product for layer in tower] == [
        *((2 * side**2, 4 * 4 * n, m) for side, n, m in convolutions),
        (2, maps[-1] ** 2 * channels[-1], 512),
        (2, 512, 16),
    ]
    assert setting.maps() == list(zip(maps, maps, channels[1:], strict=True))


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_the_limit_is_measured(dtype):
    measured = limit.Limit(TINY, dtype)
    model = ours.make(TINY)
    assert measured.weights == sum(
        network.count_params() - sum(w.shape.num_elements() for w in network.non_trainable_weights)
        for network in (model.encoder, model.generator, model.discriminator)
    )
    assert measured.seconds_of(2) > 0
