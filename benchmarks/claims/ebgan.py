"""EBGAN: the pulling-away term makes samples more diverse."""

import numpy as np

from benchmarks.claims.claim import Check, Claim, Lab
from tf_bigan import evaluation

SHOWN, SAMPLES, PAIRS, EPOCHS = 20, 10_000, 3000, 2


def measure(lab: Lab, seed: int):
    real = lab.classifier(lab.test.as_float())[0]
    numbers, arrays = {}, {}
    for name, weight in (("with", 0.1), ("without", 0.0)):
        model = lab.trained(seed, model="ebgan", epochs=EPOCHS, set=f"pulling_away={weight}")
        samples = model.sample(SAMPLES, seed=1)
        features, p = lab.classifier(samples)
        shares = evaluation.class_histogram(p)
        few = slice(PAIRS)
        numbers |= {
            f"pairs_{name}": mean_pairwise_distance(samples[few]),
            f"recall_{name}": evaluation.prdc(real[few], features[few]).recall,
            f"entropy_{name}": float(-(shares * np.log(np.maximum(shares, 1e-12))).sum()),
            f"fd_{name}": lab.distance(samples),
        }
        arrays[name] = samples[:SHOWN]
    for what in ("pairs", "recall", "entropy"):
        numbers[f"{what}_gain"] = numbers[f"{what}_with"] - numbers[f"{what}_without"]
    return numbers, arrays


def mean_pairwise_distance(images: np.ndarray) -> float:
    """Mean ‖x_i - x_j‖ over the pairs i ≠ j of images [N, H, W, C]."""
    rows = images.reshape(len(images), -1).astype(np.float64)
    squares = (rows**2).sum(-1)
    distances = np.sqrt(np.maximum(squares[:, None] + squares - 2 * rows @ rows.T, 0))
    np.fill_diagonal(distances, 0)  # what rounding left there
    return float(distances.sum() / (len(rows) * (len(rows) - 1)))


def draw(arrays, path: str):
    rows = np.concatenate([arrays[name] for name in ("with", "without")])
    evaluation.save_png(path, evaluation.image_grid(rows, SHOWN, scale=2))


CLAIM = Claim(
    title="EBGAN: the pulling-away term raises diversity",
    settings=(
        "Published: samples with the term are said to be more diverse, without a number. Here: "
        f"margin 10, weights .1 and 0, {EPOCHS} epochs of the MLP networks. Pairs: mean distance "
        "of two samples. Recall: k = 5, in the classifier's features, 3,000 samples."
    ),
    checks=(
        Check("mean distance of pairs, with", "pairs_with"),
        Check("mean distance of pairs, without", "pairs_without"),
        Check("gain in distance of pairs", "pairs_gain", least=0.01),
        Check("recall, with", "recall_with", digits=3),
        Check("recall, without", "recall_without", digits=3),
        Check("gain in recall", "recall_gain", least=0.001, digits=3),
        Check("gain in the entropy of the samples' classes, nats", "entropy_gain", digits=3),
        Check("FD, with", "fd_with", digits=1),
        Check("FD, without", "fd_without", digits=1),
    ),
    measure=measure,
    draw=draw,
)
