"""BiGANFeatures: the encoder's features, behind scikit-learn's interface."""

import os
import pickle

import keras
import numpy as np
import pandas as pd
import pytest
import tensorflow as tf
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline

import tf_bigan as tb
from tests.closeness import assert_close
from tests.small import IMAGE_SHAPE, LATENT, plain_networks
from tf_bigan.estimators import features
from tf_bigan.estimators.features import BiGANFeatures
from tf_bigan.run.config import Config
from tf_bigan.run.trained import load_trained
from tf_bigan.run.workdir import Workdir

RNG = np.random.default_rng(0)
BYTES = RNG.integers(0, 256, (30, *IMAGE_SHAPE), np.uint8)
FLOATS = BYTES / np.float32(255)
LABELS = np.arange(30) % 3


@pytest.fixture(scope="module")
def model():
    networks = {
        role: tb.networks.make("paper", role, image_shape=IMAGE_SHAPE, latent_dim=LATENT, width=16)
        for role in ("encoder", "generator", "discriminator")
    }
    for weight in networks["encoder"].weights:  # the batch variances too
        weight.assign(RNG.uniform(0.1, 0.5, weight.shape))
    model = tb.models.BiGAN(prior=tb.priors.Uniform(LATENT), **networks)
    model.compile(jit_compile=False)
    return model


@pytest.fixture(scope="module")
def file(model, tmp_path_factory):
    path = tmp_path_factory.mktemp("features") / "model.keras"
    model.save(path)
    return str(path)


@pytest.mark.parametrize("layer", ["e", "e-"])
def test_values_are_those_of_the_encoder(model, file, layer):
    wanted = np.array(model.encoder.features(FLOATS)[layer])
    for source in (model, file):
        for batch_size in (7, 256):
            rows = BiGANFeatures(source, layer=layer, batch_size=batch_size).fit_transform(FLOATS)
            assert rows.dtype == np.float32
            assert_close(rows, wanted)


def test_forms_and_ranges_of_images(model):
    wanted = BiGANFeatures(model).transform(FLOATS)
    for x in (BYTES, FLOATS.astype(np.float64), FLOATS.tolist()):
        for shape in ((30, 8, 8, 1), (30, 8, 8), (30, 64)):
            rows = BiGANFeatures(model).transform(np.asarray(x).reshape(shape))
            assert_close(rows, wanted)


def test_values_outside_of_the_range_by_rounding_are_accepted(model):
    beyond = np.where(FLOATS > 0.5, 1 + 5e-7, -5e-7)
    wanted = BiGANFeatures(model).transform(np.where(FLOATS > 0.5, 1.0, 0.0))
    np.testing.assert_array_equal(BiGANFeatures(model).transform(beyond), wanted)


def test_fit_refuses_the_types_that_transform_refuses(model):
    for method in ("fit", "transform"):
        with pytest.raises(ValueError, match="^X has dtype int64; "):
            getattr(BiGANFeatures(model), method)(BYTES.astype(np.int64))


def test_the_default_layer_is_the_last_hidden_one(model):
    assert BiGANFeatures(model).transform(FLOATS).shape == (30, 16)
    np.testing.assert_array_equal(
        BiGANFeatures(model).transform(FLOATS), BiGANFeatures(model, "e-").transform(FLOATS)
    )


@pytest.mark.smoke
def test_in_a_pipeline_and_a_grid_search(file):
    pipeline = make_pipeline(BiGANFeatures(file), LogisticRegression())
    assert pipeline.fit(BYTES, LABELS).predict(BYTES).shape == (30,)
    grid = {"biganfeatures__layer": ["e", "e-"]}
    search = GridSearchCV(pipeline, grid, cv=2, error_score="raise")
    search.fit(BYTES.reshape(30, -1), LABELS)
    assert search.n_features_in_ == 64
    small, large = (
        make_pipeline(BiGANFeatures(file, layer), LogisticRegression()).fit(BYTES, LABELS)
        for layer in ("e", "e-")
    )
    assert (small.n_features_in_, small[-1].n_features_in_, large[-1].n_features_in_) == (64, 5, 16)


def test_it_is_loaded_when_needed_and_once(file, monkeypatch):
    calls = []
    features._load_once.cache_clear()
    original = features.load
    monkeypatch.setattr(features, "load", lambda p: calls.append(p) or original(p))
    one = BiGANFeatures(file)
    others = [clone(one), pickle.loads(pickle.dumps(one)), BiGANFeatures(file, "e")]
    assert not calls
    for transformer in (one, *others):
        transformer.fit(BYTES).transform(BYTES)
    assert calls == [file]


def test_a_file_that_changed_is_loaded_anew(model, tmp_path):
    path = tmp_path / "model.keras"
    model.save(path)
    transformer = BiGANFeatures(path, "e")
    before = transformer.transform(BYTES)
    kernel = model.encoder.latent.kernel
    kernel.assign(2.0 * kernel)
    try:
        model.save(path)
    finally:
        kernel.assign(0.5 * kernel)
    assert_close(transformer.transform(BYTES), 2.0 * before)


def test_clones_share_a_model_and_pickles_hold_it(model):
    one = BiGANFeatures(model, "e").set_output(transform="default")
    other = clone(one)
    assert other.model is model and other.layer == "e"
    other.set_params(layer="e-").set_output(transform="pandas")
    assert one.layer == "e" and isinstance(one.transform(BYTES), np.ndarray)
    again = pickle.loads(pickle.dumps(one))
    assert again.model is not model
    assert_close(again.transform(BYTES), one.transform(BYTES))


def test_a_home_is_found(file, monkeypatch):
    directory, name = os.path.split(file)
    monkeypatch.setenv("HOME", directory)
    assert BiGANFeatures(f"~/{name}").fit(BYTES).transform(BYTES[:1]).shape[0] == 1


def test_names_and_frames(model):
    assert list(BiGANFeatures(model, "e").get_feature_names_out()) == [f"e_{i}" for i in range(5)]
    assert len(BiGANFeatures(model).get_feature_names_out()) == 16
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame(FLOATS.reshape(30, -1), index=range(100, 130))
    rows = BiGANFeatures(model, "e").set_output(transform="pandas").fit_transform(frame)
    assert list(rows.columns) == [f"e_{i}" for i in range(5)] and list(rows.index)[0] == 100
    np.testing.assert_array_equal(rows.to_numpy(), BiGANFeatures(model, "e").transform(BYTES))


def test_columns_keep_their_order(model):
    frame = pd.DataFrame(np.zeros((2, 64), np.float32)).rename(columns=str)
    features = BiGANFeatures(model).fit(frame)
    with pytest.raises(ValueError, match="feature names should match"):
        features.transform(frame[frame.columns[::-1]])
    assert not hasattr(clone(features), "feature_names_in_")


def test_without_its_model_it_is_shown_all_the_same():
    features = BiGANFeatures("/nowhere")
    assert "BiGANFeatures" in features._repr_html_() and not hasattr(features, "n_features_in_")


def test_of_a_run(model, tmp_path):
    workdir = Workdir(tmp_path)
    workdir.prepare(Config(dataset="digits"), {}, images=1)
    workdir.checkpoints.mkdir()
    model.save(workdir.model)
    assert load_trained(tmp_path)[1] == str(workdir.model)
    newer = workdir.checkpoints / "step-00000009.keras"
    model.save(newer)
    assert load_trained(tmp_path)[1] == str(newer)  # the run went on after model.keras
    wanted = BiGANFeatures(model).transform(BYTES)
    assert_close(BiGANFeatures(tmp_path).transform(BYTES), wanted)


@pytest.mark.parametrize(
    ("images", "message"),
    [
        (
            BYTES[:, :7],
            r"X: expected images \[N, 8, 8, 1\] or \[N, 64\] or \[N, 8, 8\], N > 0, got",
        ),
        (BYTES[0], "X: expected images"),
        (BYTES[:0], "X: expected images"),
        (BYTES.astype(np.int64), "X has dtype int64"),
        (FLOATS * 255, "X has values from"),
        (np.where(FLOATS > 0.9, np.nan, FLOATS), "X contains NaN"),
        (np.array([["a"] * 64]), "X has dtype <U1"),
    ],
)
def test_wrong_images(model, images, message):
    with pytest.raises(ValueError, match=message):
        BiGANFeatures(model).fit(images).transform(images)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"layer": "e_"}, "layer=e_: 'e_' is unknown; did you mean e"),
        ({"layer": "e+e_"}, "layer=e[+]e_: 'e_' is unknown; did you mean e"),
        ({"layer": "e+e"}, "layer=e[+]e: name each layer once"),
        ({"layer": "e+"}, "layer=e[+]: '' is unknown; choose one of e, e-"),
        ({"layer": "auto+e"}, "layer=auto[+]e: 'auto' is unknown; choose one of e, e-"),
        ({"layer": 3}, "layer=3: it must be a str"),
        ({"layer": "auto"}, "layer=auto is chosen by labels: call fit"),
        ({"pool": 0}, "pool=0: it must be an int in"),
        ({"batch_size": 0}, "batch_size=0: it must be an int in"),
        ({"model": "no.keras"}, "no.keras does not exist"),
        ({"model": None}, "model: expected a .keras file, a run directory or an Adversarial"),
    ],
)
def test_wrong_arguments(model, arguments, message):
    with pytest.raises(ValueError, match=message):
        BiGANFeatures(**{"model": model} | arguments).fit(BYTES)


def test_a_system_without_an_encoder(make_bigan):
    networks = {
        role: tb.networks.make("paper", role, image_shape=IMAGE_SHAPE, latent_dim=LATENT, width=8)
        for role in ("generator", "image_discriminator")
    }
    gan = tb.models.GAN(
        prior=tb.priors.Uniform(LATENT),
        generator=networks["generator"],
        discriminator=networks["image_discriminator"],
    )
    with pytest.raises(ValueError, match="GAN has no encoder, so it has no features"):
        BiGANFeatures(gan).fit(BYTES)


@keras.saving.register_keras_serializable("tests")
class PlacesEncoder(tb.networks.Network):
    """Its first maps [5, 3, 1] are a corner of the image, its second [4, 4, 2] pixels of it."""

    def __init__(self, image_shape=IMAGE_SHAPE, **kwargs):
        super().__init__({"image_shape": image_shape}, **kwargs)
        self.latent = keras.layers.Dense(LATENT)
        self(keras.Input(tuple(image_shape)))

    def features(self, x, training=False):
        total = tf.reduce_sum(x, (1, 2))
        seldom = x[:, ::2, ::2]
        return {
            "map1": x[:, :5, :3],
            "map2": tf.concat([seldom, 1.0 - seldom], -1),
            "e-": total,
            "e": self.latent(total),
            "still": 0.0 * total,
        }

    def call(self, x, training=False):
        return self.features(x, training)["e"]


@pytest.fixture(scope="module")
def places():
    networks = plain_networks() | {"encoder": PlacesEncoder()}
    return tb.models.BiGAN(prior=tb.priors.Uniform(LATENT), **networks)


def test_maps_are_averages_of_equal_areas(places):
    """Of five rows each half has two and a half, of three columns one and a half."""
    rows = np.array([[2, 2, 1, 0, 0], [0, 0, 1, 2, 2]]) / 5
    columns = np.array([[2, 1, 0], [0, 1, 2]]) / 3
    wanted = rows @ FLOATS[:, :5, :3, 0] @ columns.T
    found = BiGANFeatures(places, "map1", pool=2).transform(FLOATS)
    assert found.dtype == np.float32
    assert_close(found, wanted.reshape(30, 4))
    one = BiGANFeatures(places, "map1", pool=1).transform(FLOATS)
    assert_close(one[:, 0], FLOATS[:, :5, :3, 0].mean((1, 2)))
    # At most: three columns stay three.
    rows = np.array([[4, 1, 0, 0, 0], [0, 3, 2, 0, 0], [0, 0, 2, 3, 0], [0, 0, 0, 1, 4]]) / 5
    assert_close(
        BiGANFeatures(places, "map1").transform(FLOATS),
        (rows @ FLOATS[:, :5, :3, 0]).reshape(30, 12),
    )
    whole = BiGANFeatures(places, "map1", pool=None).transform(FLOATS)
    assert_close(whole, FLOATS[:, :5, :3].reshape(30, 15))


def test_layers_are_joined_in_their_order(places):
    joined = BiGANFeatures(places, "e-+map2+map1", pool=2, batch_size=7).fit(FLOATS)
    assert joined.layer_ == "e-+map2+map1"
    alone = [
        BiGANFeatures(places, layer, pool=2).transform(FLOATS) for layer in ("e-", "map2", "map1")
    ]
    assert_close(joined.transform(FLOATS), np.concatenate(alone, axis=1))
    names = list(joined.get_feature_names_out())
    assert [part.shape[1] for part in alone] == [1, 8, 4] and len(names) == 13
    assert names[:3] == ["e-_0", "map2_0", "map2_1"] and names[-1] == "map1_3"


def spots(count: int, left: int):
    """(images with a spot above or below of a column, which is which)."""
    labels = np.arange(count) % 2
    images = np.random.default_rng(2).uniform(0, 0.2, (count, *IMAGE_SHAPE))
    images[np.arange(count), np.where(labels, 4, 1), left] = 0.8
    return images, np.where(labels, "below", "above")


@pytest.mark.parametrize(("left", "layer"), [(1, "map1"), (6, "map2")])
def test_auto_is_the_layer_that_separates(places, left, layer):
    """The third column from the right is only in the second maps, if its row is an even one."""
    x, y = spots(40, left)
    if layer == "map2":
        x[:, ::2, ::2], x[:, 1::2] = x[:, 1::2, ::2] + 0.1, 0.0
    fitted = BiGANFeatures(places, "auto", pool=2).fit(x, y)
    assert fitted.layer_ == layer
    wanted = BiGANFeatures(places, layer, pool=2)
    np.testing.assert_array_equal(fitted.transform(x), wanted.transform(x))
    assert list(fitted.get_feature_names_out()) == list(wanted.get_feature_names_out())


@pytest.mark.slow
def test_auto_is_cloned_and_pickled_and_searched(places):
    x, y = spots(40, 1)
    fitted = BiGANFeatures(places, "auto").fit(x, y)
    copied = clone(fitted)
    assert copied.model is places and not hasattr(copied, "layer_")
    for method in (lambda: copied.transform(x), copied.get_feature_names_out):
        with pytest.raises(NotFittedError):
            method()
    assert pickle.loads(pickle.dumps(fitted)).layer_ == fitted.layer_ == "map1"
    pipeline = make_pipeline(BiGANFeatures(places, "auto"), LogisticRegression())
    grid = {"biganfeatures__layer": ["e-", "auto"]}
    search = GridSearchCV(pipeline, grid, cv=2, error_score="raise").fit(x, y)
    assert search.best_params_ == {"biganfeatures__layer": "auto"}
    assert search.best_estimator_[0].layer_ == "map1" and search.score(x, y) == 1.0


def test_auto_with_few_labels(places):
    x, y = spots(6, 1)
    y[0] = "once"  # left out of the choice
    assert BiGANFeatures(places, "auto").fit(x, y).layer_ == "map1"
    for labels in (np.arange(6), np.zeros(6), np.array([0, 1, 1, 1, 1, 1])):
        with pytest.raises(ValueError, match="layer=auto needs two classes with at least two"):
            BiGANFeatures(places, "auto").fit(x, labels)
    with pytest.raises(ValueError, match="inconsistent numbers of samples"):
        BiGANFeatures(places, "auto").fit(x, y[:5])
