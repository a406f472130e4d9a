"""From a subject to its result: which models are measured on the same data."""

from types import SimpleNamespace

import pytest

from tf_bigan.errors import UserError
from tf_bigan.run.config import Config
from tf_bigan.run.results import load


def subject(**options):
    model = SimpleNamespace(image_shape=(8, 8, 1))
    return SimpleNamespace(load=lambda: model, config=Config(dataset="digits", **options))


def test_a_key_tells_other_training_images_apart_too():
    measurers = {}
    subjects = [subject(validation=20, seed=seed) for seed in (0, 0, 1)]
    first, same, other = (load(one, measurers, split="test", metrics=["EGr"]) for one in subjects)
    assert first.data_key == same.data_key and first.measurer is same.measurer
    assert other.data_key != first.data_key and other.measurer is not first.measurer
    assert (first.measurer.held_out.images == other.measurer.held_out.images).all()
    own = load(subjects[0], measurers, split=None, metrics=["EGr"])
    assert own.split == "validation" and len(own.measurer.held_out) == 20
    assert len(measurers) == 3


def test_a_model_for_other_images():
    with pytest.raises(UserError, match=r"for images of shape \(8, 8, 1\), but digits has \(4, 4"):
        load(subject(image_size="4"), {}, split=None, metrics=["EGr"])
