"""SGAN: unlabelled images improve its classifier."""

from benchmarks.claims import few_labels
from benchmarks.claims.claim import Check, Claim, Lab

EPOCHS = 4


def measure(lab: Lab, seed: int):
    options = few_labels.PAPER | {"networks": "dcgan"}
    model = lab.trained(seed, model="sgan", epochs=EPOCHS, **options)
    accuracy = few_labels.accuracy_of(lab, model)
    alone = few_labels.alone(lab, seed, "dcgan", norm="layer")
    return {"sgan": accuracy, "alone": alone, "gain": accuracy - alone}, {}


CLAIM = Claim(
    title="SGAN: 100 labelled examples, and unlabelled images",
    settings=(
        f"Published: convolutional networks. Here: {EPOCHS} epochs of the DCGAN networks, D "
        "without normalisation; alone: one with layer normalisation on the same 100 images, "
        f"{few_labels.STEPS:,} full-batch steps, Adam 2e-4."
    ),
    checks=(
        Check("SGAN, %", "sgan", "92.8", digits=1),
        Check("the network alone, %", "alone", "89.5", digits=1),
        Check("gain, points", "gain", "3.3", least=0.1, digits=1),
    ),
    measure=measure,
)
