"""VAE-GAN: reconstructions in D's features are sharper than those in pixels."""

import numpy as np

from benchmarks.claims.claim import Check, Claim, Lab
from tf_bigan import report

SHOWN = 14
COMMON = {"prior": "normal", "epochs": 3, "latent_dim": 128, "networks": "dcgan"}
SYSTEMS = {
    "vae_gan": {"model": "vae_gan", "set": "kind=features"},  # the paper's
    "vae": {"model": "benchmarks.claims.vae", "set": "sigma=1"},
    "sharp_vae": {"model": "benchmarks.claims.vae", "set": "sigma=0.15"},
}


def measure(lab: Lab, seed: int):
    x = lab.test.as_float()
    features, p = lab.classifier(x)
    numbers, arrays = {}, {"x": x[:SHOWN]}
    for name, options in SYSTEMS.items():
        x_rec = lab.trained(seed, **COMMON, **options).reconstruct(x)
        features_rec, p_rec = lab.classifier(x_rec)
        numbers |= {
            f"agreement_{name}": 100.0 * np.mean(p.argmax(-1) == p_rec.argmax(-1)),
            f"distance_{name}": np.linalg.norm(features - features_rec, axis=-1).mean(),
            f"fd_{name}": lab.distance(x_rec),
        }
        arrays[name] = x_rec[:SHOWN]
    difference = {
        what: numbers[f"{what}_vae_gan"] - numbers[f"{what}_vae"]
        for what in ("agreement", "distance", "fd")
    }
    return {name: float(v) for name, v in (numbers | difference).items()}, arrays


def draw(arrays, path: str):
    rows = np.concatenate([arrays[name] for name in ("x", "vae", "vae_gan")])
    report.save_png(path, report.image_grid(rows, SHOWN, scale=2))


CLAIM = Claim(
    title="VAE-GAN: sharper reconstructions than a VAE of the same networks",
    settings=(
        "Published for faces: LFW attribute similarity .9114 against .9030. Here: "
        f"{COMMON['epochs']} epochs of the "
        "DCGAN networks, latent dimension 128; the VAE has a Gaussian pixel likelihood with σ = 1 "
        "and no discriminator; a second one with σ = .15 is almost an autoencoder. Agreement: the "
        "classifier predicts the same class for a test image and its reconstruction; distance: "
        "their mean Euclidean distance in the classifier's features; FD of the reconstructions."
    ),
    checks=(
        Check("VAE: agreement, %", "agreement_vae"),
        Check("VAE, σ = .15: agreement, %", "agreement_sharp_vae"),
        Check("VAE-GAN: agreement, %", "agreement_vae_gan"),
        Check("gain in agreement, points", "agreement", least=0.01),
        Check("VAE: feature distance", "distance_vae"),
        Check("VAE, σ = .15: feature distance", "distance_sharp_vae"),
        Check("VAE-GAN: feature distance", "distance_vae_gan"),
        Check("change of feature distance", "distance", most=-0.01),
        Check("VAE: FD", "fd_vae", digits=1),
        Check("VAE-GAN: FD", "fd_vae_gan", digits=1),
    ),
    measure=measure,
    draw=draw,
    caption="Rows: test images; reconstructed by the VAE (σ = 1); by the VAE-GAN.",
)
