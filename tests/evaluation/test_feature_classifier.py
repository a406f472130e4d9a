import subprocess
import sys

import keras
import numpy as np
import pytest
from sklearn.datasets import load_digits

from tests.closeness import assert_close
from tf_bigan.errors import UserError
from tf_bigan.evaluation import fd_classifier, frechet_distance, train_feature_classifier
from tf_bigan.evaluation import feature_classifier as module

IMAGES, LABELS = load_digits(return_X_y=True)
IMAGES = (IMAGES / 16).astype(np.float32).reshape(-1, 8, 8, 1)
TRAIN = IMAGES[:1200], LABELS[:1200]


@pytest.fixture(scope="module")
def classifier():
    return train_feature_classifier(*TRAIN, steps=300)


def test_it_learns_the_digits(classifier):
    features, probabilities = classifier(IMAGES[1200:])
    assert features.shape == (597, 64) and features.dtype == np.float32
    assert probabilities.shape == (597, 10) and probabilities.dtype == np.float32
    np.testing.assert_allclose(probabilities.sum(axis=1), 1, rtol=1e-5)
    accuracy = 100 * np.mean(classifier.classes[probabilities.argmax(axis=1)] == LABELS[1200:])
    # Of three seeds 92 to 94, by other writers than those of the training images, and 97.5 to 98.3.
    assert accuracy > 85
    assert classifier.accuracy > 92


def test_accuracy_is_that_of_the_images_kept_from_training(classifier):
    rows = np.random.default_rng(0).permutation(1200)[:120]
    _, probabilities = classifier(IMAGES[rows])
    expected = 100 * np.mean(probabilities.argmax(axis=1) == LABELS[rows])
    assert classifier.accuracy == pytest.approx(expected)
    # Their labels are not learnt from: with these wrong, none of them is classified so.
    wrong = LABELS[:1200].copy()
    wrong[rows] = (wrong[rows] + 1) % 10
    assert train_feature_classifier(TRAIN[0], wrong, steps=300).accuracy < 5


def test_the_arguments_decide_and_nothing_else(classifier, eagerly):
    def digest(seed=0, steps=2):
        return train_feature_classifier(*TRAIN, seed=seed, steps=steps).digest

    expected = digest()
    keras.utils.set_random_seed(5)
    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        assert digest() == expected
    finally:
        keras.config.set_dtype_policy("float32")
    before = np.random.get_state()[1].copy()
    assert len({expected, digest(seed=1), digest(steps=3), classifier.digest}) == 4
    np.testing.assert_array_equal(np.random.get_state()[1], before)


def test_features_of_the_penultimate_layer(classifier):
    features, probabilities = classifier(IMAGES[:50])
    kernel, bias = classifier.model.layers[-1].get_weights()
    logits = features @ kernel + bias
    expected = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    assert_close(probabilities, expected)


def test_blocks_do_not_matter(classifier, monkeypatch):
    import tf_bigan.evaluation.feature_classifier as module

    whole = classifier(IMAGES[:50])
    monkeypatch.setattr(module, "_BLOCK_PIXELS", 7 * 64)
    for blocks, expected in zip(classifier(IMAGES[:50]), whole, strict=True):
        assert_close(blocks, expected)


@pytest.mark.parametrize("shape", [(1, 1, 1), (5, 30, 3), (33, 16, 2)])
def test_any_image_size(shape, eagerly):
    rng = np.random.default_rng(0)
    labels = np.array([4, -7])[rng.integers(0, 2, 64)]
    images = rng.random((64, *shape)).astype(np.float32) * (0.2 + 0.8 * (labels == 4))[
        :, None, None, None
    ].astype(np.float32)
    trained = train_feature_classifier(images, labels, steps=3)
    assert trained.classes.tolist() == [-7, 4]
    assert trained(images[:2])[1].shape == (2, 2)


def test_the_file_gives_the_same_classifier(tmp_path, eagerly):
    path = tmp_path / "classifier.keras"
    arguments = {"steps": 25, "path": path}
    first = train_feature_classifier(*TRAIN, **arguments)
    written = path.stat().st_mtime_ns
    second = train_feature_classifier(*TRAIN, **arguments)
    assert path.stat().st_mtime_ns == written  # nothing was trained
    assert (second.digest, second.accuracy) == (first.digest, first.accuracy)
    np.testing.assert_array_equal(second(IMAGES[:9])[0], first(IMAGES[:9])[0])
    assert [file.name for file in tmp_path.iterdir()] == ["classifier.keras"]

    for images, labels, change in [
        (TRAIN[0][:-1], TRAIN[1][:-1], {}),
        (TRAIN[0], TRAIN[1][::-1], {}),
        (*TRAIN, {"seed": 1}),
        (*TRAIN, {"steps": 24}),
    ]:
        with pytest.raises(ValueError, match=r"^path=.* of other images, labels, seed or steps"):
            train_feature_classifier(images, labels, **{**arguments, **change})
    path.write_bytes(b"no model")
    with pytest.raises(ValueError, match=r"^path=.* cannot be read: remove it to train again$"):
        train_feature_classifier(*TRAIN, **arguments)


def test_a_directory_keeps_a_file_for_each_set_of_arguments(tmp_path, eagerly):
    digests = [
        train_feature_classifier(*TRAIN, steps=1, seed=seed, path=tmp_path / "kept").digest
        for seed in (0, 1, 0)
    ]
    assert digests[0] == digests[2] != digests[1]
    assert len(list((tmp_path / "kept").iterdir())) == 2


def test_the_type_of_labels_does_not_matter(tmp_path, eagerly):
    path = tmp_path / "classifier.keras"
    images, labels = TRAIN[0][:100], TRAIN[1][:100]
    first = train_feature_classifier(images, labels.astype(np.uint8), steps=1, path=path)
    again = train_feature_classifier(images, labels.tolist(), steps=1, path=path)
    assert again.digest == first.digest


def test_a_place_that_cannot_be_written_is_known_before_the_training(tmp_path, monkeypatch):
    monkeypatch.setattr(module, "_train", lambda *arguments: pytest.fail("it has trained"))
    (tmp_path / "file").touch()
    for path in (tmp_path / "file", tmp_path / "file" / "classifier.keras"):
        with pytest.raises(UserError, match="^cannot write .*: Not a directory"):
            train_feature_classifier(*TRAIN, path=path)


_TRAINS = """
import sys
import numpy as np
from sklearn.datasets import load_digits
from tf_bigan.evaluation import train_feature_classifier

images, labels = load_digits(return_X_y=True)
images = (images / 16).astype(np.float32).reshape(-1, 8, 8, 1)
print("ready", flush=True)
sys.stdin.readline()
for seed in range(4):
    trained = train_feature_classifier(
        images[:200], labels[:200], seed=seed, steps=1, path=sys.argv[1]
    )
    print(trained.digest)
"""


@pytest.mark.slow
def test_two_processes_may_use_one_directory(tmp_path):
    command = [sys.executable, "-c", _TRAINS, str(tmp_path / "kept")]
    pipe = subprocess.PIPE
    both = [subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True) for _ in range(2)]
    for process in both:
        assert process.stdout.readline() == "ready\n"
    for process in both:  # at the same time
        process.stdin.write("go\n")
        process.stdin.flush()
    digests = [process.communicate()[0].split() for process in both]
    assert [process.returncode for process in both] == [0, 0]
    assert digests[0] == digests[1] and len(set(digests[0])) == 4
    kept = list((tmp_path / "kept").iterdir())
    assert len(kept) == 4 and all(file.suffix == ".keras" for file in kept)


def test_fd_classifier(classifier):
    a, b = IMAGES[:300], IMAGES[300:500]
    expected = frechet_distance(classifier(a)[0], classifier(b)[0])
    assert fd_classifier(classifier, a, b) == pytest.approx(expected, rel=1e-5)
    assert fd_classifier(classifier, a, a) < 1e-3
    noise = np.random.default_rng(0).random(b.shape, np.float32)
    assert fd_classifier(classifier, a, noise) > 3 * expected  # of three seeds 7 to 12 times


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"images": IMAGES[:40] * 16}, r"^images has values from 0 to 16"),
        ({"images": IMAGES[:40, :, :, 0]}, r"^images: expected non-empty images"),
        ({"images": IMAGES[:40] * np.nan}, r"^images: .* NaN"),
        ({"labels": LABELS[:39]}, r"^labels: expected 40 labels"),
        ({"labels": LABELS[:40] * 0}, r"^labels: expected at least 2 classes, found \[0\]"),
        ({"images": IMAGES[:19], "labels": LABELS[:19]}, r"^images: expected at least 20, got 19"),
        ({"steps": 0}, r"^steps=0: it must be an int in"),
        ({"seed": -1}, r"^seed=-1: it must be an int in"),
        ({"path": "classifier.h5"}, r"^path=classifier.h5: give a name that ends in \.keras"),
    ],
)
def test_bad_input(change, message):
    with pytest.raises(ValueError, match=message):
        train_feature_classifier(**{"images": IMAGES[:40], "labels": LABELS[:40], **change})


def test_bad_images(classifier):
    with pytest.raises(ValueError, match=r"^images: expected \(8, 8, 1\) as the classifier"):
        classifier(np.zeros((2, 8, 9, 1)))
    with pytest.raises(ValueError, match=r"^images_b: expected images \(8, 8, 1\) as in images_a"):
        fd_classifier(classifier, IMAGES[:5], np.zeros((2, 4, 4, 1)))
