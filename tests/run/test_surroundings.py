"""What a user's settings, terminal, threads and directories do to the commands and the library."""

import gc
import io
import os
import signal
import subprocess
import sys
import threading
import time
import weakref
from pathlib import Path

import keras
import matplotlib
import numpy as np
import pytest
from absl import flags

import tf_bigan as tb
from tf_bigan.atomic import atomically
from tf_bigan.core.backend import UnusableKeras, check_backend, use_defaults
from tf_bigan.data.home import expanded
from tf_bigan.data.tfds import find
from tf_bigan.errors import UserError
from tf_bigan.run import flags as run_flags
from tf_bigan.run import quiet

ROOT = Path(__file__).parents[2]
SHAPE, LATENT = (9, 8, 1), 3


@pytest.fixture
def keras_settings():
    """Puts Keras's settings back."""
    yield
    use_defaults()


def channels_first():
    keras.config.set_image_data_format("channels_first")


def floats(name: str):
    keras.config.set_floatx(name)
    keras.config.set_dtype_policy(name)


# --- Keras ------------------------------------------------------------------------------------


def outputs() -> list[np.ndarray]:
    """What networks of every family and role give, all from the same seed."""
    keras.utils.set_random_seed(0)
    rng = np.random.default_rng(0)
    x, z = rng.random((4, *SHAPE), np.float32), rng.random((4, LATENT), np.float32)
    sizes, given = {"image_shape": SHAPE, "width": 8}, []
    for family in ("mlp", "dcgan"):

        def make(role, family=family, **more):
            return tb.networks.make(family, role, **sizes, **more)

        given.append(make("encoder", latent_dim=LATENT)(x))
        given.append(make("generator", latent_dim=LATENT)(z))
        given.append(make("discriminator", latent_dim=LATENT)([x, z], training=True))
        given.append(make("classifier", classes=3, norm="layer")(x))
        given.append(make("autoencoder", latent_dim=LATENT)(x))
    given.append(make("lenet")(x, training=True))
    return [np.asarray(one) for one in given]


@pytest.mark.slow
def test_the_networks_are_the_same_under_any_settings_of_keras(keras_settings):
    expected = outputs()
    for name in ("float64", "float16"):
        floats(name)
        channels_first()
        for one, other in zip(outputs(), expected, strict=True):
            assert one.dtype == np.float32
            np.testing.assert_allclose(one, other, rtol=1e-6)


def test_a_system_trains_under_other_settings_of_keras(keras_settings, tmp_path, eagerly):
    floats("float16")
    channels_first()
    sizes = {"image_shape": SHAPE, "latent_dim": LATENT, "width": 4}
    model = tb.models.BEGAN(  # which adapts a weight of its own, and the learning rates
        generator=tb.networks.make("paper", "generator", **sizes),
        discriminator=tb.networks.make("paper", "autoencoder", **sizes),
        prior=tb.priors.Uniform(LATENT),
    )
    model.compile(jit_compile=False)
    model.fit(np.random.default_rng(0).random((8, *SHAPE)), batch_size=4, verbose=0)
    assert {v.dtype for v in model.weights} == {"float32", "int64"}
    model.save(tmp_path / "m.keras")
    use_defaults()
    np.testing.assert_array_equal(
        keras.saving.load_model(tmp_path / "m.keras").sample(2), model.sample(2)
    )


def test_a_mixed_policy_is_followed(keras_settings):
    keras.config.set_dtype_policy("mixed_bfloat16")
    assert tb.networks.MLPEncoder(SHAPE, LATENT, width=4).dtype_policy.name == "mixed_bfloat16"


def test_commands_go_by_the_defaults_of_keras(keras_settings):
    floats("float64")
    channels_first()
    use_defaults()
    assert keras.config.floatx() == keras.config.dtype_policy().name == "float32"
    assert keras.config.image_data_format() == "channels_last"


def test_another_backend_of_keras(monkeypatch):
    words = "needs Keras's TensorFlow backend, not jax: set KERAS_BACKEND=tensorflow before"
    with monkeypatch.context() as patch:
        patch.setattr(keras.config, "backend", lambda: "jax")
        with pytest.raises(ImportError, match=words):
            check_backend()
    monkeypatch.setitem(sys.modules, "keras", None)  # as where it cannot be imported
    with pytest.raises(ImportError, match="Keras cannot be imported .* remove its keras.json"):
        check_backend()
    monkeypatch.setenv("KERAS_BACKEND", "jax")
    with pytest.raises(ImportError, match=words):
        check_backend()


def test_an_unusable_keras_that_nobody_catches_is_one_line(monkeypatch, capsys):
    monkeypatch.setattr(sys, "excepthook", sys.__excepthook__)
    error = UnusableKeras("mend it")
    sys.excepthook(type(error), error, None)
    assert capsys.readouterr().err == "mend it\n"
    sys.excepthook(ValueError, ValueError("other"), None)
    assert "ValueError: other" in capsys.readouterr().err


@pytest.mark.parametrize(
    "command",
    [["train.py"], pytest.param(["-m", "tf_bigan", "train"], marks=pytest.mark.slow)],
)
def test_an_unusable_keras_json(tmp_path, command):
    (tmp_path / "keras.json").write_text('{"floatx": "float65"}')
    done = subprocess.run(
        [sys.executable, *command, "--dry_run"],
        cwd=ROOT,
        env={**os.environ, "KERAS_HOME": str(tmp_path)},
        capture_output=True,
        text=True,
    )
    assert (done.returncode, done.stdout) == (1, "")
    (line,) = done.stderr.splitlines()
    assert line.startswith("Keras cannot be imported (") and "keras.json" in line


def test_what_ends_the_import_natively_is_seen(tmp_path):
    """A module that takes the place of Keras's and aborts, as a broken TensorFlow may."""
    abort = "import os\nos.write(2, b'illegal instruction')\nos.abort()\n"
    (tmp_path / "keras.py").write_text(abort)
    done = subprocess.run(
        [sys.executable, "-m", "tf_bigan", "train"],
        env={**os.environ, "PYTHONPATH": f"{tmp_path}{os.pathsep}{ROOT}"},
        cwd=tmp_path,
        capture_output=True,
        text=True,
    )
    assert done.returncode < 0 and done.stderr.startswith("illegal instruction")


# --- output -----------------------------------------------------------------------------------


def help_of(stdout, **more) -> subprocess.CompletedProcess:
    environment = {**os.environ, "PYTHONUTF8": "0", "PYTHONIOENCODING": "ascii"}
    environment["PYTHONOPTIMIZE"] = "2"  # without docstrings
    command = [sys.executable, ROOT / "evaluate.py", "--help"]
    return subprocess.run(
        command, env=environment, stdout=stdout, stderr=subprocess.PIPE, text=True, **more
    )


@pytest.mark.slow
def test_characters_that_stdout_has_not():
    done = help_of(subprocess.PIPE)
    assert done.returncode == 0
    assert r"mean \xb1 standard" in done.stdout


@pytest.mark.slow
def test_a_full_stdout():
    with open("/dev/full", "w") as full:
        done = help_of(full)
    assert done.returncode == 1
    assert done.stderr.endswith(
        "WARNING: stdout: No space left on device: no more is printed there\n"
    )


@pytest.mark.slow
def test_closed_streams():
    done = help_of(None, preexec_fn=lambda: (os.close(0), os.close(1)))
    assert done.returncode == 0


def test_a_reader_who_has_gone(caplog):
    reader, writer = os.pipe()
    with os.fdopen(writer, "w", encoding="ascii") as stream:
        out = quiet.Lasting(stream, "stdout")
        print("read", file=out, flush=True)
        os.close(reader)
        assert out.lost is None
        print("not read", file=out, flush=True)
        assert isinstance(out.lost, BrokenPipeError)
        print("nor this", file=out, flush=True)
    (record,) = caplog.records
    assert record.message == "stdout: Broken pipe: no more is printed there"


@pytest.fixture
def ended(monkeypatch):
    """A function that runs a main function as a command, and gives its exit status."""
    for name in ("plain_output", "use_defaults"):
        monkeypatch.setattr(run_flags, name, lambda: None)
    before = signal.getsignal(signal.SIGTERM)

    def run(main):
        with pytest.raises(SystemExit) as end:
            run_flags.command(main, ["a"], None, flags.FlagValues())
        return end.value.code

    yield run
    signal.signal(signal.SIGTERM, before)


def test_a_terminated_command_leaves_nothing(ended, tmp_path, capsys):
    def main():
        with atomically(tmp_path / "a") as temporary:
            Path(temporary).touch()
            os.kill(os.getpid(), signal.SIGTERM)
            time.sleep(5)

    assert ended(main) == 143 and not list(tmp_path.iterdir())
    assert capsys.readouterr().err == "a: interrupted\n"


def test_nothing_lives_on_when_a_command_exits(ended):
    """An iterator would wait for its threads for ever."""
    alive = []

    def main():
        class Cycle(list):
            pass

        one = Cycle()
        one.append(one)
        alive.append(weakref.ref(one))
        return 0

    gc.disable()
    try:
        assert ended(main) == 0 and alive[0]() is None
    finally:
        gc.enable()


def test_a_message_takes_the_place_of_a_bar_on_a_terminal(monkeypatch):
    monkeypatch.setattr(sys, "stderr", None)
    assert quiet.line_start() == ""
    terminal = io.StringIO()
    monkeypatch.setattr(sys, "stderr", terminal)
    assert quiet.line_start() == ""
    monkeypatch.setattr(terminal, "isatty", lambda: True, raising=False)
    monkeypatch.setenv("TERM", "xterm")
    assert quiet.line_start() == "\r\x1b[2K"
    monkeypatch.setenv("TERM", "dumb")
    assert quiet.line_start() == ""


# --- threads ----------------------------------------------------------------------------------


def in_threads(*functions):
    """Runs them at once; raises what one of them raises."""
    errors = []

    def run(function):
        try:
            function()
        except Exception as error:
            errors.append(error)

    threads = [threading.Thread(target=run, args=(function,)) for function in functions]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if errors:
        raise errors[0]


@pytest.mark.slow
def test_training_in_a_thread_and_without_stdout(make_bigan, images, tmp_path, monkeypatch):
    model = make_bigan()
    monkeypatch.setattr(sys, "stdout", None)  # as of a program without a console
    run = tmp_path / "r\udcff"  # bytes that are no UTF-8
    try:
        run.mkdir()
    except OSError:  # a file system that takes none
        run = tmp_path
    callbacks = [
        tb.callbacks.Checkpoint(run),
        tb.callbacks.Dashboard(run / "logs", images, config={"workdir": str(run)}),
        tb.callbacks.Progress(12),
        tb.callbacks.StopOnSignal(),
    ]
    in_threads(lambda: model.fit(images, batch_size=12, verbose=0, callbacks=callbacks))
    assert int(tb.callbacks.restore(run)[0].step.numpy()) == 4
    assert (run / "logs" / "projector_config.pbtxt").read_text().startswith("embeddings {")


def test_detectors_that_are_fitted_at_once():
    rows, found = np.random.default_rng(0).random((40, 4)), {}

    def fit(name):
        detector = tb.BiGANDetector(
            "autoencoder", criterion="reconstruction", epochs=1, width=8, random_state=0
        )
        found[name] = detector.fit(rows).score_samples(rows)

    in_threads(lambda: fit("a"), lambda: fit("b"))
    np.testing.assert_array_equal(found["a"], found["b"])


# --- files and directories --------------------------------------------------------------------


def test_a_report_under_a_style_of_ones_own(tmp_path):
    with matplotlib.rc_context({"text.usetex": True, "font.size": 40.0}):
        before = dict.copy(matplotlib.rcParams)
        picture = np.zeros((4, 4, 3), np.uint8)
        figure = tb.report.Figure("katze\udcff $\\frac$", "", picture, "map")
        section = tb.report.Section("Model", [figure], {})
        report = tb.report.Report("folder:b\udcff", sections=[section])
        tb.report.report_png(tmp_path / "r.png", report)
        assert dict.copy(matplotlib.rcParams) == before
    assert (tmp_path / "r.png").exists()


def test_a_page_about_a_path_that_is_not_utf8(tmp_path):
    tb.report.report_html(tmp_path / "r.html", tb.report.Report("folder:b\udcff"))
    assert r"folder:b\udcff" in (tmp_path / "r.html").read_text(encoding="utf-8")


def test_no_home_directory(command, monkeypatch):
    status, out, err = command("train", "--workdir=~nobody.here/run")
    assert (status, out) == (2, "")
    assert err == (
        "train.py: ~nobody.here/run: no home directory is known: set HOME, or give a path "
        "without ~\n"
    )

    def unknown(path):
        raise RuntimeError("Could not determine home directory.")

    assert expanded("run") == Path("run")
    monkeypatch.setattr(Path, "expanduser", unknown)
    monkeypatch.delenv("TFDS_DATA_DIR", raising=False)
    with pytest.raises(UserError, match="~/tensorflow_datasets: no home directory is known"):
        find("mnist")
