"""DANN: the adversary transfers a classifier from MNIST to colour digits on photographs."""

import numpy as np

from benchmarks.claims.claim import Check, Claim, Lab
from tf_bigan import data

EPOCHS = 1
# Without the adversary, but with batch statistics of the target; and without target images: MNIST
# is then its own second domain.
SYSTEMS = {
    "adapted": {"target_dataset": "mnist_m"},
    "statistics_only": {"target_dataset": "mnist_m", "set": "strength=0"},
    "source_only": {"target_dataset": "mnist", "channels": 3, "set": "strength=0"},
}


def measure(lab: Lab, seed: int):
    target = data.load("mnist_m", "test", data_dir=lab.data_dir)
    source = lab.test.converted(channels=3)
    numbers = {}
    for name, options in SYSTEMS.items():
        model = lab.trained(seed, model="dann", epochs=EPOCHS, **options)
        for domain, images in (("target", target), ("source", source)):
            right = model.classify(images.as_float()).argmax(-1) == images.labels
            numbers[f"{name}_{domain}"] = 100.0 * float(np.mean(right))
    numbers["gain"] = numbers["adapted_target"] - numbers["source_only_target"]
    return numbers, {}


CLAIM = Claim(
    title="DANN: MNIST to MNIST-M",
    settings=(
        "Published: two convolutions, SGD. Here: the same convolutions and heads with batch "
        "normalisation, with separate statistics for each domain, dropout rate 0.5 before the "
        f"label predictor, Adam 5e-4, {EPOCHS} epoch in batches of 32 images of each domain. "
        "The target is blended from scikit-learn's two photographs instead of BSDS500: a third of "
        "its digits are dark on bright sky, so its figures differ from the published MNIST-M."
    ),
    checks=(
        Check("target, trained on the source only, %", "source_only_target", "52.3", digits=1),
        Check("target, only with its batch statistics, %", "statistics_only_target", digits=1),
        Check("target, adapted, %", "adapted_target", "76.7", digits=1),
        Check("gain on the target, points", "gain", "24.4", least=15.0, digits=1),
        Check("source, trained on the source only, %", "source_only_source", digits=1),
        Check("source, adapted, %", "adapted_source", digits=1),
    ),
    measure=measure,
)
