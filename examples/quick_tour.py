"""A tour of the library on real handwritten digits: train, evaluate, draw, save.

    python examples/quick_tour.py

takes about a minute, downloads nothing, and writes tour_samples.png, tour_reconstructions.png,
tour_interpolations.png and tour.keras into the current directory.
"""

import sys
from pathlib import Path

import keras

import tf_bigan as tb


def main(epochs: int = 150, directory: str = "."):
    """Runs the tour; more epochs give better digits."""
    directory = Path(directory)
    keras.utils.set_random_seed(0)  # the initial weights

    # 1. Data: 8x8 images in [0, 1], split into training and test.
    train, test = tb.data.load("digits", "train"), tb.data.load("digits", "test")
    x, labels = test.as_float(), test.labels

    # 2. A model: three networks and a prior, compiled with an optimizer for each player.
    shape, latent_dim = train.image_shape, 16
    model = tb.models.BiGAN(
        encoder=tb.networks.MLPEncoder(shape, latent_dim, width=512, l2=1e-4),
        generator=tb.networks.MLPGenerator(shape, latent_dim, width=512, l2=1e-4),
        discriminator=tb.networks.MLPDiscriminator(shape, latent_dim, width=512, l2=1e-4),
        prior=tb.priors.Uniform(latent_dim),
    )
    model.compile(tb.optimizers.Adam(3e-4, beta_1=0.5), ema=0.998)

    # 3. The metrics of untrained networks: the baseline of the trained ones.
    before = measure(model, train, x, labels)

    # 4. Training. Keras's own callbacks work too, besides those of tb.callbacks.
    model.fit(train.batches(64), epochs=epochs, verbose=2 if epochs < 10 else 0)
    after = measure(model, train, x, labels)
    print(tb.report.format_table({"untrained": before, "trained": after}))

    # 5. Pictures: samples G(z), images above G(E(x)), and interpolations between images.
    grid, enlarged = tb.report.image_grid, tb.report.enlarged
    pairs = enlarged(x[:32]), enlarged(model.reconstruct(x[:32]))
    between = model.interpolate(x[:8], x[8:16], steps=10).reshape(-1, *shape)
    pictures = {
        "samples": grid(enlarged(model.sample(64, seed=0))),
        "reconstructions": tb.report.originals_over_reconstructions(*pairs),
        "interpolations": grid(enlarged(between), columns=10),
    }
    for name, picture in pictures.items():
        tb.report.save_png(directory / f"tour_{name}.png", picture)

    # 6. Saved with its optimizers, so that training can continue.
    model.save(directory / "tour.keras")
    again = keras.saving.load_model(directory / "tour.keras")
    assert (again.encode(x) == model.encode(x)).all()
    print(f"wrote {', '.join(f'tour_{name}.png' for name in pictures)} and tour.keras")


def measure(model, train, x, labels) -> dict[str, float]:
    """NND of 10,000 samples, the reconstruction error, and 1-NN accuracy on E's hidden layer."""
    inputs = tb.evaluation.Inputs(
        x,
        labels,
        train.as_float(),
        train.labels,
        generate=model.generate,
        encode=model.features,
        reconstruct=model.reconstruct,
        z=model.prior.sample(10_000, seed=1).numpy(),
    )
    values, _ = tb.evaluation.compute(["NND", "EGr", "EGr_b", "NNC_e-"], inputs)
    return values


if __name__ == "__main__":
    main(*map(int, sys.argv[1:2]))
