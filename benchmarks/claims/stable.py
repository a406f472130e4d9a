"""BEGAN, MAGAN, LS-GAN and WGAN-GP: stability during a run."""

import keras
import numpy as np

from benchmarks.claims.claim import Check, Claim, Lab, Trace
from tf_bigan.core.trainer import NonFiniteLoss

SAMPLES = 5000
SYSTEMS = {
    "began": {"epochs": 3, "player_rates": None, "set": "gamma=0.5"},  # the paper's
    "magan": {
        "prior": "normal",
        "epochs": 3,
        "set": "period=117,pretraining=2",
    },  # a quarter of an epoch
    "loss_sensitive_gan": {"epochs": 3, "player_rates": None},
    "wgan_gp": {"prior": "normal", "epochs": 6},
}


class Distances(keras.callbacks.Callback):
    """FD, the FID-like Fréchet distance of samples, after each epoch."""

    def __init__(self, lab: Lab):
        super().__init__()
        self.lab, self.values = lab, []

    def on_epoch_end(self, epoch, logs=None):
        self.values.append(self.lab.distance(self.model.sample(SAMPLES, seed=1)))


def measure(lab: Lab, seed: int):
    numbers, traces = {}, {}
    for name, options in SYSTEMS.items():
        trace, distances = Trace(), Distances(lab)
        try:
            lab.trained(seed, [trace, distances], model=name, **options)
        except NonFiniteLoss:  # an aborted run has no other numbers
            numbers[f"finite_{name}"] = 0.0
            continue
        shown = {"began": "m_global", "magan": "margin"}.get(name, "loss_D")
        numbers |= {
            f"finite_{name}": 100.0,
            f"fd_{name}": distances.values[-1],
            f"fd_change_{name}": distances.values[-1] - distances.values[0],
        }
        traces |= {name: trace.of(shown), f"{name}_fd": distances.values}
        if name == "began":
            k, m = trace.of("k"), trace.of("m_global")
            numbers |= {"k_least": min(k), "k_most": max(k), "m_ratio": later(m) / earlier(m)}
        if name == "magan":
            numbers |= margins(trace.of("margin"))
    return numbers, {name: np.array(values) for name, values in traces.items()}


def margins(trace: list[float]) -> dict[str, float]:
    """The largest increase of the margin after it was first set, and its total decrease."""
    margin = np.trim_zeros(np.array(trace), "f")  # 0 while D is pretrained
    margin = margin[1:]  # it may have been set in the middle of the first call
    if not len(margin):
        return {"margin_rise": np.nan, "margin_fall": np.nan}
    return {
        "margin_rise": float(np.diff(margin).max(initial=0.0)),
        "margin_fall": float(margin[0] - margin[-1]),
    }


def earlier(trace: list[float]) -> float:
    """The mean of the first tenth."""
    return float(np.mean(trace[: max(1, len(trace) // 10)]))


def later(trace: list[float]) -> float:
    """The mean of the last tenth."""
    return float(np.mean(trace[-max(1, len(trace) // 10) :]))


def draw(arrays, path: str):
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(1, len(SYSTEMS), figsize=(3.2 * len(SYSTEMS), 2.4))
    shown = {"began": "M_global", "magan": "margin"}
    for axis, name in zip(axes, SYSTEMS, strict=True):
        if name not in arrays:  # its run was aborted
            continue
        trace, distances = arrays[name], arrays[f"{name}_fd"]
        axis.plot(np.linspace(0, len(distances), len(trace)), trace, lw=0.8)
        axis.set(title=f"{name}: {shown.get(name, 'loss of D')}", xlabel="epoch")
        right = axis.twinx()
        right.plot(range(1, len(distances) + 1), distances, "o--", color="tab:orange", ms=3, lw=0.8)
        right.set_ylabel("FD", color="tab:orange")
    figure.tight_layout(pad=0.4)
    figure.savefig(path, dpi=110)
    pyplot.close(figure)


CLAIM = Claim(
    title="BEGAN, MAGAN, LS-GAN, WGAN-GP: stable over the run",
    settings=(
        "Published: as statements and figures, without numbers. Here: 3 epochs of the MLP networks "
        "each, and 6 for WGAN-GP, in batches of 128. Adam at the published rates for MAGAN (5e-4, "
        "of AdaMax there) and WGAN-GP (1e-4), and at BiGAN's, 2e-4, for BEGAN (8e-5 in batches of "
        "16) and LS-GAN (1e-4 in batches of 64); MAGAN adapts its margin every quarter of an epoch "
        "instead of every epoch. Traces are means over 16 steps."
    ),
    checks=(
        Check("BEGAN: M_global of the last tenth over that of the first", "m_ratio", most=1.0),
        Check("BEGAN: least k", "k_least", "0 at first", least=0.0, digits=4),
        Check("BEGAN: largest k", "k_most", "≤ 1", most=1.0, digits=4),
        # Means of equal numbers differ in the seventh digit.
        Check("MAGAN: largest rise of the margin", "margin_rise", "0", most=1e-4, digits=6),
        Check("MAGAN: fall of the margin", "margin_fall", "> 0", least=0.01),
        *(
            check
            for name in SYSTEMS
            for check in (
                Check(f"`{name}`: finite to the end, %", f"finite_{name}", least=100.0, digits=0),
                Check(f"`{name}`: FD at the end", f"fd_{name}", digits=1),
                Check(f"`{name}`: FD against epoch 1", f"fd_change_{name}", most=0.0, digits=1),
            )
        ),
    ),
    measure=measure,
    draw=draw,
)
