"""Options that follow from the images, and what the user gives, which always wins."""

import json
import re

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from tf_bigan.data import Description
from tf_bigan.run import defaults, train
from tf_bigan.run.config import Config
from tf_bigan.run.workdir import Workdir


def of(count=3_000, size=(32, 32), side=None, channels=3, **given):
    return defaults.of_data(Description(count, size, side or min(size), channels), given)


@pytest.mark.parametrize(
    ("size", "side", "chosen"),
    [
        ((28, 28), 28, None),  # as they are
        ((64, 48), 48, None),
        ((96, 96), 96, "64"),
        ((300, 65), 65, "64"),
        ((5, 4), 4, "8"),
        (None, 20, "16"),
        (None, 25, "32"),
        (None, 46, "64"),
        (None, 3_000, "64"),
        (None, 1, "8"),
    ],
)
def test_the_size(size, side, chosen):
    assert of(size=size, side=side).get("image_size") == chosen


@pytest.mark.parametrize(
    ("count", "batch"), [(3, 1), (9, 2), (40, 8), (255, 32), (256, 64), (10**6, 64)]
)
def test_a_batch_is_at_most_a_fourth(count, batch):
    assert of(count)["batch_size"] == batch


@pytest.mark.parametrize(
    ("size", "channels", "networks", "batch"),
    [
        # 15 minutes have 6,380 steps of 64·32·32·2 or 16·64·64·2 pixels, 3,307 of twice as many.
        ((32, 32), 3, "conv", 64),
        ((64, 64), 3, "conv", 16),
        ((64, 64), 1, "conv", 32),
        ((64, 32), 3, "conv", 32),
        ((64, 64), 3, "residual", 64),
    ],
)
def test_large_images_have_small_batches(size, channels, networks, batch):
    options = of(size=size, channels=channels, networks=networks)
    assert options["batch_size"] == batch
    assert of(40, size, channels=channels, networks=networks)["batch_size"] == 8


def test_the_length_fits_into_the_time():
    # A step of 64 images takes 0.01 + 64·32·32·1e-6 = 0.0755 s: 11,916 in 15 minutes.
    assert of(6_400, channels=1)["epochs"] == round(11_916 / 100) == 119
    assert of(50_000, channels=1)["epochs"] == round(11_916 / 782) == 15
    # 0.01 + 64·64·64·1e-6 = 0.2721 s: 3,307 steps; of 32 images 6,380
    large = {"size": (64, 64), "channels": 1}
    assert of(6_400, **large, batch_size=64)["epochs"] == 33
    assert of(6_400, **large)["epochs"] == 32
    assert of(6_400, **large, networks="residual")["epochs"] == 8
    assert of(6_400, **large, image_size="32")["epochs"] == 119
    assert of(6_400, channels=1, batch_size=128)["epochs"] == round(900 / (0.01 + 0.131072) / 50)
    # Colour, with twice as many channels: 0.01 + 2·0.065536 = 0.1411 s: 6,380 steps
    assert of(6_400)["epochs"] == of(6_400, channels=1, width=32)["epochs"] == 64
    assert of(10**7, (64, 64))["epochs"] == 1
    assert of(64, (8, 8))["epochs"] == 1_000


def test_small_sets_are_augmented_where_the_system_can():
    assert "augmentation" not in of(10_000)
    Config(**of(9_999))  # is valid
    assert of(9_999)["augmentation"] == defaults.AUGMENTATION
    assert of(9_999)["loss"] == "relativistic" and "loss" not in of(10_000)
    assert "loss" not in of(9_999, model="bigbigan")  # has a loss of its own
    assert "augmentation" not in of(9_999, model="autoencoder")
    assert "augmentation" not in of(9_999, model="began")
    assert "channels" not in of(channels=2)
    assert of(channels=1)["channels"] == 1
    assert "channels" not in of(channels=1, model="dann", target_dataset="mnist_m")  # in colour


def test_networks_of_colour_are_wider():
    assert of()["width"] == 32 and Config(**of()).width == 32
    for given in ({"channels": 1}, {"networks": "residual"}, {"networks": "dcgan"}):
        assert "width" not in of(**given)
    assert of(width=8)["epochs"] > of(width=16)["epochs"] > of()["epochs"]


def test_players_learn_faster_from_small_sets_with_a_smoother_discriminator():
    assert "player_rates" not in of(10_000)
    assert Config(**of(9_999)).rates == {"D": 4e-4, "EG": 1e-3}
    assert of(9_999)["penalty"] == "r1:gamma=1" and "penalty" not in of(10_000)
    for given in ({"learning_rate": 1e-4}, {"networks": "residual"}, {"model": "gan"}):
        assert "player_rates" not in of(9_999, **given)


def test_an_epoch_of_a_few_images_is_seldom_measured():
    options = of(640, (8, 8))  # 10 steps in an epoch
    assert options["epochs"] == 1_000
    assert options["eval_every"] == options["picture_every"] == 40
    assert options["checkpoint_steps"] == 400
    assert of(50_000)["eval_every"] == 1 and of(50_000)["checkpoint_steps"] == 0


def test_a_long_epoch_is_saved_in_between():
    million = of(10**6)  # 15,625 steps of 0.1411 s in the only epoch: 37 minutes
    assert (million["epochs"], million["eval_every"]) == (1, 1)
    assert million["checkpoint_steps"] == 2_127  # five minutes
    assert of(10**6, epochs=10)["checkpoint_steps"] == 156_250 // 25
    assert of(10**6, epochs=40)["checkpoint_steps"] == of(60_000)["checkpoint_steps"] == 0


@pytest.fixture
def pictures(tmp_path):
    """Grey pictures of several sizes, the median of their shorter sides 8."""
    folder = tmp_path / "pictures"
    folder.mkdir()
    rng = np.random.default_rng(0)
    for i in range(24):
        Image.fromarray(rng.integers(0, 256, (6 + i % 7, 20), np.uint8)).save(folder / f"{i}.png")
    return folder


@pytest.fixture
def configured(capsys):
    """A function that gives the configuration of a command, and what it says of it."""

    def call(*arguments):
        train.FLAGS.unparse_flags()
        train.FLAGS(["train.py", *arguments])
        strategy = tf.distribute.get_strategy()
        config = train.config_from_flags(train.FLAGS)
        config = train.config_of_data(config, strategy, Workdir("runs/none"))
        (line,) = re.findall("^settings of .*", capsys.readouterr().err, re.MULTILINE)
        return config, line

    return call


def test_a_line_shows_the_chosen_options(pictures, configured):
    config, line = configured(f"--dataset=folder:{pictures}")
    assert line.startswith(
        "settings of 17 training images of several sizes, the median side 8, about 15 minutes on "
        "two cores: --image_size=8 --channels=1 --resize=crop --batch_size=4 --augmentation="
    )
    picked = (config.image_size, config.channels, config.batch_size, config.epochs)
    assert picked == ("8", 1, 4, 1_000)


def test_one_picture_is_singular():
    assert "settings of 1 training image of 8×8" in defaults.described(
        Description(1, (8, 8), 8, 1), {}
    )


def test_what_is_given_wins(pictures, configured):
    config, line = configured(
        *(f"--dataset=folder:{pictures}", "--image_size=10x8", "--channels=4", "--epochs=3"),
        *("--augmentation=none", "--resize=pad", "--background=black", "--batch_size=5"),
    )
    assert (config.size, config.channels, config.epochs) == ((10, 8), 4, 3)
    assert (config.resize, config.background, config.batch_size) == ("pad", "black", 5)
    assert "--channels=4 --resize=pad --width=32 --batch_size=5 --augmentation=none" in line


def test_arrays_follow_the_same_rules(tmp_path, configured):
    np.savez(tmp_path / "x.npz", images=np.zeros((30, 90, 80, 3), np.uint8))
    config, line = configured(f"--dataset=npz:{tmp_path}/x.npz")
    assert "settings of 21 training images of 90×80" in line
    assert (config.image_size, config.channels, config.batch_size) == ("64", 3, 4)


@pytest.mark.parametrize("argument", ["--dataset=digits", "--dataset=mnist", "--preset=best_svhn"])
def test_presets_stay_as_they_are(argument):
    train.FLAGS.unparse_flags()
    train.FLAGS(["train.py", argument])
    assert train.has_preset(train.FLAGS)


@pytest.mark.slow
def test_a_dry_run_prints_them(pictures, command, eagerly, tmp_path, monkeypatch):
    monkeypatch.setattr(train, "DRY_RUN_SECONDS", 0.0)
    status, out, err = command(
        *("train", f"--dataset=folder:{pictures}", "--dry_run", f"--workdir={tmp_path}/run"),
        *("--networks=mlp", "--width=4", "--latent_dim=2"),
    )
    assert status == 0 and "\nsettings of 17 " in f"\n{err}", err
    assert '"image_size": "8"' in out and '"batch_size": 4' in out
    assert not (tmp_path / "run").exists()


@pytest.fixture
def started(pictures, command, tmp_path, monkeypatch):
    """The options of a run on the pictures that has a checkpoint."""
    options = [f"--dataset=folder:{pictures}", f"--workdir={tmp_path}/run", "--width=4"]
    options += ["--latent_dim=2", "--eval_every=0", "--networks=mlp", "--validation=4"]
    monkeypatch.setattr(train, "train_and_save", lambda *arguments: 0)
    monkeypatch.setattr(train, "measurement", lambda *arguments: None)
    monkeypatch.setattr(train.tb.run.build, "build_model", lambda *arguments: (None, ""))
    assert command("train", *options)[0] == 0
    monkeypatch.setattr(train.tb.callbacks, "latest", lambda directory: "a checkpoint")
    return options


def test_fewer_pictures_are_refused_when_resuming(pictures, command, started):
    """Not the options that would follow from them."""
    for path in sorted(pictures.iterdir())[:12]:
        path.unlink()
    status, _, err = command("train", *started)
    assert status == 2 and "run with 16 training images, now there are 6: use the same" in err, err
    status, _, err = command("train", *started, "--batch_size=2")
    assert status == 2 and "with other options (--batch_size=4 there, 2 here)" in err


def test_what_may_change_is_not_held_against_what_was_before(command, started, tmp_path):
    file = tmp_path / "run" / "config.json"
    record = json.loads(file.read_text())
    record["config"] |= {"monitor": "EGr", "eval_every": 1}
    file.write_text(json.dumps(record))
    status, _, err = command("train", *started)  # with --eval_every=0
    assert status == 2 and "no checkpoint in" in err, err  # to restore: nothing else is wrong


def test_other_pictures_are_refused_when_resuming(pictures, command, started):
    """By their content, not only by their number."""
    for path in pictures.iterdir():
        Image.fromarray(255 - np.asarray(Image.open(path))).save(path)
    status, _, err = command("train", *started)
    assert status == 2
    assert "run with 16 training images, now there are as many, but not the same" in err


def test_images_from_which_other_options_follow_when_resuming(pictures, command, started):
    """The user gave the same options."""
    Image.new("RGB", (20, 6), "red").save(pictures / "0.png")
    status, _, err = command("train", *started)
    assert status == 2
    words = "other options (--channels=1 there, 3 here), some of which follow from the images: use"
    assert f"{words} the same options and images" in err
