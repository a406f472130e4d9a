"""Table 1 of the BiGAN paper: 1-NN on the features of BiGAN and of its baselines."""

import sys

from benchmarks.claims.claim import Check, Claim, Lab
from tf_bigan import evaluation
from tf_bigan.core.statistics import calibrate, statistics_kept
from tf_bigan.run.measure import untrained

NEIGHBOURS, EPOCHS = 50_000, 20
ROWS = {  # name: (options, published)
    "bigan": ({"model": "bigan"}, "97.39"),
    "latent_regressor": ({"model": "latent_regressor"}, "97.44"),
    "joint_latent_regressor": ({"model": "joint_latent_regressor"}, "97.13"),
    "autoencoder_l2": ({"model": "autoencoder"}, "97.58"),
    "autoencoder_l1": ({"model": "autoencoder", "set": "norm=l1"}, "97.63"),
}


def measure(lab: Lab, seed: int):
    numbers = {}
    common = {"epochs": EPOCHS, "decay_epochs": EPOCHS, "l2": 2.5e-5}
    for name, (options, _) in ROWS.items():
        model = lab.trained(seed, **common, **options)
        measured = {name: (model, of_encoder)}
        if name == "bigan":
            measured["untrained"] = (untrained(model), of_encoder)
        if name == "latent_regressor":  # its D is that of a GAN without an encoder
            measured["discriminator"] = (model, of_discriminator)
        for number, (network, features) in measured.items():
            try:
                numbers[number] = one_nn(lab, network, features)
            except ValueError as error:  # the model has collapsed; continue with the others
                print(f"{number}: {error}", file=sys.stderr)
    return numbers, {}


def of_encoder(model, images):
    return model.features(images, layers=["e-"])["e-"]


def of_discriminator(model, images):
    """The last hidden layer of a discriminator of images."""
    return model.discriminator.features(images, training=False).numpy()


def one_nn(lab: Lab, model, features) -> float:
    """1-NN accuracy in % on the test images, with recalibrated batch norm."""
    with statistics_kept(model):
        calibrate(model, lab.train.batches(128, seed=1).dataset(), steps=1000)
        train = lab.train.take(NEIGHBOURS)
        ours, theirs = (features(model, part.as_float()) for part in (lab.test, train))
    return evaluation.one_nn_accuracy(theirs, train.labels, ours, lab.test.labels)


CLAIM = Claim(
    title="BiGAN's table 1: 1-NN on the test images",
    settings=(
        "Published: 400 epochs, half of them at 2e-4 and half decaying to 2e-6, L2 2.5e-5, batch "
        f"128. Here: the same in {EPOCHS} epochs. Features: the last hidden layer of E; neighbours "
        f"among {NEIGHBOURS:,} training images; batch norm recalibrated over 1,000 batches. The "
        "features of D are those of the latent regressor's discriminator, which is a GAN's."
    ),
    checks=(
        Check("an untrained encoder", "untrained"),
        *(Check(f"`{name}`", name, published) for name, (_, published) in ROWS.items()),
        Check("D of the GAN", "discriminator", "97.30"),
    ),
    measure=measure,
)
