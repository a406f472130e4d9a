"""Triple-GAN: half the error of its classifier trained alone."""

from benchmarks.claims import few_labels
from benchmarks.claims.claim import Check, Claim, Lab

EPOCHS = 20


def measure(lab: Lab, seed: int):
    model = lab.trained(seed, model="triple_gan", epochs=EPOCHS, **few_labels.PAPER)
    error = 100.0 - few_labels.accuracy_of(lab, model)
    numbers = {"triple_gan": error}
    for family in ("paper", "dcgan"):
        alone = 100.0 - few_labels.alone(lab, seed, family)
        numbers |= {f"alone_{family}": alone, f"ratio_{family}": error / alone}
    return numbers, {}


CLAIM = Claim(
    title="Triple-GAN: 100 labelled examples, and unlabelled images",
    settings=(
        "Published: a classifier of five convolutions, 1,000 epochs, Adam 1e-3. Here: "
        f"{EPOCHS} epochs of the MLP networks, Adam 2e-4; alone: the same classifier, and a "
        "convolutional one, "
        f"on the same 100 images, {few_labels.STEPS:,} full-batch steps, Adam 2e-4."
    ),
    checks=(
        Check("Triple-GAN, error in %", "triple_gan", ".91", digits=1),
        Check("its classifier alone, error in %", "alone_paper", digits=1),
        Check("the error over that", "ratio_paper", most=0.5),
        Check("a convolutional one alone, error in %", "alone_dcgan", digits=1),
        Check("the error over that", "ratio_dcgan", most=0.5),
    ),
    measure=measure,
)
