"""InfoGAN: the categorical code is the digit."""

import numpy as np

from benchmarks.claims.claim import Check, Claim, Lab
from tf_bigan import evaluation, report

STEPS, ROWS, EPOCHS = 10, 5, 30


def measure(lab: Lab, seed: int):
    # Without what the defaults add to the paper, and with its rates.
    own = {"set": None, "player_rates": "D=2e-4,G=1e-3"}
    model = lab.trained(seed, epochs=EPOCHS, model="benchmarks.claims.infogan_mnist", **own)
    categorical, _ = model.codes(lab.test.as_float())
    found = evaluation.matched_accuracy(categorical.argmax(-1), lab.test.labels)
    numbers = {"accuracy": found, "fd": lab.distance(model.sample(10_000, seed=1))}
    return numbers, {f"swept{i}": model.generate(z) for i, z in enumerate(sweeps(model.prior))}


def sweeps(prior) -> list[np.ndarray]:
    """Latents that vary one code along each row: [ROWS · STEPS, dim] for each code dimension.

    The categorical code first, then each continuous one from -2 to 2, as in the paper's figure 2.
    """
    noise, digit, *_ = prior.parts
    base = np.repeat(prior.sample(ROWS, seed=5).numpy(), STEPS, axis=0)
    base[:, noise.dim + digit.dim :] = 0.0
    swept = [base.copy()]
    digits = slice(noise.dim, noise.dim + digit.dim)
    swept[0][:, digits] = np.tile(np.eye(digit.dim)[np.arange(STEPS) % digit.dim], (ROWS, 1))
    for entry in range(noise.dim + digit.dim, prior.dim):
        z = base.copy()
        # One class per row, which shows best the meaning of a continuous code.
        z[:, digits] = np.repeat(np.eye(digit.dim)[np.arange(ROWS) % digit.dim], STEPS, axis=0)
        z[:, entry] = np.tile(np.linspace(-2, 2, STEPS), ROWS)
        swept.append(z)
    return swept


def draw(arrays, path: str):
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(1, len(arrays), figsize=(4 * len(arrays), 2.4))
    titles = ["the categorical code", "a continuous code, -2 to 2", "the other one"]
    for axis, name, title in zip(axes, sorted(arrays), titles, strict=True):
        axis.imshow(report.image_grid(arrays[name], STEPS).squeeze(), cmap="gray")
        axis.set_title(title, fontsize=9)
        axis.axis("off")
    figure.tight_layout(pad=0.3)
    figure.savefig(path, dpi=110)
    pyplot.close(figure)


CLAIM = Claim(
    title="InfoGAN: the categorical code is the digit",
    settings=(
        "Published: networks of two convolutions and a layer of 1,024 units, G 1e-3 and D 2e-4, "
        "batch 128, 5,000 updates, 62 noise dimensions, a code of 10 classes and two continuous "
        f"ones, λ = 1. Here: the same, with {EPOCHS} epochs ({469 * EPOCHS:,} updates)."
    ),
    checks=(
        Check(
            "accuracy of the categorical code, %",
            "accuracy",
            "95",
            least=90.0,
            digits=1,
        ),
        Check("FD of samples", "fd", digits=1),
    ),
    measure=measure,
    draw=draw,
)
