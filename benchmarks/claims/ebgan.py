"""EBGAN: the pulling-away term makes samples more diverse."""

import numpy as np

from benchmarks.claims.claim import Check, Claim, Lab
from tf_bigan import evaluation, report

SHOWN, SAMPLES, PAIRS, EPOCHS = 20, 10_000, 3000, 2
# Weights of the term: the paper's, and one for an energy that is a sum over pixels.
WEIGHTS = ("0", "0.1", "20")


def measure(lab: Lab, seed: int):
    real = lab.classifier(lab.test.as_float())[0]
    numbers, arrays = {}, {}
    for name in WEIGHTS:
        model = lab.trained(seed, model="ebgan", epochs=EPOCHS, set=f"pulling_away={name}")
        samples = model.sample(SAMPLES, seed=1)
        features, _ = lab.classifier(samples)
        few = slice(PAIRS)
        numbers |= {
            f"pairs_{name}": mean_pairwise_distance(samples[few]),
            f"recall_{name}": evaluation.prdc(real[few], features[few]).recall,
            f"spread_{name}": mean_pairwise_distance(features[few]),
            f"fd_{name}": lab.distance(samples),
        }
        arrays[name] = samples[:SHOWN]
    for what in ("pairs", "spread", "recall"):
        for name in WEIGHTS[1:]:
            numbers[f"{what}_gain_{name}"] = numbers[f"{what}_{name}"] - numbers[f"{what}_0"]
    return numbers, arrays


def mean_pairwise_distance(points: np.ndarray) -> float:
    """Mean ‖x_i - x_j‖ over the pairs i ≠ j of points [N, ...]."""
    rows = points.reshape(len(points), -1).astype(np.float64)
    squares = (rows**2).sum(-1)
    distances = np.sqrt(np.maximum(squares[:, None] + squares - 2 * rows @ rows.T, 0))
    np.fill_diagonal(distances, 0)  # remove rounding errors
    return float(distances.sum() / (len(rows) * (len(rows) - 1)))


def draw(arrays, path: str):
    rows = np.concatenate([arrays[name] for name in WEIGHTS])
    report.save_png(path, report.image_grid(rows, SHOWN, scale=2))


CLAIM = Claim(
    title="EBGAN: the pulling-away term raises diversity",
    settings=(
        "Published: samples with the term are more diverse, without a number; Adam "
        f"1e-3. Here: margin 10, {EPOCHS} epochs of the MLP networks, Adam 2e-4, and three weights "
        "of the term: none, the paper's .1, and 20, since the energy is a sum over pixels here, "
        "and .1 of a term that is at most 1 is a hundredth of the margin. Pairs: mean distance of "
        "two samples, in pixels and in the classifier's features. Recall: k = 5, in these "
        "features, 3,000 samples. The picture: one row per weight."
    ),
    checks=(
        *(Check(f"recall, weight {name}", f"recall_{name}", digits=3) for name in WEIGHTS),
        *(
            Check(f"gain in recall by {name}", f"recall_gain_{name}", least=0.001, digits=3)
            for name in WEIGHTS[1:]
        ),
        *(Check(f"distance of pairs, weight {name}", f"pairs_{name}") for name in WEIGHTS),
        *(
            Check(f"gain in distance of pairs by {name}", f"pairs_gain_{name}", least=0.01)
            for name in WEIGHTS[1:]
        ),
        *(Check(f"in features, weight {name}", f"spread_{name}") for name in WEIGHTS),
        *(
            Check(f"gain in features by {name}", f"spread_gain_{name}", least=0.01)
            for name in WEIGHTS[1:]
        ),
        *(Check(f"FD, weight {name}", f"fd_{name}", digits=1) for name in WEIGHTS),
    ),
    measure=measure,
    draw=draw,
)
