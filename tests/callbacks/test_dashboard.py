import numpy as np
import pytest
from google.protobuf import text_format
from PIL import Image
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tensorboard.plugins.projector import ProjectorConfig

from tests.closeness import assert_close
from tests.small import eager
from tf_bigan.callbacks import Dashboard, Evaluation
from tf_bigan.callbacks.projector import write_projector
from tf_bigan.core.statistics import diagnose


def read(log_dir):
    events = EventAccumulator(str(log_dir), {"tensors": 0})
    events.Reload()
    return events


def curve(events, tag):
    from tensorboard.util.tensor_util import make_ndarray

    return {e.step: make_ndarray(e.tensor_proto) for e in events.Tensors(tag)}


@pytest.fixture(scope="module")
def run(tmp_path_factory, new_model, images, batches):
    """(events, log_dir, history, model): two epochs, then a third by another fit."""
    root = tmp_path_factory.mktemp("dashboard")
    model = new_model(steps_per_execution=1)

    def callbacks():
        yield Evaluation(lambda model: {"NND": 10.0 - int(model.step.numpy())}, root / "m.jsonl")
        yield Dashboard(
            root / "logs", images, np.arange(64) % 10, config={"lr": 0.5}, batch_size=16
        )

    arguments = {"verbose": 0, "validation_data": images, "batch_size": 16}
    with eager():
        model.fit(batches, epochs=2, callbacks=list(callbacks()), **arguments)
        history = model.fit(
            batches, epochs=3, initial_epoch=2, callbacks=list(callbacks()), **arguments
        )
    return read(root / "logs"), root / "logs", history.history, model


def test_all_is_there(run):
    tags = set(run[0].Tags()["tensors"])
    names = ("loss_D", "loss_EG", "accuracy_real", "accuracy_fake", "logits_real", "logits_fake")
    expected = {f"{group}/{name}" for group in ("train", "validation") for name in names}
    expected |= {"learning_rate/D", "learning_rate/EG", "gradient_norm/D", "gradient_norm/EG"}
    expected |= {"speed/images_per_second", "logits_real", "logits_fake", "metrics/NND", "config"}
    assert tags == expected | {"samples", "reconstructions", "interpolations"}


def test_curves_go_on_by_step_in_a_second_run(run):
    events, _, history, _ = run
    logits = curve(events, "train/logits_fake")
    assert list(logits) == list(range(1, 13))
    # A logit that begins at zero is a quarter further from it after two steps more.
    assert abs(logits[10] - logits[12]) > 0.1 * abs(logits[10])
    mean = np.mean([logits[step] for step in (9, 10, 11, 12)])
    np.testing.assert_allclose(mean, history["logits_fake"][0], rtol=1e-5)
    assert curve(events, "metrics/NND") == {0: 10.0, 4: 6.0, 8: 2.0, 12: -2.0}
    validation = curve(events, "validation/loss_EG")
    assert list(validation) == [4, 8, 12]
    np.testing.assert_allclose(validation[12], history["val_loss_EG"][0], rtol=1e-5)
    assert curve(events, "learning_rate/D")[12] == pytest.approx(2e-4)
    assert list(curve(events, "gradient_norm/EG")) == [0, 4, 8, 12]
    # The first call of each run compiles, and is left out.
    assert list(curve(events, "speed/images_per_second")) == [2, 3, 4, 5, 6, 7, 8, 10, 11, 12]


def test_histograms_and_pictures(run, images):
    events, _, _, model = run
    histogram = curve(events, "logits_real")[12]  # [buckets, (left, right, count)]
    logits = diagnose(model, {"image": images})["logits_real"]
    assert histogram[:, 2].sum() == 64
    np.testing.assert_allclose(
        [histogram[0, 0], histogram[-1, 1]], [logits.min(), logits.max()], rtol=1e-5
    )
    width, height, png = curve(events, "samples")[12]
    assert (int(width), int(height)) == (8 * 65 + 1, 8 * 65 + 1) and png.startswith(b"\x89PNG")


def test_config_is_a_table(run):
    (text,) = curve(run[0], "config")[0].ravel()[:1]
    assert b"| lr | `0.5` |" in text


def test_projector(run, images):
    _, log_dir, _, model = run
    config = text_format.Parse((log_dir / "projector_config.pbtxt").read_text(), ProjectorConfig())
    (embedding,) = config.embeddings
    codes = np.loadtxt(log_dir / embedding.tensor_path, delimiter="\t")
    assert_close(codes, model.encode(images), tol=2e-5)  # six digits
    labels = (log_dir / embedding.metadata_path).read_text().splitlines()
    assert labels == [str(i % 10) for i in range(64)]
    assert list(embedding.sprite.single_image_dim) == [8, 8]
    sprite = np.asarray(Image.open(log_dir / embedding.sprite.image_path))
    assert sprite.shape == (64, 64)  # 8 × 8 images of 8 × 8
    np.testing.assert_array_equal(sprite[8:16, 16:24], np.rint(images[10, :, :, 0] * 255))


def test_projector_without_labels_and_for_few_wide_images(tmp_path):
    class Model:
        def encode(self, images):
            return images.mean(axis=(1, 2))

    write_projector(Model(), tmp_path, np.zeros((5, 4, 2000, 1), np.float32))
    assert not (tmp_path / "metadata.tsv").exists()
    assert Image.open(tmp_path / "sprite.png").size == (3 * 2000, 2 * 4)
    write_projector(Model(), tmp_path, np.zeros((20, 4, 2000, 1), np.float32))
    assert Image.open(tmp_path / "sprite.png").size == (4 * 2000, 4 * 4)  # 8192 pixels at most
    assert len((tmp_path / "embedding.tsv").read_text().splitlines()) == 16


def test_speed_in_steps_and_pictures_every_second_epoch(tmp_path, model, play, images):
    play(model, 3, [Dashboard(tmp_path, images, every_epochs=2)])
    events = read(tmp_path)
    assert list(curve(events, "speed/steps_per_second")) == [4, 6, 8, 10, 12]
    assert "config" not in events.Tags()["tensors"]
    assert list(curve(events, "samples")) == [0, 8, 12]
