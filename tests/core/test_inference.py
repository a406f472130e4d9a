"""Arrays in, arrays out, of any length and type; what is refused."""

import keras
import numpy as np
import pytest

import tf_bigan as tb
from tests.closeness import assert_close
from tests.small import BATCH, IMAGE_SHAPE, LATENT, make_plain
from tf_bigan.core import hardware


def test_arrays_of_any_length(bigan, images):
    for n in (1, 7, 12, 30):
        assert bigan.encode(images[:n], batch_size=7).shape == (n, LATENT)
    whole = bigan.reconstruct(images, batch_size=48)
    assert_close(bigan.reconstruct(images, batch_size=5), whole)
    path = bigan.interpolate(images[:2], images[2:4], steps=5)
    assert path.shape == (2, 5, *IMAGE_SHAPE)
    assert_close(path[:, 0], bigan.reconstruct(images[:2]))
    assert_close(path[:, -1], bigan.reconstruct(images[2:4]))
    assert bigan.features(images)["e-"].shape == (48, 16)
    assert_close(np.tanh(bigan.features(images)["e"] / 2), bigan.encode(images))
    assert bigan.feature_shapes() == {"e-": (16,), "e": (LATENT,)}
    alone = bigan.features(images, 7, layers="e")
    assert list(alone) == ["e"]
    assert_close(alone["e"], bigan.features(images)["e"])


def test_features_of_an_encoder_without_names(images):
    model = make_plain()
    for layers in (None, ["e"]):
        found = model.features(images, layers=layers)
        assert list(found) == ["e"]
        assert_close(found["e"], model.encode(images))
    assert model.feature_shapes() == {"e": (LATENT,)}
    with pytest.raises(ValueError, match="^layer=e- is unknown; did you mean e[?]$"):
        model.features(images, layers=["e-"])


def test_wrong_use_is_named(bigan, images):
    with pytest.raises(ValueError, match=r"encoder takes .*\[N, 8, 8, 1\].*not \[48, 8, 8\]"):
        bigan.encode(images[..., 0])
    with pytest.raises(ValueError, match="N > 0"):
        bigan.encode(images[:0])
    with pytest.raises(ValueError, match=r"ema=1.0: it must be a float in \(0, 1\)"):
        bigan.compile(ema=1.0)
    with pytest.raises(ValueError, match="optimizers are for"):
        bigan.compile({"D": keras.optimizers.SGD(0.1)})
    parts = {name: getattr(bigan, name) for name in bigan.network_names()}
    with pytest.raises(TypeError, match="unexpected keyword argument 'generater'"):
        tb.models.BiGAN(prior=bigan.prior, **parts, generater=bigan.generator)
    with pytest.raises(TypeError, match="missing 1 required positional argument: 'encoder'"):
        tb.models.BiGAN(
            prior=bigan.prior, generator=parts["generator"], discriminator=parts["discriminator"]
        )
    with pytest.raises(ValueError, match="BiGAN needs the networks encoder"):
        tb.models.BiGAN(prior=bigan.prior, **(parts | {"encoder": None}))
    wrong = tb.networks.MLPEncoder(IMAGE_SHAPE, LATENT + 1, width=4)
    with pytest.raises(ValueError, match="encoder gives"):
        tb.models.BiGAN(prior=bigan.prior, **(parts | {"encoder": wrong}))


def test_predict_uses_the_average(images, eagerly):
    model = make_plain(ema=0.9)
    model.fit(images, batch_size=BATCH, verbose=0)
    assert_close(model.predict(images, verbose=0), model.reconstruct(images))


def test_images_as_bytes_are_encoded_as_fit_takes_them(bigan, images):
    levels = np.rint(images * 255).astype(np.uint8)
    np.testing.assert_array_equal(bigan.encode(levels), bigan.encode(levels / np.float32(255)))
    with pytest.raises(ValueError, match="dtype int64; pixels must be uint8 or floats"):
        bigan.encode(levels.astype(np.int64))
    with pytest.raises(ValueError, match="values from 0 to 255; pixels must be"):
        bigan.encode(levels.astype(np.float32))


def test_wrong_numbers_of_images_are_named(bigan, images):
    with pytest.raises(ValueError, match="not 2 and 3 images in 8 steps"):
        bigan.interpolate(images[:2], images[:3])
    with pytest.raises(ValueError, match="at least 2 steps"):
        bigan.interpolate(images[:2], images[:2], steps=0)
    with pytest.raises(ValueError, match="n=0: it must be an int"):
        bigan.sample(0)
    parts = {name: getattr(bigan, name) for name in bigan.network_names()}
    with pytest.raises(ValueError, match="generator does not take z of latent_dim=6"):
        tb.models.BiGAN(prior=tb.priors.Uniform(LATENT + 1), **parts)


def test_truncated_samples(bigan):
    z = bigan.prior.sample(6, 3, truncation=0.4)
    np.testing.assert_array_equal(bigan.sample(6, 3, truncation=0.4), bigan.generate(z))
    np.testing.assert_array_equal(bigan.sample(6, 3), bigan.generate(bigan.prior.sample(6, 3)))
    with pytest.raises(ValueError, match=r"^truncation=2: it must be a float in \(0, 1\]"):
        bigan.sample(6, truncation=2)  # the prior is uniform


def test_bytes_are_called_and_predicted_as_they_are_reconstructed(bigan, images):
    levels = np.rint(images * 255).astype(np.uint8)
    expected = bigan.reconstruct(levels)
    assert_close(bigan(levels), expected)
    assert_close(bigan.predict(levels, verbose=0), expected)


def test_results_are_float32_whatever_the_networks_compute_in(images, eagerly):
    keras.utils.set_random_seed(0)
    policy = "mixed_bfloat16"
    encoder = [keras.layers.Flatten(dtype=policy), keras.layers.Dense(LATENT, dtype=policy)]
    generator = [
        keras.layers.Dense(64, "sigmoid", dtype=policy),
        keras.layers.Reshape(IMAGE_SHAPE, dtype=policy),
    ]
    networks = (
        keras.Sequential([keras.Input(shape), *layers])
        for shape, layers in ((IMAGE_SHAPE, encoder), ((LATENT,), generator))
    )
    model = tb.models.Autoencoder(*networks, tb.priors.Normal(LATENT))
    z = model.encode(images[:3])
    assert z.dtype == model.generate(z).dtype == model.reconstruct(images[:3]).dtype == np.float32
    assert model.features(images[:3])["e"].dtype == np.float32
    between = model.interpolate(images[:2], images[2:4], steps=3)
    assert between.dtype == np.float32
    np.testing.assert_allclose(between[:, 0], model.reconstruct(images[:2]), atol=1e-2)


@pytest.mark.parametrize("xla", [False, True])
def test_predict_is_compiled_as_the_gradients_are(monkeypatch, xla):
    """Keras would take "auto" for yes."""
    model, seen = make_plain(jit_compile="auto"), []
    monkeypatch.setattr(hardware, "choose", lambda *_, **__: ("float32", xla, "as it is"))
    monkeypatch.setattr(
        keras.Model,
        "make_predict_function",
        lambda self, force=False: seen.append(self.jit_compile),
    )
    model.make_predict_function()
    assert seen == [xla] and model.jit_compile == "auto"
