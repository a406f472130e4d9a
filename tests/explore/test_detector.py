"""What is said of an image is what the detector says, and what is no detector is refused."""

import pickle
import typing

import joblib
import numpy as np
import pytest
import tensorflow as tf
from PIL import Image
from sklearn.decomposition import PCA

import tf_bigan as tb
from tests.explore.conftest import TINY
from tf_bigan import BiGANDetector
from tf_bigan.data import decoding
from tf_bigan.estimators.anomaly.hog import hog
from tf_bigan.estimators.anomaly.scores import Criterion
from tf_bigan.explore.detector import markup
from tf_bigan.explore.detector.explorer import DetectorExplorer, load


@pytest.fixture
def odd(tmp_path):
    """A file with a bright spot, larger than the detector's images, and what training reads."""
    pixels = np.random.default_rng(1).integers(0, 120, (40, 50, 3), np.uint8)
    pixels[5:20, 30:45] = (255, 0, 255)
    path = tmp_path / "odd.jpg"
    Image.fromarray(pixels).save(path, quality=95)
    with decoding.open_picture(str(path)) as image:
        return path, decoding.decode(image, 1, (15, 18))[0]


@pytest.mark.slow
def test_every_number_is_the_detectors(detective, odd):
    path, row = odd
    picture = detective.fitting.read(path)
    np.testing.assert_array_equal(picture.pixels, row)
    changes = ("resized from 40 × 50 to 15 × 18", "its margins cut off", "converted to grey")
    assert picture.notes == changes
    found, detector, rows = detective.look(picture.pixels), detective.detector, row[None]
    assert found.score == pytest.approx(-detector.score_samples(rows)[0], rel=1e-5)
    assert found.probability == detector.predict_proba(rows)[0, 1]
    assert found.is_outlier == (detector.predict(rows)[0] == -1)
    assert found.values == {n: v[0] for n, v in detector.anomaly_scores(rows).items()}
    np.testing.assert_array_equal(found.heat, detector.heat_map(rows)[0])
    np.testing.assert_array_equal(found.x, row / np.float32(255))
    assert set(found.parts) == {"hog_distance", "hog_density"}
    assert np.mean(list(found.parts.values())) == pytest.approx(found.score, rel=1e-12)


def test_neighbours_are_by_edges_if_the_score_has_them(detective, photos):
    found = detective.look(photos[5], neighbours=4)
    edges = hog(tf.constant(detective.references)).numpy()
    pca = PCA(4, random_state=0).fit(edges[:18])  # the other six are held out
    left_out = np.linalg.norm(edges - pca.inverse_transform(pca.transform(edges)), axis=1)
    edges = np.append(pca.transform(edges), left_out[:, None], axis=1)
    every = np.linalg.norm(edges - edges[list(detective.detector.reference_).index(5)], axis=1)
    nearest = [n.index for n in found.neighbours]
    np.testing.assert_allclose(every[nearest], np.sort(every)[:4], atol=1e-6)
    np.testing.assert_allclose([n.distance for n in found.neighbours], every[nearest], atol=1e-5)
    assert found.neighbours[0].label == "5"  # the row of `fit`
    own = [n.distance for n in found.neighbours[1:]]
    assert found.values["hog_distance"] == pytest.approx(np.mean(own), rel=1e-4)


def test_the_page_shows_every_part_of_a_finding(detective, odd):
    found = detective.look(odd[1])
    html = markup.finding(detective, found, "<i>.jpg", ["resized"])
    title = "Outlier" if found.is_outlier else "Normal"
    assert f"<b>{title}</b>" in html and "&lt;i&gt;.jpg: resized." in html
    assert all(f"<b>{name}</b>" in html for name in found.parts)
    assert html.count("<img") == 2 + len(found.neighbours) == 10
    assert "By the distance between edges, among" in html
    assert "pixel_distance" in html.partition("Not in the score:")[2]
    assert "24 normal images of 15 × 18 × 1" in markup.heading(detective)
    assert set(markup.MEANINGS) == set(typing.get_args(Criterion))


@pytest.mark.parametrize(
    ("evidence", "said"), [(0.0, "100 %"), (0.5, "61 %"), (6.0, "0.25 %"), (30.0, "< 0.0001 %")]
)
def test_evidence_as_a_share(evidence, said):
    assert markup._percent(evidence) == said


def test_the_picture_is_grey_where_it_is_usual():
    x = np.full((1, 3, 3), (1, 0, 0), np.float32)
    seen = markup.overlay(x, np.array([[0.0, 1, 7]]), scale=1.0)
    np.testing.assert_allclose(seen[0, 0], 0.299, rtol=1e-6)
    assert seen[0, 1, 0] > 2 * seen[0, 1, 2]  # dark red
    np.testing.assert_array_equal(seen[0, 1], seen[0, 2])  # and no redder


def test_a_detector_that_keeps_no_images(photos):
    detector = BiGANDetector("autoencoder", criterion="reconstruction", **TINY).fit(photos)
    explorer = DetectorExplorer(detector)
    found = explorer.look(photos[0])
    assert found.heat is None and found.neighbours == [] and len(explorer.references) == 0
    assert found.parts == {"reconstruction": found.score}
    html = markup.finding(explorer, found, "x.png", ())
    assert html.count("<img") == 1 and "ln P" not in html


def test_files_of_joblib_and_pickle(detective, photos, tmp_path):
    detective.detector.reading_ = {"resize": "pad", "background": "navy"}
    joblib.dump(detective.detector, tmp_path / "a.joblib")
    (tmp_path / "a.pickle").write_bytes(pickle.dumps(detective.detector))
    detective.detector.reading_ = {}
    loaded = [load(tmp_path / name) for name in ("a.joblib", "a.pickle")]
    assert loaded[1].threshold_ == loaded[0].threshold_ == detective.detector.threshold_
    again = DetectorExplorer(loaded[0])
    assert (again.fitting.resize, again.fitting.background) == ("pad", "navy")
    np.testing.assert_array_equal(again.references, detective.references)


def test_pictures_are_read_only_in_supported_ways(detective, monkeypatch):
    for reading, message in (
        ({"image_size": 8}, "reading_={'image_size': 8}: it can have resize, one of crop"),
        ({"resize": "zoom"}, "reading_={'resize': 'zoom'}: it can have resize, one of crop"),
        ({"background": "whit"}, "background=whit is no colour"),
    ):
        monkeypatch.setattr(detective.detector, "reading_", reading)
        with pytest.raises(tb.UserError, match=message):
            DetectorExplorer(detective.detector)


def older() -> BiGANDetector:
    """As fitted by a version without `reference_` and `reading_`."""
    detector = BiGANDetector()
    detector.offset_ = -1.0
    return detector


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "No such file"),
        (b"", "is not a pickled BiGANDetector of this version \\(EOFError"),
        (b"no pickle", "is not a pickled BiGANDetector .* joblib.dump"),
        (pickle.dumps({}), "holds a dict, not a fitted BiGANDetector"),
        (pickle.dumps(BiGANDetector()), "holds a BiGANDetector that is not fitted"),
        (pickle.dumps(older()), "a BiGANDetector that an older version fitted: fit it again"),
    ],
)
def test_files_that_are_not_detectors_are_refused(tmp_path, content, message):
    path = tmp_path / "a.joblib"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(tb.UserError, match=message) as refusal:
        load(path)
    assert "\n" not in str(refusal.value)


@pytest.mark.parametrize(
    ("shape", "message"), [((1, 1, 7), "fitted on tables"), ((8, 8, 2), "images of 2 channels")]
)
def test_detectors_of_impossible_pictures_are_refused(shape, message):
    detector = BiGANDetector()
    detector.image_shape_ = shape
    with pytest.raises(tb.UserError, match=message):
        DetectorExplorer(detector)
