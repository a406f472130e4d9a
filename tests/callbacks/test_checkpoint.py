import errno
import json
import os
import resource
import shutil
import zipfile

import keras
import numpy as np
import pytest

from tests.small import as_it_was
from tf_bigan.callbacks import Checkpoint, latest, restore, save_model
from tf_bigan.errors import UserError


def names(directory):
    return sorted(os.listdir(directory))


def flip_middle_bit(content):
    middle = len(content) // 2
    return content[:middle] + bytes([content[middle] ^ 1]) + content[middle + 1 :]


@pytest.fixture(scope="module")
def three_once(tmp_path_factory, built, play):
    directory = tmp_path_factory.mktemp("three")
    play(as_it_was(*built), 3, [Checkpoint(directory)])
    assert names(directory) == [f"step-{step:08d}.keras" for step in (4, 8, 12)]
    return directory


@pytest.fixture
def three(tmp_path, three_once):
    """A directory with the checkpoints of steps 4, 8 and 12."""
    return shutil.copytree(three_once, tmp_path / "run")


def test_keeps_the_newest(tmp_path, model, play):
    play(model, 4, [Checkpoint(tmp_path, keep=2)])
    assert names(tmp_path) == ["step-00000012.keras", "step-00000016.keras"]


def test_every_steps_saves_at_the_call_boundary_after_the_multiple(tmp_path, model, play):
    # Boundaries are the even steps; multiples of 3 are 3, 6, 9, 12.
    saver = Checkpoint(tmp_path, every_steps=3, every_epochs=None, keep=9)
    play(model, 3, [saver])
    assert names(tmp_path) == [f"step-{step:08d}.keras" for step in (4, 6, 10, 12)]


def test_every_epochs_and_the_end(tmp_path, model, play):
    play(model, 3, [Checkpoint(tmp_path, every_epochs=2)])
    assert names(tmp_path) == ["step-00000008.keras", "step-00000012.keras"]


def test_an_epochs_last_step_is_saved_after_the_epochs_end(tmp_path, model, play):
    seen = []

    class Watch(keras.callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            seen.append(names(tmp_path))

    play(model, 1, [Checkpoint(tmp_path, every_steps=2), Watch()])
    assert seen[0] == ["step-00000002.keras", "step-00000004.keras"]
    shutil.rmtree(tmp_path)
    os.mkdir(tmp_path)
    model.step.assign(0)
    play(model, 1, [Watch(), Checkpoint(tmp_path, every_steps=2)])
    assert seen[1] == ["step-00000002.keras"]


@pytest.mark.parametrize(
    ("monitor", "values", "best_epoch"),
    [
        ("NND", [3.0, 2.0, 2.5], 2),
        ("NNC_e-", [90.0, 80.0, 95.0], 3),
        ("NND", [np.nan, 3.0, 4.0], 2),
    ],
)
def test_best(tmp_path, model, play, logs_of, monitor, values, best_epoch):
    logs = logs_of({epoch + 1: {monitor: value} for epoch, value in enumerate(values)})
    play(model, 3, [logs, Checkpoint(tmp_path, monitor=monitor)])
    record = json.loads((tmp_path / "best.json").read_text())
    expected = {"monitor": monitor, "value": values[best_epoch - 1]}
    assert record == {**expected, "epoch": best_epoch, "step": 4 * best_epoch}
    best = keras.saving.load_model(tmp_path / "best.keras")
    assert int(best.step.numpy()) == 4 * best_epoch


def test_best_value_is_known_to_a_resumed_run(tmp_path, model, play, logs_of):
    play(model, 1, [logs_of({1: {"NND": 2.0}}), Checkpoint(tmp_path, monitor="NND")])
    model, _ = restore(tmp_path)
    logs = logs_of({2: {"NND": 2.1}, 3: {"NND": 1.9}})
    play(model, 2, [logs, Checkpoint(tmp_path, monitor="NND")])
    assert json.loads((tmp_path / "best.json").read_text())["value"] == 2.0
    play(model, 3, [logs, Checkpoint(tmp_path, monitor="NND")])
    assert json.loads((tmp_path / "best.json").read_text())["value"] == 1.9
    for text in ('{"moni', "3", '{"monitor": "NND"}'):
        (tmp_path / "best.json").write_text(text)
        with pytest.raises(UserError, match="best.json is broken: remove it"):
            play(model, 4, [logs, Checkpoint(tmp_path, monitor="NND")])


def test_monitored_value_may_come_less_often_than_checkpoints(tmp_path, model, play, logs_of):
    saver = Checkpoint(tmp_path, monitor="NND", monitor_every=2)
    play(model, 3, [logs_of({2: {"NND": 1.0}}), saver])
    assert json.loads((tmp_path / "best.json").read_text())["epoch"] == 2


def test_misspelt_monitor_names_the_logs(tmp_path, model, play):
    with pytest.raises(UserError) as error:
        play(model, 1, [Checkpoint(tmp_path, monitor="los_EG")])
    message = str(error.value)
    assert "los_EG" in message and "did you mean loss_EG" in message and "\n" not in message


@pytest.mark.parametrize(
    "arguments", [{"keep": 0}, {"every_steps": 0}, {"every_epochs": 0}, {"mode": "least"}]
)
def test_arguments_out_of_range(tmp_path, arguments):
    with pytest.raises(UserError, match=f"^{next(iter(arguments))}="):
        Checkpoint(tmp_path, monitor="NND", **arguments)


# --- what goes wrong ------------------------------------------------------------------------


def test_disk_that_fills_up_in_the_middle_of_writing(three, model):
    before = {name: (three / name).read_bytes() for name in names(three)}
    path = three / "step-00000012.keras"
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (len(before[path.name]) // 2, hard))
    try:
        with pytest.raises(UserError) as error:
            save_model(model, path)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    message = str(error.value)
    assert str(path) in message and os.strerror(errno.EFBIG) in message
    assert "start again" in message and "\n" not in message
    assert {name: (three / name).read_bytes() for name in names(three)} == before


def test_disk_that_is_found_full_at_the_very_end(three, play, monkeypatch):
    before = names(three)
    model, _ = restore(three)

    def full(descriptor):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(UserError, match="step-00000016.keras: No space left on device;"):
        play(model, 4, [Checkpoint(three)])
    assert names(three) == before
    _, path = restore(three)
    assert path.endswith("step-00000012.keras")


def test_a_training_from_the_beginning_has_no_earlier_best(tmp_path, built, play, logs_of):
    for value in (0.1, 0.5):
        for path in tmp_path.glob("step-*.keras"):  # as `restore` advises
            path.unlink()
        checkpoint = Checkpoint(tmp_path, monitor="NND")
        play(as_it_was(*built), 1, [logs_of({1: {"NND": value}}), checkpoint])
        assert json.loads((tmp_path / "best.json").read_text())["value"] == value


def test_a_file_is_not_a_directory_of_checkpoints(tmp_path, model, play):
    (tmp_path / "file").touch()
    with pytest.raises(UserError, match="no checkpoints in .*file: File exists"):
        play(model, 1, [Checkpoint(tmp_path / "file")])


def encrypted(content):
    """Every file of the archive is said to be, in its directory."""
    at = content.find(b"PK\x01\x02")
    while at >= 0:
        content = content[: at + 8] + bytes([content[at + 8] | 1]) + content[at + 9 :]
        at = content.find(b"PK\x01\x02", at + 4)
    return content


def test_leftovers_of_a_killed_run_are_ignored_and_removed(three, play):
    left = three / ".incomplete-step-00000099.keras"
    os.mkdir(left)
    (left / "step-00000099.keras").write_bytes(b"half")
    model, path = restore(three)
    assert path.endswith("step-00000012.keras")
    play(model, 4, [Checkpoint(three)])
    assert names(three) == [f"step-{step:08d}.keras" for step in (8, 12, 16)]


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        (lambda content: content[: len(content) // 2], "not a zip file"),
        (lambda content: b"", "not a zip file"),
        (flip_middle_bit, "checksum of model.weights.h5"),
        (encrypted, "encrypted"),
    ],
)
def test_damaged_newest_falls_back_to_the_one_before(three, caplog, damage, words):
    newest = three / "step-00000012.keras"
    newest.write_bytes(damage(newest.read_bytes()))
    model, path = restore(three)
    assert path.endswith("step-00000008.keras") and int(model.step.numpy()) == 8
    assert latest(three) == str(newest)
    (record,) = [record for record in caplog.records if record.name == "absl"]
    assert str(newest) in record.getMessage() and words in record.getMessage()


def test_a_checkpoint_without_weights_is_damaged(three):
    with zipfile.ZipFile(three / "step-00000099.keras", "w") as archive:
        archive.writestr("config.json", "{}")
    assert restore(three)[1].endswith("step-00000012.keras")


def test_a_checkpoint_that_keras_cannot_load_is_one_line(three):
    path = three / "step-00000012.keras"
    with zipfile.ZipFile(path) as archive:
        parts = {name: archive.read(name) for name in archive.namelist()}
    parts["config.json"] = parts["config.json"].replace(b"tf_bigan>BiGAN", b"tf_bigan>NoGAN")
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in parts.items():
            archive.writestr(name, content)
    with pytest.raises(
        UserError, match="step-00000012.keras cannot be loaded as a model: "
    ) as error:
        restore(three)
    assert "\n" not in str(error.value)


def test_going_on_from_before_a_damaged_one_never_deletes_the_good(three, play):
    (three / "step-00000099.keras").write_bytes(b"half")
    model, _ = restore(three)
    play(model, 4, [Checkpoint(three, keep=1)])
    assert names(three) == ["step-00000016.keras", "step-00000099.keras"]


def test_no_readable_checkpoint(tmp_path):
    assert latest(tmp_path / "nothing") is None
    with pytest.raises(UserError, match=r"no checkpoint in .*nothing"):
        restore(tmp_path / "nothing")
    (tmp_path / "step-00000004.keras").write_bytes(b"")
    with pytest.raises(UserError, match="none of the 1 checkpoints"):
        restore(tmp_path)


@pytest.mark.parametrize("part", ["weight", "optimizer", "average"])
def test_state_that_is_not_finite_is_refused(three, built_averaged, part):
    path = three / "step-00000012.keras"
    before, files = path.read_bytes(), names(three)
    model = as_it_was(*built_averaged)
    variable = {
        "weight": model.generator.trainable_variables[0],
        "optimizer": model.optimizer_of("D").variables[-1],
        "average": model.average.encoder.trainable_variables[0],
    }[part]
    value = variable.numpy()
    value[0, 0] = np.nan
    variable.assign(value)
    with pytest.raises(UserError, match=f"{variable.path} is not finite"):
        save_model(model, path)
    assert path.read_bytes() == before and names(three) == files


def test_a_new_model_does_not_mix_with_an_earlier_training(three, model, play):
    before = names(three)
    with pytest.raises(UserError, match="holds the checkpoints of an earlier training: resume it"):
        play(model, 1, [Checkpoint(three)])
    assert names(three) == before


def test_weights_put_back_at_the_end_do_not_replace_a_checkpoint(tmp_path, model, play):
    first = tmp_path / "step-00000004.keras"

    class PutBack(keras.callbacks.Callback):
        def on_train_end(self, logs=None):
            self.before = first.read_bytes()
            self.model.step.assign(4)
            weight = self.model.generator.trainable_variables[0]
            weight.assign(weight + 1.0)  # others than those of then: their file would differ

    put_back = PutBack()
    play(model, 3, [put_back, Checkpoint(tmp_path)])
    assert first.read_bytes() == put_back.before
    assert names(tmp_path)[-1] == "step-00000012.keras"


def test_a_best_whose_run_was_killed_before_its_checkpoint_is_not_lost(
    tmp_path, model, play, monkeypatch
):
    value = {1: 3.0, 2: 1.0, 3: 2.0}

    class Value(keras.callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            logs["error"] = value[epoch + 1]

    def best():
        return json.loads((tmp_path / "best.json").read_text())["step"]

    whole = Checkpoint.save
    saver = Checkpoint(tmp_path, monitor="error")
    with monkeypatch.context() as patch:

        def killed(self):
            if self.step == 8:
                raise KeyboardInterrupt
            return whole(self)

        patch.setattr(Checkpoint, "save", killed)
        with pytest.raises(KeyboardInterrupt):
            play(model, 3, [Value(), saver])
    model, path = restore(tmp_path)
    assert path.endswith("step-00000004.keras") and best() == 8
    play(model, 3, [Value(), Checkpoint(tmp_path, monitor="error")])
    assert best() == 8
