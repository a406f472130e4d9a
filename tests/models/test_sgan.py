"""SGAN's losses against NumPy with probabilities; few labels; its classes."""

import numpy as np
import pytest
import tensorflow as tf
from scipy.special import expit, softmax

from tests.closeness import assert_close
from tests.models.conftest import CLASSES, make_batch, make_system
from tf_bigan import networks
from tf_bigan.errors import UserError
from tf_bigan.models.sgan import SGAN


@pytest.mark.parametrize(
    ("real", "loss"), [("softmax", "logistic"), ("softmax", "minimax"), ("separate", "logistic")]
)
@pytest.mark.parametrize("few", [False, True])
def test_losses_against_numpy(few, real, loss):
    model = make_system("sgan", options={"set": f"supervised=0.7,real={real}", "loss": loss})
    batch = make_batch()
    # As many labelled rows as there happen to be.
    labelled = {k: v[:3] for k, v in batch.items() if k.startswith("labelled")}
    batch = {"image": batch["image"]} | (labelled if few else {"label": batch["label"]})
    z = model.prior.sample(8, 5)
    image, label = ("labelled_image", "labelled_label") if few else ("image", "label")
    p, p_fake, p_label = (
        probabilities(model, x) for x in (batch["image"], model.generator(z), batch[image])
    )
    y = batch[label].numpy()
    cross_entropy = -np.log(p_label[np.arange(len(y)), y]).mean()
    d = 0.7 * cross_entropy - np.log(1 - p[:, CLASSES]).mean() - np.log(p_fake[:, CLASSES]).mean()
    saturating = loss == "minimax"
    fooled = np.log(p_fake[:, CLASSES]) if saturating else -np.log(1 - p_fake[:, CLASSES])
    losses, logs = model.player_losses(batch, z, training=False)
    np.testing.assert_allclose(losses["D"], d, rtol=1e-5)
    np.testing.assert_allclose(losses["G"], fooled.mean(), rtol=1e-5)
    np.testing.assert_allclose(logs["cross_entropy"], cross_entropy, rtol=1e-5)
    np.testing.assert_array_equal(logs["accuracy_real"], p[:, CLASSES] < 0.5)


def probabilities(model, x):
    """Of the N classes and FAKE, [B, N + 1]."""
    logits = model.discriminator(x).numpy()
    if model.real == "softmax":
        return softmax(logits, -1)
    real = expit(logits[:, CLASSES:])
    return np.concatenate([real * softmax(logits[:, :CLASSES], -1), 1 - real], -1)


def test_the_certainty_of_classes_does_not_change_a_separate_real_logit():
    """So that a D whose classes become certain has the same gradient for G."""
    model = make_system("sgan real=separate")
    x = make_batch()["image"]
    real, classes = model._judgement(x, training=False)
    for weight in model.discriminator.logit.weights:
        weight.assign(weight * ([1e3] * CLASSES + [1]))
    found, others = model._judgement(x, training=False)
    assert_close(found, real)
    assert_close(others, 1e3 * classes.numpy(), tol=1e-2)


def test_consistency_entropy_and_balance_of_all_images(monkeypatch):
    """Two views of an image should be classified alike, with certainty, and images variously."""
    weights = {"consistency": 1e4, "entropy": 0.25, "balance": 3.0}
    options = ",".join(f"{name}={weight}" for name, weight in weights.items())
    plain, model = (make_system("sgan", options={"set": s}) for s in (None, options))
    batch = {k: v for k, v in make_batch().items() if not k.startswith("labelled")}
    z = model.prior.sample(8, 5)
    other = model._judgement(batch["image"][:, :, ::-1], training=False)
    monkeypatch.setattr(SGAN, "_of_another_view", lambda *arguments: other)
    p, q = (
        softmax(model.class_logits(batch["image"], training=False).numpy(), -1),
        softmax(other[1], -1),
    )
    wanted = 1e4 * ((p - q) ** 2).sum(-1).mean() - 0.25 * (p * np.log(p)).sum(-1).mean()
    wanted += 3.0 * (p.mean(0) * np.log(p.mean(0))).sum()
    losses, _ = model.player_losses(batch, z, training=False)
    without, _ = plain.player_losses(batch, z, training=False)
    assert_close(losses["D"] - without["D"], wanted, tol=1e-3)
    assert_close(losses["G"], without["G"])


def test_the_views_of_an_image_are_augmented_apart():
    """By `views`, and else by the augmentation of D's other images."""
    x = make_batch()["image"]
    for options in ({"augmentation": "cutout"}, {"augmentation": "none", "set": "views=cutout"}):
        check_views(make_system("sgan", options=options), x)


def check_views(model, x):
    model.random.begin(tf.constant([1, 2]), rows=len(x))
    one, other = (model._of_another_view(x, training=True)[1].numpy() for _ in range(2))
    assert np.abs(one - other).max() > 1e-4
    assert_close(model._of_another_view(x, training=False)[1], model.class_logits(x, False))


def test_moving_statistics_leave_the_views_out():
    """Those of a D with batch norm are of the images that it is asked about as they are."""
    x = make_batch()["image"]
    discriminator = networks.make(
        "paper", "image_discriminator", image_shape=(8, 8, 1), outputs=CLASSES + 1, norm="batch"
    )
    made = make_system("sgan")
    model = SGAN(made.generator, discriminator, made.prior, consistency=1.0, views="color")
    model.compile(jit_compile=False)
    weights = discriminator.non_trainable_weights
    start = [w.numpy() for w in weights]
    model.random.begin(tf.constant([1, 2]), rows=8)
    model.player_losses(make_batch(), model.prior.sample(8, 5), training=True)
    found = [w.numpy() for w in weights]
    for weight, value in zip(weights, start, strict=True):
        weight.assign(value)
    discriminator(x, training=True)
    assert weights
    for after, weight in zip(found, weights, strict=True):
        assert_close(after, weight.numpy())


def test_it_classifies_by_the_classes_of_the_labels():
    model, x = make_system("sgan"), make_batch()["image"].numpy()
    logits = model.discriminator(x).numpy()
    assert logits.shape == (8, CLASSES + 1)
    assert_close(model.classify(x), softmax(logits[:, :CLASSES], -1))


def test_data_without_labels_is_refused():
    with pytest.raises(UserError, match="labels"):
        SGAN.make_networks(lambda *a, **k: None, 5, None)
