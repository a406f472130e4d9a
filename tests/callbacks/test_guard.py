import numpy as np
import pytest

from tests.conftest import as_it_was
from tf_bigan.callbacks import Dashboard, Guard, SampleGrid

PINNED = {"accuracy_real": 0.995, "accuracy_fake": 1.0}
SAFE = {"accuracy_real": 0.995, "accuracy_fake": 0.9}


@pytest.fixture
def warnings_of(model, images, caplog, monkeypatch):
    """Plays epochs' logs to a guard; the messages it gave."""

    def play(epochs, norms=None, samples=images, warm_up=0):
        norms = iter(norms or [1.0] * len(epochs))

        def diagnose(batch):
            return {"gradient_norm/D": 1.0, "gradient_norm/EG": next(norms)}

        monkeypatch.setattr(model, "diagnose", diagnose)
        monkeypatch.setattr(model, "sample", lambda n, seed=0: samples[:n])
        guard = Guard(images, warm_up=warm_up)
        guard.set_model(model)
        caplog.clear()
        for epoch, logs in enumerate(epochs):
            guard.on_epoch_end(epoch, logs)
        return [record.getMessage() for record in caplog.records if record.name == "absl"]

    return play


def test_a_discriminator_that_has_won_is_said_once(warnings_of):
    (message,) = warnings_of([SAFE, PINNED, PINNED, PINNED, SAFE, PINNED, PINNED])
    assert message.startswith("epoch 3: the discriminator has won")
    assert "99.5 %" in message and "100.0 %" in message and "\n" not in message
    assert "the gradients of EG still flow (norm 1," in message


def test_one_epoch_or_one_side_is_no_win(warnings_of):
    assert warnings_of([PINNED, SAFE, PINNED, SAFE]) == []
    assert warnings_of([{"loss_D": 0.0}] * 4) == []


@pytest.mark.parametrize(
    ("norms", "vanished"),
    [([5.0, 0.04], True), ([5.0, 0.06], False), ([9e-5, 9e-5], True), ([2e-4, 2e-4], False)],
)
def test_vanished_gradients_are_told_from_those_that_flow(warnings_of, norms, vanished):
    (message,) = warnings_of([PINNED, PINNED], norms)
    assert ("have vanished" in message) == vanished
    assert ("still flow" in message) != vanished


def test_collapsed_samples(warnings_of, images):
    constant = np.repeat(images[:1], 64, axis=0)
    (message,) = warnings_of([SAFE] * 4, samples=constant)
    assert message.startswith("epoch 2: the samples have collapsed")
    # Real images spread by s; samples at 8 and at 12 per cent of it, around their mean.
    center = images.mean(axis=0)
    assert len(warnings_of([SAFE] * 2, samples=center + 0.08 * (images - center))) == 1
    assert warnings_of([SAFE] * 2, samples=center + 0.12 * (images - center)) == []


def test_samples_of_fresh_weights_are_not_judged(warnings_of, images):
    constant = np.repeat(images[:1], 64, axis=0)
    assert warnings_of([SAFE] * 4, samples=constant, warm_up=1) == []  # its step is 0


def test_a_constant_generator_in_a_real_training(model, fit, images, caplog):
    kernel = model.generator.layers[0].kernel
    kernel.assign(np.zeros(kernel.shape))
    for optimizer in map(model.optimizer_of, model.players):
        optimizer.learning_rate = 0.0
    fit(model, 2, [Guard(images, warm_up=0)])
    (record,) = [record for record in caplog.records if record.name == "absl"]
    assert "epoch 2: the samples have collapsed: they differ by 0 " in record.getMessage()
    assert "\n" not in record.getMessage()


def test_watching_leaves_the_training_as_it_is(tmp_path, built_averaged, fit, images):
    found = []
    for callbacks in ([Guard(images), Dashboard(tmp_path, images), SampleGrid(tmp_path)], []):
        model = as_it_was(*built_averaged)
        fit(model, 2, callbacks)
        found.append(model.get_weights())
    for watched, alone in zip(*found, strict=True):
        np.testing.assert_array_equal(watched, alone)


def test_bytes_are_images_too(model, images, tmp_path):
    levels = np.rint(images * 255).astype(np.uint8)
    guards = [Guard(levels), Guard(levels / np.float32(255))]
    for guard in guards:
        guard.set_model(model)
        guard.on_epoch_end(0, SAFE)
    assert guards[0]._largest_norms == guards[1]._largest_norms
    boards = [Dashboard(tmp_path, x) for x in (levels, levels / np.float32(255))]
    np.testing.assert_array_equal(*(board._batch["image"] for board in boards))
