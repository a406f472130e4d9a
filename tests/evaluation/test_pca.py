import numpy as np
import pytest

from tf_bigan.evaluation import pca_features


def test_agrees_with_the_singular_vectors():
    rng = np.random.default_rng(0)
    train, test = rng.normal(3, 1, size=(40, 12)) @ rng.normal(size=(12, 12)), np.eye(12)
    features, test_features = pca_features(train, test, components=5)
    assert features.shape == (40, 5) and test_features.shape == (12, 5)
    _, values, vectors = np.linalg.svd(train - train.mean(axis=0))
    # The sign of a component is free.
    expected = (test - train.mean(axis=0)) @ vectors[:5].T
    np.testing.assert_allclose(abs(test_features), abs(expected), rtol=1e-9, atol=1e-9)
    np.testing.assert_allclose(np.linalg.norm(features, axis=0), values[:5], rtol=1e-9)


def test_images_and_repeatability():
    images = np.random.default_rng(1).random((600, 30, 30, 1)).astype(np.float32)
    first, second = (pca_features(images, images[:10], components=3) for _ in range(2))
    np.testing.assert_array_equal(first[0], second[0])
    np.testing.assert_allclose(first[0][:10], first[1], rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize(
    ("train", "other", "components", "message"),
    [
        (np.eye(4), np.eye(4), 5, r"^train: expected at least components=5 rows"),
        (np.ones((4, 4)), np.eye(4), 2, r"^train: expected rows that differ"),
        (np.eye(4), np.eye(3), 2, r"^others\[0\]: expected 4 values per row as in train, got 3"),
        (np.eye(4) * np.nan, np.eye(4), 2, r"^train: .* NaN"),
    ],
)
def test_bad_input(train, other, components, message):
    with pytest.raises(ValueError, match=message):
        pca_features(train, other, components=components)
