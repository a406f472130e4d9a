"""The same images and features through torch-fidelity, with a feature extractor of our own."""

import sys
from unittest.mock import MagicMock

import numpy as np
import pytest

from tf_bigan.evaluation import classifier_score, frechet_distance, prdc
from tf_bigan.evaluation.kernel_distance import _unbiased_mmd2

N, K = 300, 3
NAME = "pixels_as_they_are"

pytestmark = pytest.mark.extra


@pytest.fixture(scope="module")
def fidelity():
    """torch-fidelity without torchvision.

    The torchvision of PyPI is built for CUDA: beside a CPU build of torch its import fails. Only
    data sets and networks that are not used here need it.
    """
    stub = MagicMock(CIFAR10=object, CIFAR100=object, STL10=object)
    parts = ("", ".datasets", ".transforms", ".transforms.functional")
    with pytest.MonkeyPatch.context() as patch:
        for part in parts:
            patch.setitem(sys.modules, f"torchvision{part}", stub)
        why = 'torch-fidelity is not installed: pip install -e ".[dev]"'
        return pytest.importorskip("torch_fidelity", reason=why)


@pytest.fixture(scope="module")
def both(fidelity):
    """(features of samples, features of real images, what torch-fidelity says of them)."""
    import torch

    class Pixels(fidelity.FeatureExtractorBase):
        """uint8 [B, 3, H, W] -> its values, 0 to 255, as features and as logits."""

        def __init__(self, name, features_list, **kwargs):
            super().__init__(name, features_list)

        @staticmethod
        def get_provided_features_list():
            return ("values",)

        @staticmethod
        def get_default_feature_layer_for_metric(metric):
            return "values"

        @staticmethod
        def can_be_compiled():
            return False

        def forward(self, images):
            return (images.flatten(1).double() / 64,)

    class Images(torch.utils.data.Dataset):
        def __init__(self, images):
            self.images = torch.from_numpy(images)

        def __len__(self):
            return len(self.images)

        def __getitem__(self, row):
            return self.images[row]

    rng = np.random.default_rng(0)
    real = rng.integers(0, 200, (N, 3, 2, 2), np.uint8)
    samples = (0.8 * rng.integers(0, 200, (N, 3, 2, 2)) + 30).astype(np.uint8)
    fidelity.register_feature_extractor(NAME, Pixels)
    theirs = fidelity.calculate_metrics(
        input1=Images(samples),
        input2=Images(real),
        feature_extractor=NAME,
        **{metric: True for metric in ("fid", "kid", "isc", "prc")},
        kid_subsets=1,
        kid_subset_size=N,
        isc_splits=1,
        prc_neighborhood=K,
        cuda=False,
        cache=False,
        save_cpu_ram=True,
        verbose=False,
        batch_size=64,
    )
    features = [images.reshape(N, -1).astype(np.float32) / 64 for images in (samples, real)]
    return *features, theirs


def test_frechet_distance(both):
    samples, real, theirs = both
    ours = frechet_distance(real, samples)
    assert ours == pytest.approx(theirs["frechet_inception_distance"], rel=1e-9)


def test_kernel_distance(both):
    samples, real, theirs = both
    ours = _unbiased_mmd2(real.astype(np.float64), samples.astype(np.float64))
    assert ours == pytest.approx(theirs["kernel_inception_distance_mean"], rel=1e-9)


def test_precision_and_recall(both):
    samples, real, theirs = both
    ours = prdc(real, samples, k=K)
    assert ours.precision == pytest.approx(theirs["precision"], abs=1e-6)
    assert ours.recall == pytest.approx(theirs["recall"], abs=1e-6)
    assert 0.05 < ours.precision < 1 and 0.05 < ours.recall < 1  # or the two would say nothing


def test_classifier_score(both):
    samples, _, theirs = both
    unnormalised = np.exp(samples.astype(np.float64))
    ours = classifier_score(unnormalised / unnormalised.sum(1, keepdims=True))
    assert ours == pytest.approx(theirs["inception_score_mean"], rel=1e-9)
