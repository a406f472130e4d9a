import numpy as np
import pytest

from tf_bigan.evaluation import Inputs, class_agreement, compute
from tf_bigan.evaluation.registry import METRICS


def test_by_hand():
    of_x = [[0.6, 0.4, 0], [0.1, 0.5, 0.4], [0.2, 0.3, 0.5], [0.4, 0.3, 0.3], [0, 0.1, 0.9]]
    of_rec = [[0.5, 0.1, 0.4], [0, 0.4, 0.6], [0, 0, 1], [0.5, 0.5, 0], [1, 0, 0]]
    # Classes 0, 1, 2, 0, 2 and 0, 2, 2, 0, 0; the fourth is a tie, of which the first counts.
    assert class_agreement(of_x, of_rec) == 60
    assert class_agreement(of_x, of_x) == 100
    # Each class is another one after a rotation.
    assert class_agreement(np.eye(10), np.roll(np.eye(10), 1, axis=0)) == 0
    # One reconstruction for all images keeps the share of its class.
    assert class_agreement(of_x, np.tile([0.0, 0.0, 1.0], (5, 1))) == 40


@pytest.mark.parametrize(
    ("of_x", "of_rec", "message"),
    [
        (np.eye(3), np.eye(3)[:2], r"^probabilities_rec: expected the shape .*\(3, 3\), got \(2, "),
        (np.eye(3), np.eye(4)[:3], r"^probabilities_rec: expected the shape .*\(3, 3\), got \(3, "),
        (np.eye(3), np.full((3, 3), np.nan), r"^probabilities_rec: .* NaN"),
        (np.ones((2, 2)), np.eye(2), r"^probabilities: .* sum to 1"),
        (np.zeros(3), np.zeros(3), r"^probabilities: expected class probabilities \[N, K\]"),
    ],
)
def test_bad_input(of_x, of_rec, message):
    with pytest.raises(ValueError, match=message):
        class_agreement(of_x, of_rec)


def brightness(images):
    """Of three classes: the nearest of the mean pixels 0, 1/2 and 1; and features, not used."""
    near = np.rint(2 * images.mean(axis=(1, 2, 3))).astype(int)
    return np.zeros((len(images), 1)), np.eye(3)[near]


X = np.ones((6, 2, 2, 1), np.float32) * np.reshape([0, 0.1, 0.4, 0.6, 0.9, 1], (-1, 1, 1, 1))


def measured(reconstruct, **without):
    data = {"held_out": X.astype(np.float32), "held_out_labels": np.array([2, 0, 1, 1, 0, 2])}
    model = {"train": X, "train_labels": np.arange(6), "encode": lambda x: {"e": x},
             "generate": lambda z: z, "z": np.zeros((1, 1)), "classifier": brightness}  # fmt: skip
    inputs = Inputs(**data | model | {"reconstruct": reconstruct} | without)
    return compute(["class_agreement"], inputs)


def test_of_a_model():
    """The classes of x are 0, 0, 1, 1, 2, 2 whatever the labels say."""
    assert measured(lambda x: x) == ({"class_agreement": 100}, {})
    assert measured(lambda x: 1 - x)[0] == {"class_agreement": pytest.approx(100 / 3)}
    # .4 / 2 is of class 0, all brighter ones of class 1.
    assert measured(lambda x: x / 2)[0] == {"class_agreement": 50}
    # .6 / 1.25 is of class 1, .9 / 1.25 of class 1 and 1 / 1.25 of class 2.
    assert measured(lambda x: x / 1.25)[0] == {"class_agreement": pytest.approx(500 / 6)}


def test_blocks_are_compared_with_their_own_images(monkeypatch):
    monkeypatch.setattr("tf_bigan.evaluation.inputs._BLOCK_VALUES", 8)  # two images
    assert measured(lambda x: x / 1.25)[0] == {"class_agreement": pytest.approx(500 / 6)}


def test_what_it_needs():
    for part, text in (("encode", "an encoder"), ("generate", "a generator"),
                       ("classifier", "a classifier of the images")):  # fmt: skip
        assert measured(lambda x: x, **{part: None})[1] == {"class_agreement": f"needs {text}"}
    assert METRICS["class_agreement"].better == "higher"
    _, left_out = measured(lambda x: x * np.nan)
    assert "reconstructions: expected finite values" in left_out["class_agreement"]
    _, left_out = measured(lambda x: x[:, :1])
    assert "reconstructions: expected the shape" in left_out["class_agreement"]
