"""The detector as an estimator: scikit-learn's own checks, its scores, and what it refuses."""

import pickle
import random
import typing
from types import SimpleNamespace

import keras
import numpy as np
import pytest
import tensorflow as tf
from scipy.spatial.distance import cdist
from sklearn.base import clone
from sklearn.datasets import load_digits
from sklearn.exceptions import NotFittedError
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import GridSearchCV, KFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import parametrize_with_checks

import tf_bigan as tb
from tests.closeness import assert_close
from tf_bigan import BiGANDetector
from tf_bigan.estimators.anomaly.components import Components
from tf_bigan.estimators.anomaly.hog import hog
from tf_bigan.estimators.anomaly.scorer import Scorer
from tf_bigan.estimators.anomaly.scores import HOG, PATCH, Criterion
from tf_bigan.estimators.anomaly.trained import TrainedSystem
from tf_bigan.export.formats import ONNX

SHAPES = ((8, 8, 1), np.array((8, 8, 1)))
TINY = {"width": 4, "latent_dim": 2, "epochs": 1, "random_state": 0}


# The system with the fewest networks: what is checked here is the same for all.
@pytest.mark.slow
@parametrize_with_checks([BiGANDetector("autoencoder", **TINY)])
def test_scikit_learns_checks(estimator, check, eagerly):
    check(estimator)


@pytest.fixture(scope="module")
def digits():
    """(digits, other digits, black on white ones): float32 [N, 8, 8, 1]."""
    images = (load_digits().images / 16).astype(np.float32)[..., None]
    return images[:1200], images[1200:1500], 1 - images[1500:]


@pytest.fixture(scope="module")
def fitted(digits):
    """A detector whose every score was fitted, but for ALAD's."""
    return BiGANDetector("bigan", width=64, latent_dim=8, epochs=30, random_state=0).fit(digits[0])


# --- scores -------------------------------------------------------------------------------


@pytest.mark.parametrize("system", [tb.models.BiGAN, tb.models.ALAD])
def test_measurements_are_those_of_the_networks(make_bigan, images, system):
    model = _tiny_alad() if system is tb.models.ALAD else make_bigan(system)
    measured = measure(model, images)
    z, x_rec = model.encode(images), model.reconstruct(images)
    assert_close(measured["code"], z)
    np.testing.assert_allclose(measured["size"], images.sum((1, 2, 3)), rtol=1e-5)
    np.testing.assert_allclose(
        measured["reconstruction"], np.abs(images - x_rec).sum((1, 2, 3)), rtol=1e-5
    )
    discriminator = model.discriminator_xz if "pairs" in measured else model.discriminator
    real, cycled = (discriminator.features([x, z]).numpy() for x in (images, x_rec))
    assert_close(measured["features"], np.abs(real - cycled).sum(1))
    probability = 1 / (1 + np.exp(-discriminator([x_rec, z]).numpy()[:, 0].astype(np.float64)))
    np.testing.assert_allclose(measured["cross_entropy"], -np.log(probability), rtol=1e-4)
    assert ("pairs" in measured) == (system is tb.models.ALAD)
    if "pairs" in measured:
        pairs = (np.concatenate([images, other], -1) for other in (images, x_rec))
        same, back = (model.discriminator_xx.features(pair).numpy() for pair in pairs)
        assert_close(measured["pairs"], np.abs(same - back).sum(1))


def test_measurements_are_those_of_the_average_of_the_weights(make_bigan, images):
    model = make_bigan(ema=0.9)
    rng = np.random.default_rng(2)
    for weight in model.average.trainable_variables:
        weight.assign(rng.normal(0, 0.2, weight.shape))
    measured = measure(model, images)
    assert_close(measured["code"], model.encode(images))
    assert np.abs(measured["code"] - model.encoder(images)).max() > 0.1


def measure(model, images):
    return {n: v.numpy() for n, v in TrainedSystem(model).measure(tf.constant(images)).items()}


def _tiny_alad():
    def make(role, **sizes):
        sizes = {"image_shape": (8, 8, 1), "width": 8} | sizes
        return tb.networks.make("paper", role, **sizes)

    model = tb.models.ALAD(prior=tb.priors.Normal(5), **tb.models.ALAD.make_networks(make, 5, None))
    model.compile(jit_compile=False)
    return model


def test_patch_scores_are_the_largest_and_the_mean_distance(fitted, digits):
    rows = digits[1][:5]
    parts = fitted._scorer.patches, fitted._scorer.map_patches
    large, small = (part.distances(tf.constant(rows)).numpy() for part in parts)
    found = fitted.anomaly_scores(rows)
    np.testing.assert_allclose(found["patch_distance"], large.max((1, 2)), rtol=1e-4)
    np.testing.assert_allclose(found["patch_mean"], small.mean((1, 2)), rtol=1e-4)
    assert small.shape != large.shape


def test_hog_scores_are_distances_of_histograms(fitted, digits):
    references, rows = fitted.reference_images(), digits[1][:9]
    trained = len(references) - len(fitted.held_out_scores_)
    every = edge_distances(rows, references, trained)
    found = fitted.anomaly_scores(rows)
    expected = np.sort(every, axis=1)[:, :3].mean(1)
    np.testing.assert_allclose(found["hog_distance"], expected, rtol=1e-3)


def edge_distances(rows, references, trained):
    """Distances of the principal components of the histograms, and of how much these leave out.

    The components are of the rows that were trained on, the first ones.
    """
    edges = hog(tf.constant(references))
    components = Components(edges.numpy()[:trained])
    return cdist(*map(components.coordinates_and_rest, (hog(tf.constant(rows)), edges)))


@pytest.mark.parametrize(
    "shape, combined",
    [
        ((16, 16, 1), {"pixel_distance", "pixel_density"}),
        ((17, 16, 1), {"hog_distance", "hog_density"}),
        ((17, 16, 3), {"pixel_distance", *PATCH, *HOG}),
    ],
)
def test_which_scores_are_combined(shape, combined):
    system: typing.Any = SimpleNamespace(model=SimpleNamespace(image_shape=shape))
    assert set(Scorer(system, None, 0.9).combined) == combined


# --- the detector -------------------------------------------------------------------------


def test_scores_separate_outliers_from_normal_rows(fitted, digits):
    _, normal, outliers = digits
    usual, unusual = fitted.anomaly_scores(normal), fitted.anomaly_scores(outliers)
    assert set(usual) == set(typing.get_args(Criterion)) - {"alad"}
    truth = np.repeat([0, 1], [len(normal), len(outliers)])
    areas = {n: roc_auc_score(truth, np.concatenate([usual[n], unusual[n]])) for n in usual}
    assert min(areas["pixel_distance"], areas["combined"]) > 0.99, areas
    assert areas["latent_distance"] > 0.9, areas  # the training is short and chaotic


def test_a_learning_rate_is_that_of_all_players():
    """Also where a system's defaults give some of them rates of their own."""
    detector = BiGANDetector("bigbigan", learning_rate=1e-5)
    detector.n_features_in_, detector.image_shape_, detector._is_table = 64, (8, 8, 1), False
    config = detector._config(100, seed=0)
    assert (config.learning_rate, config.player_rates) == (1e-5, None)


def test_signs_and_offset(fitted, digits):
    train, normal, _ = digits
    values = fitted.score_samples(normal)
    np.testing.assert_array_equal(values, -fitted.anomaly_scores(normal)["combined"])
    np.testing.assert_array_equal(fitted.decision_function(normal), values - fitted.offset_)
    np.testing.assert_array_equal(fitted.predict(normal) == -1, values < fitted.offset_)
    np.testing.assert_array_equal(fitted.decision_scores_, -fitted.score_samples(train))
    np.testing.assert_array_equal(fitted.labels_, fitted.predict(train) == -1)
    assert fitted.threshold_ == -fitted.offset_
    # By the held-out rows. The new ones were written by others.
    assert np.mean(fitted.held_out_scores_ > fitted.threshold_) == pytest.approx(0.05, abs=0.01)
    assert 0.02 < np.mean(fitted.predict(normal) == -1) < 0.25


def test_the_combined_score_of_images_does_not_need_the_training(eagerly):
    """So one pass is enough for it, and the reconstruction error tells the two systems apart."""
    images = np.random.default_rng(0).random((60, 17, 16, 1), np.float32)
    one, two = (
        BiGANDetector("autoencoder", **TINY | {"epochs": epochs, "learning_rate": 0.1}).fit(
            images[:50]
        )
        for epochs in (1, 2)
    )
    np.testing.assert_array_equal(one.score_samples(images[50:]), two.score_samples(images[50:]))
    first, second = (d.anomaly_scores(images[50:])["reconstruction"] for d in (one, two))
    assert np.abs(first - second).max() > 1e-4


def test_contamination_is_of_the_rows_of_fit(digits, eagerly):
    images = digits[0][:100]
    detector = BiGANDetector("autoencoder", contamination=0.2, **TINY).fit(images)
    assert detector.labels_.sum() == (detector.predict(images) == -1).sum() == 20


def test_probabilities_are_ranks_among_held_out_rows(fitted, digits):
    probabilities = fitted.predict_proba(digits[1])
    np.testing.assert_allclose(probabilities.sum(1), 1.0)
    scores_, held_out = -fitted.score_samples(digits[1]), fitted.held_out_scores_
    assert probabilities[7, 1] == ((held_out < scores_[7]).sum() + 0.5) / (len(held_out) + 1)
    assert 0.4 < probabilities[:, 1].mean() < 0.75  # most are usual, if from other writers
    assert fitted.predict_proba(digits[2])[:, 1].mean() > 0.95


@pytest.mark.parametrize("criterion", ["combined", "principal"])
def test_new_normal_rows_of_a_table_are_seldom_outliers(criterion, eagerly):
    """Columns' ranges and components are of the trained rows: of all, held-out rows look normal."""
    rng = np.random.default_rng(0)
    rows, new = rng.normal(size=(400, 50)), rng.normal(size=(2000, 50))
    detector = BiGANDetector("autoencoder", criterion=criterion, **TINY).fit(rows)
    assert 0.01 < np.mean(detector.predict(new) == -1) < 0.15  # of all: 0.2 to 0.5; 0.05 promised
    assert 0.01 < np.mean(detector.predict_proba(new)[:, 1] >= 0.95) < 0.15


def test_few_grey_images_are_enough_to_see_what_is_unlike_them(digits, eagerly):
    """Held-out images that the components of edges had seen would look far too normal."""
    images = np.kron(digits[0][:512], np.ones((1, 3, 3, 1), np.float32))  # 24×24: by edges
    detector = BiGANDetector("autoencoder", **TINY).fit(images[:40])
    assert detector._scorer.combined == ("hog_distance", "hog_density")
    assert np.mean(detector.predict(images[40:]) == -1) < 0.35  # ten held-out rows
    noise = np.random.default_rng(0).random((20, 24, 24, 1)).astype(np.float32)
    for strange in (noise, 1 - images[40:72]):
        assert np.mean(detector.predict(strange) == -1) > 0.9


def test_a_small_spot_in_colour_is_an_outlier(eagerly):
    """Between images that differ much in colour, distances of all pixels do not show it."""
    rng = np.random.default_rng(0)
    down, right = (place[..., None] / 24 for place in np.mgrid[:24, :24])
    slopes = rng.random((210, 3, 1, 1, 3))
    images = np.float32((slopes[:, 0] * down + slopes[:, 1] * right + slopes[:, 2]) / 3)
    detector = BiGANDetector("autoencoder", **TINY).fit(images[:150])
    assert np.mean(detector.predict(images[150:]) == -1) < 0.2
    spotted = images[150:]
    for image, (y, x) in zip(spotted, rng.integers(4, 16, (60, 2)), strict=True):
        image[y : y + 4, x : x + 4] = 0.5 + 0.3 * image[y : y + 4, x : x + 4, ::-1]
    assert np.mean(detector.predict(spotted) == -1) > 0.9


def test_the_threshold_allows_for_few_held_out_rows(eagerly):
    """Of n rows the k-th largest score is exceeded by k of n + 1 new rows, in the mean."""
    rows = np.random.default_rng(0).normal(size=(100, 4))
    detector = BiGANDetector("autoencoder", **TINY).fit(rows)
    *_, second, first = detector.held_out_scores_
    assert len(detector.held_out_scores_) == 25
    assert detector.threshold_ == pytest.approx(first - 0.3 * (first - second))  # 0.05 · 26 = 1.3
    few = BiGANDetector("autoencoder", **TINY).fit(rows[:20])
    assert few.threshold_ == pytest.approx(few.held_out_scores_[-1])
    by_number = BiGANDetector("autoencoder", contamination=0.25, **TINY).fit(rows)
    assert by_number.labels_.sum() == 25


def test_no_score_of_a_table_saturates(eagerly):
    rng = np.random.default_rng(0)
    rows, new = rng.normal(size=(60, 4)), rng.normal(size=(20, 4))
    rows[:, 3] = new[:, 3] = 7.0  # a constant column
    detector = BiGANDetector("bigan", **TINY).fit(rows)
    usual = detector.anomaly_scores(new)
    of_images = {"relative", "patch_distance", "patch_mean", "hog_distance", "hog_density"}
    assert set(usual) == set(typing.get_args(Criterion)) - {"alad", *of_images}
    previous = usual
    for column, value in [(1, 9.0), (1, -999.0), (1, 1e6), (3, 7.01)]:
        far = new.copy()
        far[:, column] = value
        found = detector.anomaly_scores(far)
        for name, values in found.items():
            assert (values > np.median(usual[name])).mean() > 0.9, (name, value)
            if column == 1:
                assert (values > previous[name]).mean() > 0.9, (name, value)
        assert (detector.predict(far) == -1).all()
        previous = found


def test_heat_maps(fitted, digits):
    heat = fitted.heat_map(digits[2][:5])
    assert heat.shape == (5, 8, 8) and heat.dtype == np.float32 and (heat >= 0).all()


def test_a_heat_map_of_a_training_image_is_by_the_others(fitted, digits):
    """As its score is: its own patches would leave nothing to see."""
    trained, new = (fitted.heat_map(images).mean() for images in (digits[0][:200], digits[1][:200]))
    assert 0.7 * new < trained < 1.2 * new


def test_parts_of_the_score(fitted, digits):
    parts = fitted.score_parts(digits[1][:20])
    assert set(parts) == {"pixel_distance", "pixel_density"}  # of small images
    np.testing.assert_allclose(
        np.mean(list(parts.values()), axis=0), -fitted.score_samples(digits[1][:20]), rtol=1e-12
    )


def test_the_nearest_images_are_those_of_the_score(fitted, digits):
    references = fitted.reference_images()
    np.testing.assert_array_equal(references, digits[0][fitted.reference_])
    assert sorted(fitted.reference_) == list(range(len(digits[0])))
    rows = np.concatenate([digits[1][:9], references[3:4]])
    distances, indices = fitted.kneighbors(rows)
    assert distances.shape == indices.shape == (10, 11)
    every = cdist(rows.reshape(10, -1), references.reshape(len(references), -1))
    np.testing.assert_allclose(distances, np.sort(every, axis=1)[:, :11], rtol=1e-5, atol=1e-5)
    np.testing.assert_allclose(np.take_along_axis(every, indices, 1), distances, atol=1e-5)
    assert indices[9, 0] == 3  # itself, which the score leaves out
    expected = [*distances[:9, :3].mean(1), distances[9, 1:4].mean()]
    np.testing.assert_allclose(fitted.anomaly_scores(rows)["pixel_distance"], expected, rtol=1e-5)


def assert_same_outliers(detector, rows, found):
    """But for a row of `fit` whose score is the threshold: rounding puts it on either side."""
    clear = np.abs(detector.decision_function(rows)) > 1e-3
    assert clear.sum() >= len(rows) - 2
    np.testing.assert_array_equal(found[clear], (detector.predict(rows) == -1)[clear])


@pytest.mark.slow
@pytest.mark.parametrize("images", [True, False])
def test_a_saved_model_scores_the_same(images, digits, tmp_path, eagerly):
    rows = digits[0][:40] if images else np.random.default_rng(0).normal(size=(40, 5))
    averaged = {"ema": 0.5}  # its networks are not those that were trained
    detector = BiGANDetector("autoencoder", options=averaged, **TINY).fit(rows)
    tf.config.run_functions_eagerly(False)
    detector.save_model(tmp_path / "detector")
    loaded = tf.saved_model.load(str(tmp_path / "detector"))
    found = loaded.signatures["serving_default"](rows=tf.constant(rows[:7]))
    assert_close(found["score"].numpy(), -detector.score_samples(rows[:7]))
    assert_same_outliers(detector, rows[:7], found["is_outlier"].numpy())
    with pytest.raises(tb.UserError, match="exists"):
        detector.save_model(tmp_path / "detector")
    if not images:
        with pytest.raises(tb.UserError, match="heat maps need images"):
            detector.heat_map(rows)
        with pytest.raises(tb.UserError, match="only detectors of images keep them"):
            detector.reference_images()


def test_a_home_is_found(tmp_path, monkeypatch):
    (tmp_path / "detector").mkdir()
    monkeypatch.setenv("HOME", str(tmp_path))
    detector = BiGANDetector()
    detector.offset_ = 0.0
    with pytest.raises(tb.UserError, match="detector exists"):
        detector.save_model("~/detector")


@pytest.mark.extra
@pytest.mark.parametrize("shape", [(17, 16, 1), (17, 6, 3), (5,)])
def test_an_onnx_file_scores_the_same(shape, tmp_path, eagerly):
    for module in ONNX.modules:
        pytest.importorskip(module, reason=f"{module} is not installed")
    import onnxruntime

    rng = np.random.default_rng(0)
    rows = rng.random((40, *shape), np.float32) if len(shape) == 3 else rng.normal(size=(40, 5))
    detector = BiGANDetector("autoencoder", **TINY).fit(rows)
    tf.config.run_functions_eagerly(False)
    detector.save_model(tmp_path / "detector.onnx")
    session = onnxruntime.InferenceSession(tmp_path / "detector.onnx")
    new = np.concatenate([rows[:3], rows[3:7] * 0.7])  # reference rows, and others
    score, is_outlier = session.run(["score", "is_outlier"], {"rows": new})
    np.testing.assert_allclose(score, -detector.score_samples(new), rtol=1e-4, atol=1e-4)
    assert_same_outliers(detector, new, is_outlier)
    with pytest.raises(tb.UserError, match="exists"):
        detector.save_model(tmp_path / "detector.onnx")


@pytest.mark.extra
def test_onnx_files_with_a_system_in_bfloat16(digits, tmp_path, eagerly):
    """Refused if the score is the system's; the default score is not."""
    for module in ONNX.modules:
        pytest.importorskip(module, reason=f"{module} is not installed")
    import onnxruntime

    options = {"precision": "mixed_bfloat16"}
    detectors = [
        BiGANDetector("autoencoder", criterion=criterion, options=options, **TINY).fit(
            digits[0][:20]
        )
        for criterion in ("reconstruction", "combined")
    ]
    with pytest.raises(tb.UserError, match=r"onnx has no products in bfloat16, which.*precision"):
        detectors[0].save_model(tmp_path / "detector.onnx")
    assert not list(tmp_path.iterdir())
    tf.config.run_functions_eagerly(False)
    detectors[1].save_model(tmp_path / "detector.onnx")
    session = onnxruntime.InferenceSession(tmp_path / "detector.onnx")
    rows = digits[0][20:25]
    found = session.run(["score"], {"rows": rows})[0]
    np.testing.assert_allclose(found, -detectors[1].score_samples(rows), rtol=1e-4, atol=1e-4)


def test_the_nearest_images_of_a_score_of_edges(eagerly):
    images = np.random.default_rng(0).random((40, 17, 16, 1), np.float32)
    detector = BiGANDetector("autoencoder", criterion="hog_distance", **TINY).fit(images)
    distances, indices = detector.kneighbors(images[:5])
    trained = 40 - len(detector.held_out_scores_)
    every = edge_distances(images[:5], images[detector.reference_], trained)
    np.testing.assert_array_equal(indices, every.argsort(1)[:, :11])
    np.testing.assert_allclose(distances, np.sort(every, axis=1)[:, :11], atol=1e-5)
    found = -detector.score_samples(images[:5])  # without the images themselves
    np.testing.assert_allclose(found, distances[:, 1:4].mean(1), rtol=1e-5)


def test_a_system_that_is_not_trained():
    with pytest.raises(NotFittedError):
        _ = BiGANDetector().model_
    assert not hasattr(BiGANDetector(), "model_")


def test_a_progress_bar(digits, eagerly, capsys):
    BiGANDetector("autoencoder", verbose=2, **TINY).fit(digits[0][:20])
    assert capsys.readouterr().out.startswith("1/1 - ")  # Keras's line of an epoch


def test_a_parameter_set_after_the_fit_changes_no_score(fitted, digits):
    before, (weight, criterion) = fitted.anomaly_scores(digits[1]), (fitted.weight, "combined")
    try:
        fitted.set_params(weight=0.2, criterion="relative", n_neighbors=1)
        after = fitted.anomaly_scores(digits[1])
        np.testing.assert_array_equal(fitted.score_samples(digits[1]), -before["combined"])
    finally:
        fitted.set_params(weight=weight, criterion=criterion, n_neighbors=10)
    for name, values in before.items():
        np.testing.assert_array_equal(after[name], values, err_msg=name)


def test_a_row_does_not_depend_on_its_company(fitted, digits):
    rows = digits[1][:300]  # more than a batch
    one_by_one = np.concatenate([fitted.score_samples(rows[i : i + 1]) for i in range(0, 300, 60)])
    assert_close(fitted.score_samples(rows)[::60], one_by_one, tol=1e-4)


def test_only_what_a_score_needs_is_computed(fitted):
    graph = tf.function(lambda rows: fitted._scorer.graph(rows)["hog_distance"])
    traced = graph.get_concrete_function(tf.TensorSpec((4, 8, 8, 1))).graph
    # Outputs of control run even if no result needs them, with all that they need.
    assert {operation.type for operation in traced.control_outputs} == {"ReadVariableOp"}


@pytest.mark.parametrize("one", [TINY, *({"image_shape": s} | TINY for s in SHAPES)])
def test_grey_images_need_no_channel(digits, eagerly, one):
    grey = digits[0][:40, :, :, 0]
    detector = BiGANDetector("autoencoder", **one).fit(grey)
    assert detector.image_shape_ == (8, 8, 1)
    np.testing.assert_array_equal(
        detector.score_samples(grey), detector.score_samples(grey[..., None])
    )


def test_images_flat_or_not_bytes_or_not(fitted, digits):
    bytes_ = np.round(digits[1][:20] * 255).astype(np.uint8)
    expected = fitted.score_samples(bytes_)
    assert_close(fitted.score_samples(bytes_ / 255), expected, tol=1e-4)
    assert_close(fitted.score_samples(bytes_.reshape(20, 64)), expected)


def test_pickles_score_the_same(fitted, digits):
    again = pickle.loads(pickle.dumps(fitted))
    system = TrainedSystem(fitted.model_)
    state = system.__getstate__()
    assert state["module"] == type(fitted.model_).__module__
    with pytest.raises(ModuleNotFoundError):  # which is imported, as it may be the user's own
        system.__setstate__(state | {"module": "no_such_module"})
    np.testing.assert_array_equal(again.predict(digits[2]), fitted.predict(digits[2]))
    assert_close(again.score_samples(digits[2]), fitted.score_samples(digits[2]))


def test_the_system_never_sees_the_held_out_rows(digits, monkeypatch, eagerly):
    seen = []
    train = BiGANDetector._train
    monkeypatch.setattr(
        BiGANDetector,
        "_train",
        lambda self, rows, *rest: seen.append(rows) or train(self, rows, *rest),
    )
    images = digits[0][:40]
    detector = BiGANDetector("autoencoder", criterion="reconstruction", **TINY).fit(images)
    (trained,) = seen
    rows = {row.tobytes() for row in trained}
    held_out = np.stack([image for image in images if image.tobytes() not in rows])
    assert (len(trained), len(held_out)) == (30, 10)  # a tenth, but 100, but a quarter at most
    np.testing.assert_allclose(
        detector.held_out_scores_, np.sort(-detector.score_samples(held_out)), rtol=1e-5
    )
    assert detector.model_.step.numpy() == 1


def test_copies_of_an_image_count_once(digits, eagerly):
    """A held-out image with a copy among the others would have a distance of 0 to the nearest."""
    images = digits[0][:40]
    detector = BiGANDetector("autoencoder", criterion="pixel_distance", **TINY)
    once = detector.fit(images).held_out_scores_
    copied = detector.fit(np.repeat(images, 3, axis=0)).held_out_scores_
    assert len(copied) == len(once) == 10 and copied.min() >= once.min() / 2 > 0
    two = detector.fit(np.repeat(images[:2], 3, axis=0))  # too few to leave any out
    assert len(two.labels_) == 6


@pytest.mark.slow
@pytest.mark.smoke
def test_seeded_fits_repeat_and_leave_the_global_generators_alone(digits, eagerly):
    def draw():
        of_tensorflow = [float(tf.random.normal(())), float(keras.random.normal(()))]
        return [random.random(), np.random.random(), *of_tensorflow]

    images = digits[0][:40]
    detector = BiGANDetector(criterion="feature_matching", **TINY)
    keras.utils.set_random_seed(5)
    first, wanted = draw(), draw()
    keras.utils.set_random_seed(5)
    assert draw() == first
    values = clone(detector).fit(images).score_samples(images)
    assert draw() == wanted
    again = clone(detector).fit(images)
    np.testing.assert_array_equal(again.score_samples(images), values)
    other = clone(detector).set_params(random_state=1).fit(images)
    kernel, others = (one.model_.encoder.trainable_variables[0].numpy() for one in (again, other))
    assert np.abs(kernel - others).max() > 1e-2  # they start with a deviation of .02


@pytest.mark.slow
def test_in_a_pipeline_in_a_grid(eagerly):
    rng = np.random.default_rng(0)
    rows = np.concatenate([rng.normal(size=(40, 3)), rng.normal(10, 1, size=(8, 3))])
    truth = np.repeat([1, -1], [40, 8])
    detector = BiGANDetector("autoencoder", **TINY)
    grid = GridSearchCV(
        make_pipeline(StandardScaler(), detector),
        {"bigandetector__criterion": ["reconstruction", "latent_distance"]},
        scoring="roc_auc",
        cv=KFold(2, shuffle=True, random_state=0),
        error_score="raise",
    ).fit(rows, truth)
    assert np.isfinite(grid.cv_results_["mean_test_score"]).all()
    assert set(grid.predict(rows)) == {1, -1}


def test_training_with_the_average_of_the_weights(fitted):
    assert fitted.model_.average is not None
    assert fitted.model_.ema == pytest.approx(1 - 20 / int(fitted.model_.step.numpy()))


# --- bad input ----------------------------------------------------------------------------

TABLE = np.random.default_rng(0).normal(size=(20, 6))
IMAGES = np.random.default_rng(0).random((20, 4, 4, 1), np.float32)


@pytest.mark.parametrize(
    "arguments, X, message",
    [
        ({}, TABLE[:3], "3 sample"),
        ({}, np.where(TABLE > 1, np.nan, TABLE), "X contains NaN"),
        ({}, np.where(TABLE > 1, np.inf, TABLE), "X contains infinity"),
        ({}, np.ones((20, 3)), "X: expected rows that differ"),
        ({}, TABLE[:, :, None, None, None], "dim 5"),
        ({}, np.array([["a", "b"]] * 20), "dtype"),
        ({}, IMAGES * 255, "X has values from 0"),
        ({}, (IMAGES * 255).astype(np.int64), "X has dtype int64"),
        ({}, np.zeros_like(IMAGES), "X: expected rows that differ"),
        ({"image_shape": (8, 8, 1)}, IMAGES, r"X: expected images \(8, 8, 1\), got \(4, 4, 1\)"),
        ({"image_shape": (4, 4, 1)}, TABLE, "X: expected rows of 16 values"),
        ({"image_shape": 4}, TABLE, "image_shape=4: it must be"),
        ({"criterion": "reconstructoin"}, TABLE, "criterion=.*did you mean reconstruction"),
        ({"criterion": "alad"}, TABLE, "criterion=alad is not possible for model=cycle_bigan on a"),
        ({"criterion": "relative"}, TABLE, "criterion=relative is not possible .* on a table"),
        ({"model": "gan"}, TABLE, "GAN has no encoder"),
        ({"model": "bigna"}, TABLE, "model=bigna is unknown.*did you mean bigan"),
        ({"networks": "mpl"}, TABLE, "networks=mpl is unknown"),
        ({"contamination": 0.6}, TABLE, "contamination=.*: it must be a float in"),
        ({"contamination": 0}, TABLE, "contamination=.*: it must be a float in"),
        ({"contamination": "none"}, TABLE, "contamination=.*: it must be a float in"),
        ({"false_alarm_rate": 1.0}, TABLE, "false_alarm_rate=.*: it must be a float in"),
        ({"verbose": 7}, TABLE, "verbose=7 is unknown"),
        ({"weight": -1}, TABLE, "weight=-1: it must be a float in"),
        ({"validation_fraction": 1.0}, TABLE, "validation_fraction=1.0: it must be a float in"),
        ({"n_neighbors": 0}, TABLE, "n_neighbors=0: it must be an int in"),
        ({"epochs": 0}, TABLE, "epochs=0: it must be an int in"),
        ({"batch_size": 0}, TABLE, "batch_size=0: it must be an int in"),
        ({"learning_rate": -1.0}, TABLE, "learning_rate=-1.0: it must be a float in"),
        ({"model": 3}, TABLE, "model=3: it must be a str"),
        ({"options": "ema"}, TABLE, "options='ema': it must be"),
        ({}, np.zeros((0, 4, 4, 1), np.float32), "0 sample"),
        ({}, np.zeros((20, 3, 8, 8), np.float32), r"seems to have the channels first: .*moveaxis"),
        ({"options": {"epsilom": 1}}, TABLE, "epsilom; did you mean epsilon"),
    ],
)
def test_bad_input_is_one_clear_error(arguments, X, message, eagerly):
    with pytest.raises(ValueError, match=message):
        BiGANDetector(**{**TINY, **arguments}).fit(X)


@pytest.mark.slow
def test_many_fits_in_a_process_bring_no_warnings_about_tracing(monkeypatch):
    """As in a cross-validation. TensorFlow counts the tracings of one piece of code."""
    from tensorflow.python.eager.polymorphic_function import polymorphic_function

    monkeypatch.setattr(polymorphic_function, "FREQUENT_TRACING_WARNING_THRESHOLD", 2)
    warnings = []
    monkeypatch.setattr(tf.get_logger(), "warning", lambda text, *_: warnings.append(text))
    for _ in range(2):
        BiGANDetector("autoencoder", **TINY).fit(TABLE).predict(TABLE)
    assert warnings == []


def test_images_for_a_detector_of_tables(eagerly):
    detector = BiGANDetector("autoencoder", **TINY).fit(TABLE)
    with pytest.raises(tb.UserError, match=r"^X: expected a table \[N, 6\], got \(1, 6, 1\)$"):
        detector.predict(TABLE[:1, :, None])


@pytest.mark.parametrize(
    "X, message",
    [
        (np.zeros((2, 9, 9, 1), np.float32), r"X: expected images \(8, 8, 1\)"),
        (np.zeros((2, 63), np.float32), "X has 63 features"),
        (np.full((2, 8, 8, 1), np.nan, np.float32), "X contains NaN"),
        (np.full((2, 8, 8, 1), 2.0, np.float32), "X has values from 2"),
    ],
)
def test_bad_rows_to_score(fitted, X, message):
    with pytest.raises(ValueError, match=message):
        fitted.predict(X)
