"""The pictures of the reports: which reconstructions are the best and the worst."""

from types import SimpleNamespace

import numpy as np

from tf_bigan import data
from tf_bigan.run.pictures import figures


def test_best_and_worst_reconstructions():
    held_out = data.load("digits", "test").take(100)
    model = SimpleNamespace(
        generator=None,
        encoder=None,
        prior=SimpleNamespace(path="a straight line"),
        sample=lambda n, seed: held_out.as_float()[:n],
        encode=lambda images: images.reshape(len(images), -1)[:, :5],
        reconstruct=lambda images: 0.5 * images,
        interpolate=lambda a, b, steps: np.repeat(a[:, None], steps, axis=1),
    )
    notes = {figure.title: figure.note for figure in figures(model, held_out)}
    images = held_out.as_float()
    errors = np.sort(np.sqrt(np.square(0.5 * images).sum(axis=(1, 2, 3))))
    for title, first, last in (("Best", *errors[[0, 11]]), ("Worst", *errors[[-1, -12]])):
        told = notes[f"{title} reconstructions"]
        assert f"from {first:.2f} to {last:.2f} among 100 images" in told
    assert errors[-12] - errors[11] > 0.1
    del model.encoder
    assert [figure.title for figure in figures(model, held_out)] == ["Samples"]
