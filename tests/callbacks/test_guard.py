import re

import numpy as np
import pytest

from tests.small import as_it_was
from tf_bigan.callbacks import Dashboard, Guard, SampleGrid, guard

PINNED = {"accuracy_real": 0.995, "accuracy_fake": 1.0}
SAFE = {"accuracy_real": 0.995, "accuracy_fake": 0.9}


@pytest.fixture
def warnings_of(model, images, caplog, monkeypatch):
    """Plays epochs' logs to a guard; the messages it gave."""

    def play(epochs, norms=None):
        norms = iter(norms or [1.0] * len(epochs))

        def diagnose(model, batch):
            return {"gradient_norm/D": 1.0, "gradient_norm/EG": next(norms)}

        monkeypatch.setattr(guard, "diagnose", diagnose)
        watch = Guard(images)
        watch.set_model(model)
        caplog.clear()
        for epoch, logs in enumerate(epochs):
            watch.on_epoch_end(epoch, logs)
        return messages(caplog)

    return play


def messages(caplog) -> list[str]:
    return [record.getMessage() for record in caplog.records if record.name == "absl"]


def test_a_discriminator_that_has_won_is_reported_once(warnings_of):
    (message,) = warnings_of([SAFE, PINNED, PINNED, PINNED, SAFE, PINNED, PINNED])
    assert message.startswith("epoch 3: the discriminator has won")
    assert "99.5 %" in message and "100.0 %" in message and "\n" not in message
    assert "the gradients of EG have not vanished (norm 1," in message


def test_one_epoch_or_one_side_is_not_a_win(warnings_of):
    assert warnings_of([PINNED, SAFE, PINNED, SAFE]) == []
    assert warnings_of([{"loss_D": 0.0}] * 4) == []


@pytest.mark.parametrize(
    ("norms", "vanished"),
    [([5.0, 0.04], True), ([5.0, 0.06], False), ([9e-5, 9e-5], True), ([2e-4, 2e-4], False)],
)
def test_vanished_gradients(warnings_of, norms, vanished):
    (message,) = warnings_of([PINNED, PINNED], norms)
    assert ("have vanished" in message) == vanished
    assert ("have not vanished" in message) != vanished


@pytest.fixture
def warnings_of_samples(model, images, caplog, monkeypatch):
    """Lets a guard check the same samples at several steps; the messages it gave."""

    def play(samples, steps):
        monkeypatch.setattr(model, "generator", lambda z, training: samples[: len(z)])
        watch = Guard(images)
        watch.set_model(model)
        caplog.clear()
        for step in steps:
            model.step.assign(step)
            watch.on_train_batch_end(0, SAFE)
        return messages(caplog)

    return play


def test_collapsed_samples(warnings_of_samples, images):
    constant = np.repeat(images[:1], 64, axis=0)
    (message,) = warnings_of_samples(constant, [1000, 1016, 1099, 1104, 1208, 1312])
    assert message.startswith("step 1104: the samples have collapsed") and "\n" not in message
    # Real images spread by s; samples at 8 and at 12 per cent of it, around their mean.
    center = images.mean(axis=0)
    steps = [1000, 1100]
    assert len(warnings_of_samples(center + 0.08 * (images - center), steps)) == 1
    assert warnings_of_samples(center + 0.12 * (images - center), steps) == []


def test_samples_of_untrained_weights_are_not_checked(warnings_of_samples, images):
    constant = np.repeat(images[:1], 64, axis=0)
    assert warnings_of_samples(constant, range(0, 1000, 16)) == []


def test_a_collapse_in_training_is_seen_while_the_average_still_generates(
    built_averaged, fit, images, caplog, monkeypatch
):
    monkeypatch.setattr(guard, "_EVERY_STEPS", 1)
    model = as_it_was(*built_averaged)
    rng = np.random.default_rng(0)
    for network in (model.generator, model.average.generator):
        for weight in network.trainable_variables:  # so that images differ
            weight.assign(rng.normal(0, 1, weight.shape))
    model.step.assign(1000)
    last = [w for w in model.generator.trainable_variables if w.path.endswith("kernel")][-1]
    last.assign(np.zeros(last.shape))
    for optimizer in map(model.optimizer_of, model.players):
        optimizer.learning_rate = 0.0
    fit(model, 251, [Guard(images)])
    (message,) = messages(caplog)
    assert re.match(r"step 100\d: the samples have collapsed: their standard .* is 0,", message)
    assert np.std(model.sample(64), axis=0).mean() > 0.1 * np.std(images, axis=0).mean()


@pytest.mark.slow
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
    norms = []
    for x in (levels, levels / np.float32(255)):
        watch = Guard(x)
        watch.set_model(model)
        watch.on_epoch_end(0, SAFE)
        norms.append(watch._largest_norms)
    assert norms[0] == norms[1]
    boards = [Dashboard(tmp_path, x) for x in (levels, levels / np.float32(255))]
    np.testing.assert_array_equal(*(board._batch["image"] for board in boards))
