"""Triple-GAN's losses against NumPy with probabilities, with many and with few labels."""

import numpy as np
import pytest
import tensorflow as tf
from scipy.special import softmax

from tests.closeness import assert_close
from tests.models.conftest import CLASSES, make_batch, make_system
from tf_bigan.errors import UserError
from tf_bigan.models.triple_gan import TripleGAN

SETTINGS = "entropy=0.4,balance=0.2,pseudo=0.6,pseudo_after=10,predicted_share=0.25"


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def cross_entropy(target, p):
    return -np.mean(np.sum(target * np.log(p), -1))


@pytest.mark.parametrize("step", [9, 10])
@pytest.mark.parametrize("few", [False, True])
def test_losses_against_numpy(few, step):
    model, batch = make_system("triple_gan", options={"set": SETTINGS}), make_batch()
    model.step.assign(step)
    # As many labelled rows as there happen to be; or none apart from the others.
    labelled = {k: v[:3] for k, v in batch.items() if k.startswith("labelled")}
    batch = {"image": batch["image"]} | (labelled if few else {"label": batch["label"]})
    x, z = batch["image"], model.prior.sample(8, 5)
    image, label = ("labelled_image", "labelled_label") if few else ("image", "label")
    one_hot = np.eye(CLASSES, dtype=np.float32)
    y_real, y_fake = one_hot[batch[label].numpy()], z.numpy()[:, -CLASSES:]
    fake = model.generator(z)
    p, p_fake, p_real = (softmax(model.classifier(v).numpy(), -1) for v in (x, fake, batch[image]))
    y_guess = one_hot[p.argmax(-1)]
    d_real, d_guess, d_fake = (
        sigmoid(model.discriminator(pair).numpy())[:, 0]
        for pair in ([batch[image], y_real], [x, y_guess], [fake, y_fake])
    )
    d = -0.75 * np.log(d_real).mean() - 0.25 * np.log(d_guess).mean()
    d += -0.5 * np.log(1 - d_guess).mean() - 0.5 * np.log(1 - d_fake).mean()
    c = -0.5 * np.mean(p.max(-1) * np.log(d_guess)) + cross_entropy(y_real, p_real)
    c += 0.4 * cross_entropy(p, p) - 0.2 * np.mean(np.log(p.mean(0)))
    if step >= 10:
        c += 0.6 * cross_entropy(y_fake, p_fake)
    losses, _ = model.player_losses(batch, z, training=False)
    np.testing.assert_allclose(losses["D"], d, rtol=1e-5)
    np.testing.assert_allclose(losses["G"], -0.5 * np.log(d_fake).mean(), rtol=1e-5)
    np.testing.assert_allclose(losses["C"], c, rtol=1e-5)


def test_consistency_of_all_images(monkeypatch):
    plain, model = (
        make_system("triple_gan", options={"set": s})
        for s in (SETTINGS, f"{SETTINGS},consistency=1e4")
    )
    batch = make_batch()
    x, z = batch["image"], model.prior.sample(8, 5)
    others = {id(x): x[:, :, ::-1]}
    monkeypatch.setattr(
        TripleGAN,
        "_guess_of_a_view",
        lambda self, images, training: self.classifier(others.get(id(images), images)),
    )
    p, q = (softmax(model.classifier(v).numpy(), -1) for v in (x, x[:, :, ::-1]))
    losses, _ = model.player_losses(batch, z, training=False)
    without, _ = plain.player_losses(batch, z, training=False)
    wanted = 1e4 * ((p - q) ** 2).sum(-1).mean()
    assert_close(losses["C"] - without["C"], wanted, tol=1e-3)
    for player in ("D", "G"):
        assert_close(losses[player], without[player])


def test_the_classifier_sees_two_views_of_an_image(monkeypatch):
    options = {"augmentation": "none", "set": f"{SETTINGS},consistency=1,views=cutout"}
    model, batch, views, seen = make_system("triple_gan", options=options), make_batch(), {}, []
    model.random.begin(tf.constant([1, 2]), rows=len(batch["image"]))
    augmented, called = model.augmented, type(model.classifier).call

    def viewed(self, inputs, training, **options):
        result = augmented(inputs, training, **options)
        for name in ("image", "labelled_image"):
            if inputs is batch[name]:
                views.setdefault(name, []).append(result.numpy())
        return result

    def call(self, x, *arguments, **options):
        if not isinstance(x, list):  # a pair, of D, which has the same class
            seen.append(x.numpy())
        return called(self, x, *arguments, **options)

    monkeypatch.setattr(TripleGAN, "augmented", viewed)
    monkeypatch.setattr(type(model.classifier), "call", call)
    model.player_losses(batch, model.prior.sample(8, 5), training=True)
    one, other = views["image"]
    assert np.abs(one - other).max() > 0.1
    images = np.concatenate(seen)
    for name, view in ((name, view) for name, found in views.items() for view in found):
        assert (view != batch[name].numpy()).any((1, 2, 3)).all()
        assert all((images == x).all((1, 2, 3)).any() for x in view)


def test_it_classifies():
    model, x = make_system("triple_gan"), make_batch()["image"].numpy()
    assert_close(model.classify(x), softmax(model.classifier(x).numpy(), -1))


@pytest.mark.parametrize(
    "prior", ["normal", "normal5", "categorical3+normal2", "normal2+categorical4"]
)
def test_a_prior_that_does_not_end_in_the_labels_is_refused(prior):
    with pytest.raises(UserError, match="prior=normal100.categorical"):
        make_system("triple_gan", options={"prior": prior})


def test_data_without_labels_is_refused():
    with pytest.raises(UserError, match="labels"):
        TripleGAN.make_networks(lambda *a, **k: None, 5, None)
