"""Arrays in, arrays out, of any length and type; what is refused."""

import keras
import numpy as np
import pytest

import tf_bigan as tb
from tests.closeness import assert_close
from tests.conftest import BATCH, IMAGE_SHAPE, LATENT


def test_arrays_of_any_length(make_bigan, images):
    model = make_bigan()
    for n in (1, 7, 12, 30):
        assert model.encode(images[:n], batch_size=7).shape == (n, LATENT)
    whole = model.reconstruct(images, batch_size=48)
    assert_close(model.reconstruct(images, batch_size=5), whole)
    path = model.interpolate(images[:2], images[2:4], steps=5)
    assert path.shape == (2, 5, *IMAGE_SHAPE)
    assert_close(path[:, 0], model.reconstruct(images[:2]))
    assert_close(path[:, -1], model.reconstruct(images[2:4]))
    assert model.features(images)["e-"].shape == (48, 16)
    assert_close(np.tanh(model.features(images)["e"] / 2), model.encode(images))


def test_wrong_use_is_named(make_bigan, images):
    model = make_bigan()
    with pytest.raises(ValueError, match=r"encoder takes .*\[N, 8, 8, 1\].*not \[48, 8, 8\]"):
        model.encode(images[..., 0])
    with pytest.raises(ValueError, match="N > 0"):
        model.encode(images[:0])
    with pytest.raises(ValueError, match="ema is a decay between 0 and 1"):
        model.compile(ema=1.0)
    with pytest.raises(ValueError, match="optimizers are for"):
        model.compile({"D": keras.optimizers.SGD(0.1)})
    parts = {name: getattr(model, name) for name in model.network_names()}
    with pytest.raises(ValueError, match="did you mean generator"):
        tb.models.BiGAN(prior=model.prior, **parts, generater=model.generator)
    with pytest.raises(ValueError, match="needs the networks encoder"):
        tb.models.BiGAN(
            prior=model.prior, generator=parts["generator"], discriminator=parts["discriminator"]
        )
    wrong = tb.networks.MLPEncoder(IMAGE_SHAPE, LATENT + 1, width=4)
    with pytest.raises(ValueError, match="encoder gives"):
        tb.models.BiGAN(prior=model.prior, **(parts | {"encoder": wrong}))


def test_predict_uses_the_average(make_bigan, images):
    model = make_bigan(ema=0.9)
    model.fit(images, batch_size=BATCH, verbose=0)
    assert_close(model.predict(images, verbose=0), model.reconstruct(images))


def test_images_as_bytes_are_encoded_as_fit_takes_them(make_bigan, images):
    model, levels = make_bigan(), np.rint(images * 255).astype(np.uint8)
    np.testing.assert_array_equal(model.encode(levels), model.encode(levels / np.float32(255)))
    with pytest.raises(ValueError, match="uint8, or float in .*, not int64"):
        model.encode(levels.astype(np.int64))
    with pytest.raises(ValueError, match=r"in \[0, 1\], not \["):
        model.encode(levels.astype(np.float32))


def test_wrong_numbers_of_images_are_named(make_bigan, images):
    model = make_bigan()
    with pytest.raises(ValueError, match="not 2 and 3 images in 8 steps"):
        model.interpolate(images[:2], images[:3])
    with pytest.raises(ValueError, match="at least 2 steps"):
        model.interpolate(images[:2], images[:2], steps=0)
    with pytest.raises(ValueError, match="at least 1 draw, not 0"):
        model.sample(0)
    parts = {name: getattr(model, name) for name in model.network_names()}
    with pytest.raises(ValueError, match="generator does not take z of 6"):
        tb.models.BiGAN(prior=tb.priors.Uniform(LATENT + 1), **parts)


def test_bytes_are_called_and_predicted_as_they_are_reconstructed(make_bigan, images):
    model, levels = make_bigan(), np.rint(images * 255).astype(np.uint8)
    expected = model.reconstruct(levels)
    assert_close(model(levels), expected)
    assert_close(model.predict(levels, verbose=0), expected)
