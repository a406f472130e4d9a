"""Triple-GAN: half the error of its classifier alone."""

from benchmarks.claims import few_labels
from benchmarks.claims.claim import Check, Claim, Lab

EPOCHS = 6


def measure(lab: Lab, seed: int):
    options = {"labels": few_labels.LABELS, "networks": "dcgan"}
    model = lab.trained(seed, model="triple_gan", epochs=EPOCHS, **options)
    error = 100.0 - few_labels.accuracy_of(lab, model)
    alone = 100.0 - few_labels.alone(lab, seed, "dcgan", norm="batch")
    return {"triple_gan": error, "alone": alone, "ratio": error / alone}, {}


CLAIM = Claim(
    title="Triple-GAN: 100 labels, and unlabelled images beside them",
    settings=(
        f"Published: a classifier of five convolutions, 1,000 epochs. Here: {EPOCHS} epochs of the "
        "DCGAN networks; alone: the same classifier on the same 100 images, "
        f"{few_labels.STEPS:,} steps of all of them, Adam 2e-4."
    ),
    checks=(
        Check("Triple-GAN, error in %", "triple_gan", ".91", digits=1),
        Check("its classifier alone, error in %", "alone", digits=1),
        Check("error over that alone", "ratio", most=0.5),
    ),
    measure=measure,
)
