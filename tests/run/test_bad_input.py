"""Whatever is wrong with a command: one line that says so, a status, and nothing written."""

import json
import re
import resource
import shutil
import subprocess
import sys
from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

import tf_bigan as tb
from tf_bigan.errors import UserError
from tf_bigan.run import train
from tf_bigan.run.config import Config
from tf_bigan.run.workdir import Workdir

ROOT = Path(__file__).parents[2]
# What data.load says of the data, and TensorFlow's native code at every start.
NOTICE = re.compile(
    r".* \((train|validation|test)\): [\d,]+ images |settings of "
    r"|[IE]0000 |WARNING: All log |To enable the "
)


def the_line(script: str, stderr: str) -> str:
    """The last line of stderr, which alone is not about the data or TensorFlow's."""
    lines = [line for line in stderr.splitlines() if not NOTICE.match(line)]
    assert len(lines) == 1 and lines[0] == stderr.splitlines()[-1], stderr
    assert lines[0].startswith(f"{script}.py: ")
    return lines[0]


@pytest.fixture(scope="module")
def bad(tmp_path_factory) -> Path:
    """A directory of inputs that are wrong, each in one way."""
    root = tmp_path_factory.mktemp("bad")
    rng = np.random.default_rng(0)
    pixels = rng.integers(0, 256, (24, 8, 8), np.uint8)
    (root / "file").write_text("not what you think")
    (root / "loop").symlink_to("loop")
    (root / "results" / "report.html").mkdir(parents=True)
    for name in ("samples", "model.keras"):  # where a run has a directory, and a file
        (root / name / name).mkdir(parents=True)
    (root / "samples" / "samples").rmdir()
    (root / "samples" / "samples").touch()

    np.savez(root / "unlabelled.npz", images=pixels)
    np.savez(root / "tiny.npz", images=pixels[:, :4, :4])
    np.savez(root / "key.npz", pictures=pixels)
    np.savez(root / "range.npz", images=pixels.astype(np.float32))
    np.savez(root / "nan.npz", images=np.where(pixels > 254, np.nan, 0.5))
    whole = (root / "unlabelled.npz").read_bytes()
    (root / "cut.npz").write_bytes(whole[: len(whole) // 2])

    for name in (
        "empty",
        "truncated",
        "few",
        "idx",
        "sizes",
        "keras",
        "no_checkpoint",
        "broken_config",
    ):
        (root / name).mkdir()
    for i in range(13):
        Image.fromarray(pixels[i]).save(root / "truncated" / f"{i}.png")
        Image.fromarray(pixels[i, : 8 - i % 2]).save(root / "sizes" / f"{i}.png")
        if i < 3:
            Image.fromarray(pixels[i]).save(root / "few" / f"{i}.png")
    png = (root / "truncated" / "3.png").read_bytes()
    (root / "truncated" / "3.png").write_bytes(png[: len(png) // 2])
    header = bytes([0, 0, 8, 3]) + b"".join(n.to_bytes(4, "big") for n in (24, 8, 8))
    (root / "idx" / "train-images-idx3-ubyte").write_bytes(header + pixels.tobytes()[:-7])

    other = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])
    other.save(root / "keras" / "other.keras")
    config = json.dumps({"config": {"dataset": "digits"}})
    (root / "no_checkpoint" / "config.json").write_text(config)
    (root / "broken_config" / "config.json").write_text(config[:-5])
    return root


TRAIN = {
    "unknown flag": (["--epoch=3"], "'epoch'. Did you mean: epochs"),
    "positional argument": (["mnist"], "unexpected argument mnist"),
    "no number": (["--epochs=many"], "--epochs=many"),
    "unknown dataset": (["--dataset=digitz"], "'digitz'; did you mean digits"),
    "dataset without path": (["--dataset=npz:"], "npz: names nothing: a path must"),
    "unknown model": (["--model=bigam"], "--model=bigam is unknown; did you mean bigan"),
    "unknown module": (
        ["--model=no_such.thing"],
        "--model=no_such.thing is unknown: no module no_such on Python's path",
    ),
    "path of a module": (
        ["--model=./my_model.py"],
        "--model=./my_model.py: give a name, or a module such as my_package.my_model",
    ),
    "relative module": (["--model=.bigan"], "--model=.bigan: give a name, or a module such as"),
    "player twice": (["--moves=D+EG+D"], "moves: D is twice in the same group"),
    "unknown loss": (["--loss=hing"], "--loss=hing is unknown; did you mean hinge"),
    "unknown penalty": (["--penalty=r2"], "--penalty=r2 is unknown; did you mean r1"),
    "argument of a penalty": (
        ["--penalty=r1:gama=1"],
        "penalty: no argument gama; did you mean gamma",
    ),
    "unknown augmentation": (
        ["--augmentation=flop"],
        "--augmentation=flop is unknown; did you mean",
    ),
    "unknown networks": (["--networks=mpl"], "--networks=mpl is unknown; did you mean mlp"),
    "unknown preset": (["--preset=paper"], "--preset=paper is unknown; did you mean paper_mnist"),
    "batch of none": (["--batch_size=0"], "--batch_size=0: it must be an int in [1, inf)"),
    "negative batch": (["--batch_size=-4"], "--batch_size=-4: it must be an int in [1, inf)"),
    "batch too large": (["--batch_size=1250"], "batch_size=1250 is larger than the data (1,249"),
    "no epsilon": (["--epsilon=0"], "--epsilon=0.0: it must be a float in (0, inf)"),
    "latent dimension": (["--latent_dim=0"], "--latent_dim=0: it must be an int in [1, inf)"),
    "two sizes of z": (
        ["--latent_dim=32", "--prior=normal8+categorical4"],
        "--latent_dim=32: --prior=normal8+categorical4 sets the latent dimension",
    ),
    "decay in one epoch": (["--decay_epochs=1"], "give 0 for a constant rate, or at least 2"),
    "rate of nobody": (["--player_rates=E=1e-3"], "no player E; did you mean EG"),
    "rate of nothing": (["--player_rates=EG"], "--player_rates=EG: give PLAYER=RATE"),
    "image size": (["--image_size=abc"], "--image_size=abc: give SIDE or HxW"),
    "too much validation": (["--validation=1498"], "cannot reserve 1,498 examples"),
    "too few images": (
        ["--dataset=folder:{bad}/few", "--batch_size=2"],
        "cannot reserve 2 examples of 2: give at least 4 images",
    ),
    "images too small": (
        ["--dataset=npz:{bad}/tiny.npz", "--image_size=4", "--networks=dcgan", "--batch_size=4"],
        "at least 8×8 pixels, not 4×4",
    ),
    "npz without key": (["--dataset=npz:{bad}/key.npz"], "no key 'images'"),
    "npz not there": (
        ["--dataset=npz:{bad}/none.npz"],
        "train.py: cannot read {bad}/none.npz: No such file or directory",
    ),
    "npz cut off": (["--dataset=npz:{bad}/cut.npz"], "cut.npz"),
    "values out of range": (
        ["--dataset=npz:{bad}/range.npz"],
        "has values from 0 to 255; pixels must be uint8 or floats in [0, 1]",
    ),
    "values not finite": (["--dataset=npz:{bad}/nan.npz"], "'images' contains NaN; pixels must be"),
    "empty folder": (["--dataset=folder:{bad}/empty"], "holds no pictures"),
    "folder without path": (
        ["--dataset=folder:"],
        "folder: names nothing: a path must follow the colon",
    ),
    "a loop of links": (["--dataset=folder:{bad}/loop"], "loop: Too many levels of symbolic links"),
    "a file for a directory": (
        ["--workdir={bad}/samples"],
        "samples/samples is not a directory: move it away, or use another directory",
    ),
    "a directory for a file": (["--workdir={bad}/model.keras"], "model.keras is a directory: move"),
    "no folder": (["--dataset=folder:{bad}/none"], "none: No such file"),
    "broken image": (
        ["--dataset=folder:{bad}/truncated", "--strict_data"],
        "1 of 13 left out: 1 broken (3.png)",
    ),
    "idx of wrong length": (["--dataset=idx:{bad}/idx"], "expected 1552 bytes"),
    "no idx": (["--dataset=idx:{bad}/empty"], "no IDX files found"),
    "data_dir is a file": (["--data_dir={bad}/file"], "file is a file: give a directory"),
    "run among its pictures": (
        ["--dataset=folder:{bad}/few", "--workdir={bad}/few/run"],
        "few/run lies in {bad}/few, so that the run's own pictures would be training images",
    ),
    "moves of nobody": (["--moves=D,,EG"], "--moves=D,,EG: a player is missing"),
    "no moves": (["--moves="], "--moves=: a player is missing"),
    "monitor without direction": (
        ["--monitor=EGr_b"],
        "--monitor=EGr_b: neither low nor high values of EGr_b are better",
    ),
    "misspelt monitor": (
        ["--monitor=val_EGR"],
        "--monitor=val_EGR: it is not among the metrics of --eval_metrics",
    ),
    "monitor of nothing": (
        ["--monitor=EGr", "--eval_every=0"],
        "nothing is measured with --eval_every=0",
    ),
    "monitor without validation": (
        ["--monitor=EGr", "--validation=0"],
        "--monitor=EGr: nothing is measured with --validation=0: change one of them",
    ),
    "monitor of another system": (
        ["--monitor=EGr", "--model=gan"],
        "--monitor=EGr: EGr needs an encoder; choose one of NND/100",
    ),
    "unknown eval metric": (
        ["--eval_metrics=NND,EGs"],
        "--eval_metrics=NND,EGs: 'EGs' is unknown; did",
    ),
    "eval metric of another system": (
        ["--eval_metrics=NND/100,accuracy"],
        "--eval_metrics=NND/100,accuracy: accuracy needs a system that classifies",
    ),
    "metrics of nothing": (
        ["--eval_metrics=EGr", "--validation=0"],
        "--eval_metrics=EGr: nothing is measured with --validation=0: change one of them",
    ),
    "metrics never": (["--eval_metrics=EGr", "--eval_every=0"], "measured with --eval_every=0"),
    "profile of no step": (["--profile=20:30"], "--profile=20:30: the run has only 20 steps"),
    "no workdir": (["--workdir="], "--workdir= is empty: give a directory"),
    "workdir is a file": (["--workdir={bad}/file"], "{bad}/file is a file"),
    "workdir below a file": (["--workdir={bad}/file/run"], "{bad}/file is a file"),
    "workdir of nobody": (["--workdir=/proc/run"], "/proc/run cannot be written"),
    "workdir of another": (
        ["--workdir={bad}/no_checkpoint", "--model=bigan", "--latent_dim=3", "--batch_size=7"],
        "(--latent_dim=16 there, 3 here; ",
    ),
    "workdir with a broken config": (["--workdir={bad}/broken_config"], "config.json is not"),
}

EVALUATE = {
    "unknown flag": (["--metric=NND"], "'metric'. Did you mean: metrics"),
    "nothing to measure": ([], "either --workdir=DIR of a run or --model=FILE"),
    "two to measure": (["--workdir=x", "--model=y"], "either --workdir=DIR of a run or --model"),
    "no data": (["--model={bad}/file"], "--model needs --dataset"),
    "no such model": (["--model={bad}/x.keras", "--dataset=digits"], "x.keras does not exist"),
    "no model": (["--model={bad}/file", "--dataset=digits"], "file cannot be loaded as a model"),
    "cut model": (["--model={run}/cut.keras", "--dataset=digits"], "cannot be loaded as a model"),
    "other model": (
        ["--model={bad}/keras/other.keras", "--dataset=digits"],
        "other.keras holds a Sequential, not an AdversarialModel",
    ),
    "no such run": (["--workdir={bad}/none"], "holds no run (no config.json)"),
    "broken config": (["--workdir={bad}/broken_config"], "config.json is not readable"),
    "run without checkpoint": (["--workdir={bad}/no_checkpoint"], "no checkpoint in"),
    "unknown metric": (["--workdir={run}", "--metrics=NNC_f"], "'NNC_f' is unknown; did you mean"),
    "few samples": (["--workdir={run}", "--samples=99"], "--samples=99"),
    "no number of seeds": (["--workdir={run}", "--seeds=two"], "--seeds=two: give a number above"),
    "no seeds": (["--workdir={run}", "--seeds=0"], "--seeds=0: give a number above 0"),
    "no seeds in two digits": (["--workdir={run}", "--seeds=00"], "--seeds=00: give a number"),
    "a comma and no run": (["--workdir={run},"], "a name is empty; separate names by one comma"),
    "seed too large": (
        ["--workdir={run}", "--seeds=1,2147483648"],
        "it must be an int in [0, 2147483647]",
    ),
    "pattern without runs": (["--workdir={bad}/f*"], "--workdir={bad}/f*: there is no run"),
    "one of two missing": (["--workdir={run},{bad}/none"], "{bad}/none holds no run"),
    "unknown split": (["--workdir={run}", "--split=train"], "--split=train"),
    "other images": (
        ["--workdir={run}", "--dataset=npz:{bad}/tiny.npz"],
        "for images of shape (8, 8, 1), but npz:",
    ),
    "no labels": (
        ["--workdir={run}", "--dataset=npz:{bad}/unlabelled.npz", "--metrics=NND/100,NNC_e"],
        "NNC_e needs labels: leave it out",
    ),
    "output is a file": (["--workdir={run}", "--output={bad}/file"], "{bad}/file is a file"),
    "a directory for a result": (
        ["--workdir={run}", "--output={bad}/results"],
        "results/report.html is a directory: move it away, or use another directory",
    ),
    "metrics of no training": (["--workdir={run}/curves"], "metrics.jsonl is not readable as"),
    "inside of a run": (["--workdir={run}/checkpoints"], "holds no run (no config.json): give "),
}


def files_of(*directories) -> dict[str, bytes]:
    paths = (path for directory in directories for path in sorted(directory.rglob("*")))
    return {str(path): path.read_bytes() if path.is_file() else b"" for path in paths}


@pytest.mark.parametrize("case", TRAIN)
def test_train(case, bad, tmp_path, command):
    arguments, words = TRAIN[case]
    before = files_of(bad)
    workdir = [] if "workdir" in "".join(arguments) else [f"--workdir={tmp_path}/new"]
    arguments = [argument.format(bad=bad) for argument in arguments]
    small = ["--epochs=1", "--width=4", "--ema=0"]  # some are found out with the model alone
    status, out, err = command("train", *small, *workdir, *arguments)
    assert words.format(bad=bad) in the_line("train", err)
    assert (status, out) == (2, "")
    assert not any(tmp_path.iterdir())
    assert files_of(bad) == before


@pytest.mark.parametrize("dataset", ["digits", "fashion_mnist"])  # with a preset, and without
@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--model=bigam"], "--model=bigam is unknown"),
        (["--init_from=nowhere"], "nowhere does not exist: give a .keras file or the directory"),
        (["--set=cicle=1"], "has no cicle; did you mean cycle"),
        (["--set=cycle=much"], "cycle=much: it must be a float"),
        (["--set=cycle=-1"], "cycle=-1.0: it must be a float in [0, inf)"),
        (["--moves=D,H"], "--moves: no player H"),
        (["--moves=D+D"], "moves: D is twice in the same group"),
        (["--player_rates=H=0.1"], "--player_rates: no player H"),
        (["--model=ebgan", "--loss=hinge"], "EBGAN has a loss of its own"),
        (["--model=autoencoder", "--penalty=r1"], "penalty: Autoencoder has no discriminator"),
        (["--model=ebgan", "--augmentation=flip:target=0.5"], "EBGAN has no logits"),
        (["--labels=20"], "does not learn from labels"),
        (["--target_dataset=digits"], "does not adapt to a second data set"),
        (["--model=dann"], "DANN needs --target_dataset=NAME"),
        (["--model=dann", "--target_dataset=npz:/none"], "cannot read /none: No such file or"),
        (["--model=infogan", "--prior=normal"], "infogan needs noise, then codes"),
        (["--model=sgan", "--set=views=turn"], "views=turn is unknown"),
        (["--model=triple_gan", "--prior=normal"], "prior=normal100+categorical10"),
        (["--model=alice", "--set=cycle=adversarial", "--moves=D,EG"], "needs C to move"),
        (["--model=vae_gan", "--prior=uniform"], "use --prior=normal"),
        (["--model=vae_gan", "--set=kind=three_class", "--loss=hinge"], "use --loss=logistic"),
    ],
)
def test_a_mistake_that_is_not_about_images_is_found_before_they_are_read(
    options, message, dataset, tmp_path, command, monkeypatch
):
    def read(*arguments):
        raise AssertionError("images are read")

    for name in ("load_split", "describe"):
        monkeypatch.setattr(tb.run.build, name, read)
    model = [] if "--model" in str(options) else ["--model=cycle_bigan"]
    run = [f"--workdir={tmp_path}/run", f"--dataset={dataset}"]
    status, out, err = command("train", *run, *model, *options)
    assert message in the_line("train", err)
    assert (status, out) == (2, "") and not any(tmp_path.iterdir())


@pytest.mark.parametrize("case", EVALUATE)
def test_evaluate(case, bad, tiny_run, tmp_path, command):
    arguments, words = EVALUATE[case]
    run = tmp_path / "run"
    (run / "checkpoints").mkdir(parents=True)
    (run / "curves").mkdir()
    (run / "curves" / "metrics.jsonl").write_text("nonsense\n")
    for name in ("config.json", "model.keras"):
        shutil.copy(tiny_run[0] / name, run)
        shutil.copy(tiny_run[0] / name, run / "curves")
    model = (run / "model.keras").read_bytes()
    (run / "cut.keras").write_bytes(model[: len(model) // 2])
    before = files_of(bad, run)
    status, out, err = command("evaluate", *(a.format(bad=bad, run=run) for a in arguments))
    assert words.format(bad=bad) in the_line("evaluate", err)
    assert status == 2 and "EGr" not in out  # before anything is measured
    assert files_of(bad, run) == before


@pytest.mark.parametrize(
    ("validation", "split", "way_out"),
    [
        (None, "test", "give more images, or use split=validation"),
        (0, "test", "give more images"),
        (1, "validation", "give more images, or set another validation=N"),
    ],
)
def test_one_image_to_measure_on(validation, split, way_out, tmp_path):
    np.savez(tmp_path / "few.npz", images=np.zeros((8, 4, 4), np.uint8))
    config = Config(dataset=f"npz:{tmp_path}/few.npz", validation=validation)
    with pytest.raises(UserError, match=f"1 image in {split}, at least 2 .*: {way_out}$"):
        tb.run.build.load_held_out(config, split)


@pytest.mark.slow
@pytest.mark.parametrize(
    "arguments, words",
    [(["--epoch=3"], "Did you mean"), (["--batch_size=1250"], "larger than the data")],
)
def test_one_line_in_a_separate_process(tmp_path, arguments, words):
    done = subprocess.run(
        [sys.executable, ROOT / "train.py", *arguments],
        cwd=tmp_path,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 2
    assert words in the_line("train", done.stderr)
    assert not any(tmp_path.iterdir())


@pytest.mark.slow
def test_broken_images_are_left_out_with_a_count(bad, tmp_path, command, eagerly):
    with pytest.warns(UserWarning, match=r"1 of 13 left out: 1 broken \(3.png\)"):
        status, out, _ = command(
            *("train", f"--dataset=folder:{bad}/truncated", "--batch_size=2", "--dry_run"),
            *("--width=4", "--latent_dim=2", "--networks=mlp", f"--workdir={tmp_path}/new"),
        )
    assert status == 0
    assert "4 steps per epoch" in out  # of 12 images 2 are for the test, 2 for validation


def test_truncated_newest_checkpoint(
    tiny_run, tiny_options, tmp_path, command, caplog, eagerly, few_batches
):
    workdir = tmp_path / "run"
    shutil.copytree(tiny_run[0], workdir)
    newest = workdir / "checkpoints" / "step-00000072.keras"
    whole = newest.read_bytes()
    newest.write_bytes(whole[:-1000])
    status, out, _ = command("train", f"--workdir={workdir}", *tiny_options)
    assert status == 0
    assert "step-00000072.keras is damaged" in caplog.text
    assert "resuming at step 64 from" in out
    assert tb.callbacks.restore(workdir / "checkpoints")[1].endswith("step-00000072.keras")


@pytest.mark.slow
def test_disk_that_fills_up(tiny_run, tiny_options, tmp_path, command, eagerly, few_batches):
    workdir = tmp_path / "run"
    shutil.copytree(tiny_run[0], workdir)
    before = files_of(workdir / "checkpoints")
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (150_000, limits[1]))
    try:
        status, _, err = command("train", f"--workdir={workdir}", *tiny_options, "--epochs=4")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    line = the_line("train", err)
    assert status == 1
    assert "step-00000080.keras: File too large; what was saved before is untouched" in line
    assert files_of(workdir / "checkpoints") == before
    # With room again the same command goes on.
    status, out, _ = command("train", f"--workdir={workdir}", *tiny_options, "--epochs=4")
    assert status == 0
    assert "resuming at step 72 from" in out


@pytest.mark.parametrize("before", ["train_and_save", "calibrate"])
def test_pictures_that_disappear_while_they_are_streamed(
    before, tmp_path, command, monkeypatch, eagerly
):
    images = tb.data.folder.Folder.images
    monkeypatch.setattr(
        tb.data.folder.Folder, "images", lambda self, *form: images(self, *form[:3])
    )
    monkeypatch.setattr(tb.data.StreamedImages, "fixed", lambda self, limit: self)
    folder = tmp_path / "images"
    folder.mkdir()
    for i in range(12):
        Image.fromarray(np.full((8, 8), i, np.uint8)).save(folder / f"{i}.png")
    function = getattr(train, before)

    def without_pictures(*arguments, **options):
        shutil.rmtree(folder)
        return function(*arguments, **options)

    monkeypatch.setattr(train, before, without_pictures)
    status, _, err = command(
        *("train", f"--dataset=folder:{folder}", f"--workdir={tmp_path}/run", "--epochs=1"),
        *("--latent_dim=2", "--networks=dcgan", "--width=4", "--batch_size=4", "--eval_every=0"),
    )
    line = err.splitlines()[-1]
    assert status == 1 and re.match(f"train.py: {folder}/.*png cannot be read any more", line), err


def test_divergence_keeps_the_last_good_checkpoint(tmp_path, command, eagerly):
    status, out, err = command(
        *("train", "--dataset=digits", "--width=16", "--epochs=2", "--eval_every=0"),
        *("--steps_per_execution=1", "--checkpoint_steps=1", "--learning_rate=3e38", "--ema=0"),
        *("--networks=paper", "--penalty=none"),
        *("--precision=float32", "--jit_compile=false", f"--workdir={tmp_path}/run"),
    )
    assert status == 1
    line = the_line("train", err)
    step = int(re.search(r"loss_D became nan in step (\d+): training stopped", line)[1])
    model, path = tb.callbacks.restore(tmp_path / "run" / "checkpoints")
    assert int(model.step.numpy()) == step - 1
    assert f"The last good checkpoint is {path}. Try a lower --learning_rate" in line
    assert all(np.isfinite(weight).all() for weight in model.get_weights())
    assert not (tmp_path / "run" / "model.keras").exists()


def test_model_whose_images_are_not_finite(tiny_run, tmp_path, command):
    model = keras.saving.load_model(tiny_run[0] / "model.keras")
    kernel = model.inference_model().generator.pixels.kernel
    kernel.assign(kernel * np.nan)
    model.save(tmp_path / "m.keras")
    before = files_of(tmp_path)
    status, out, err = command("evaluate", f"--model={tmp_path}/m.keras", "--dataset=digits")
    assert (status, out) == (2, "")
    assert "the model of step 72 cannot be measured: " in the_line("evaluate", err)
    assert files_of(tmp_path) == before


def test_out_of_memory(tmp_path, command, monkeypatch):
    def too_large(*arguments):
        raise tf.errors.ResourceExhaustedError(
            None, None, "{{node x}} OOM when allocating\ntwo lines of it"
        )

    monkeypatch.setattr(tb.run.build, "build_model", too_large)
    status, _, err = command("train", f"--workdir={tmp_path}/run")
    assert status == 1
    assert "out of memory or disk space: OOM when allocating. Try" in the_line("train", err)
    assert not any(tmp_path.iterdir())


def test_a_workdir_in_which_a_program_is_training(tiny_run, tiny_options, tmp_path, command):
    run = shutil.copytree(tiny_run[0], tmp_path / "run")
    before = files_of(run)
    other = Workdir(run)
    other.lock()
    status, _, err = command("train", f"--workdir={run}", *tiny_options, "--epochs=4")
    assert (status, files_of(run)) == (2, before | {str(run / ".lock"): b""})
    assert f"another program is training in {run}" in the_line("train", err)


@pytest.mark.parametrize(
    "content", ["[]", "{}", '{"config": {"latent_dim": "x"}}', '{"config": 5}']
)
def test_a_configuration_edited_by_hand(tmp_path, command, content):
    (tmp_path / "config.json").write_text(content)
    status, out, err = command("evaluate", f"--workdir={tmp_path}")
    assert (status, out) == (2, "")
    line = the_line("evaluate", err)
    assert "is not the configuration of a run" in line or "latent_dim=x: it must be an int" in line


def test_a_file_is_not_a_run(tmp_path, command):
    (tmp_path / "file").touch()
    status, _, err = command("evaluate", f"--workdir={tmp_path}/file")
    assert status == 2 and f"{tmp_path}/file is a file: give the directory of a run" in err


def test_a_disk_that_fills_up_while_results_are_written(tiny_run, tmp_path, command, monkeypatch):
    run = shutil.copytree(tiny_run[0], tmp_path / "run")

    def full(*_, **__):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Image.Image, "save", full)
    status, out, err = command("evaluate", f"--workdir={run}", "--metrics=EGr", "--nountrained")
    assert status == 2 and "EGr" in out  # what was measured is shown all the same
    assert f"cannot write {run / 'report.png'}: No space left" in err


def test_a_directory_under_home(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    assert Workdir("~/runs/a").root == tmp_path / "runs" / "a"
