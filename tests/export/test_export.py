"""Exports: each runtime agrees with the model, and nothing half-written is left."""

import json
import os
import re
import shutil
import sys

import keras
import numpy as np
import pytest
import tensorflow as tf

import tf_bigan as tb
from tf_bigan.export import FORMATS, PARTS, export
from tf_bigan.export import __main__ as command_line
from tf_bigan.export.formats import SavedModel
from tf_bigan.export.model_card import _metrics, _without_paths
from tf_bigan.export.place import digest
from tf_bigan.run.config import Config
from tf_bigan.run.flags import run
from tf_bigan.run.trained import load_trained
from tf_bigan.run.workdir import Workdir

SHAPE, LATENT = (9, 11, 1), 5
NETWORKS = {"encoder": "E", "generator": "G"}
RNG = np.random.default_rng(3)
IMAGES = RNG.integers(0, 256, (20, *SHAPE), np.uint8)
CODES = RNG.uniform(-1, 1, (20, LATENT)).astype(np.float32)


def scramble(model, seed=0):
    """Weights and batch statistics with which no two parts of a model say the same."""
    rng = np.random.default_rng(seed)
    for network in (getattr(model, name) for name in model.network_names()):
        for weight in network.weights:
            positive = "variance" in weight.path or "gamma" in weight.path
            low, high = (0.2, 2.0) if positive else (-0.3, 0.3)
            weight.assign(rng.uniform(low, high, weight.shape))


def make_model(family="mlp", system=tb.models.BiGAN, policy="float32", ema=None):
    def make(role, **sizes):
        return tb.networks.make(family, role, image_shape=SHAPE, width=8, dtype=policy, **sizes)

    networks = system.make_networks(make, LATENT, None)
    model = system(prior=tb.priors.Uniform(LATENT), **networks)
    model.compile(ema=ema, jit_compile=False)
    scramble(model)
    if ema:
        scramble(model.average, seed=1)
    return model


@pytest.fixture(scope="module")
def model():
    """A BiGAN whose moving average is another model than its own weights."""
    return make_model(ema=0.9)


def by_keras(model, part, inputs):
    """What the model itself gives for images 0..255, or for codes."""
    if part == "generator":
        return model.generate(inputs)
    x = inputs / np.float32(255)
    if part == "encoder":
        return model.encode(x)
    x_rec = model.reconstruct(x)
    return x_rec if part == "reconstructor" else np.abs(x - x_rec).mean((1, 2, 3))


def by_its_card(written, monkeypatch):
    """The Python in a model card, which has the runtime alone, as a function of the inputs."""
    code = re.search(r"```python\n(.*?)```", written.card.read_text(), re.DOTALL)[1]
    *load, call = code.splitlines()
    output = re.search(r"\(?(\w+),?\)? = .*$", call)[1]
    names = {}
    monkeypatch.chdir(written.path.parent)
    exec("\n".join(load), names)

    def run(inputs):
        names.update(images=inputs, z=inputs)
        exec(call, names)
        return np.array(names[output])

    return run


EACH_FORMAT = [
    pytest.param(name, marks=pytest.mark.extra if format.modules else ())
    for name, format in FORMATS.items()
]


def need(format):
    for module in FORMATS[format].modules:
        pytest.importorskip(module, reason=f'{module} is not installed: pip install -e ".[dev]"')


@pytest.mark.parametrize("part", PARTS)
@pytest.mark.parametrize("format", EACH_FORMAT)
def test_a_file_agrees_with_the_averaged_model(model, part, format, tmp_path, monkeypatch):
    need(format)
    inputs = CODES if part == "generator" else IMAGES
    written = export(model, tmp_path / f"m{FORMATS[format].suffix}", part)
    assert written.agreement.difference < 1e-5
    assert {path.name for path in tmp_path.iterdir()} == {written.path.name, written.card.name}
    wanted = by_keras(model, part, inputs)
    run_file = by_its_card(written, monkeypatch)
    for rows in (20, 1, 7):
        outputs = run_file(inputs[:rows])
        assert outputs.dtype == np.float32
        np.testing.assert_allclose(outputs, wanted[:rows], rtol=0, atol=1e-5)
    network = "encoder" if part == "encoder" else "generator"
    own = getattr(model, network)(IMAGES / np.float32(255) if part == "encoder" else CODES)
    average = getattr(model.average, network)(
        IMAGES / np.float32(255) if part == "encoder" else CODES
    )
    assert np.abs(own - average).max() > 0.1  # the test would see the wrong weights


@pytest.fixture(scope="module")
def twins():
    """A model trained with bfloat16 products, and one in float32 with the same weights."""
    return [make_model("dcgan", tb.models.ALI, policy) for policy in ("mixed_bfloat16", "float32")]


@pytest.mark.parametrize("format", EACH_FORMAT)
def test_bfloat16_becomes_float32(twins, format, tmp_path, monkeypatch):
    need(format)
    trained, twin = twins
    # No name is in the way of the files that are written first.
    written = export(trained, tmp_path / "saved_model", "encoder", format)
    outputs = by_its_card(written, monkeypatch)(IMAGES)
    np.testing.assert_allclose(outputs, by_keras(twin, "encoder", IMAGES), rtol=0, atol=2e-5)
    rounding = np.abs(outputs - by_keras(trained, "encoder", IMAGES)).max()
    assert 1e-3 < rounding < 1
    assert written.agreement.difference < 1e-4 < written.agreement.trained_difference
    assert "trained in mixed_bfloat16" in written.card.read_text()
    assert trained.encoder.body.dtype_policy.name == "mixed_bfloat16"  # it is left as it was


def test_batch_statistics_are_those_of_the_time_of_export(tmp_path, monkeypatch):
    model = make_model()
    before = by_its_card(export(model, tmp_path / "a", "generator"), monkeypatch)(CODES)
    model.generator.norm1.moving_mean.assign_add(tf.ones(8))
    written = export(model, tmp_path / "b", "generator")
    run_file = by_its_card(written, monkeypatch)
    after = run_file(CODES)
    assert np.abs(before - after).max() > 0.01
    np.testing.assert_allclose(after, model.generate(CODES), rtol=0, atol=1e-5)
    half = run_file(CODES[:10])
    np.testing.assert_allclose(half, after[:10], rtol=0, atol=1e-6)  # no row sees another


def test_the_signature_that_a_server_sees(model, tmp_path):
    export(model, tmp_path / "1", "anomaly")
    signature = tf.saved_model.load(str(tmp_path / "1")).signatures["serving_default"]
    (given,) = signature.structured_input_signature[1].values()
    assert (given.name, given.dtype, given.shape[1:]) == ("image", tf.uint8, SHAPE)
    (score,) = signature.structured_outputs.values()
    assert list(signature.structured_outputs) == ["score"] and score.shape.as_list() == [None]


@pytest.fixture
def wrong_by(monkeypatch):
    """A function that makes each SavedModel's outputs wrong, in batches of some size alone."""

    def make(error, size):
        load = SavedModel.load.__func__

        def wrong(cls, path, part):
            call = load(cls, path, part)
            return lambda x: call(x) + (error if len(x) == size else 0.0)

        monkeypatch.setattr(SavedModel, "load", classmethod(wrong))

    return make


@pytest.mark.parametrize(("size", "error"), [(1, 2e-4), (64, np.nan)])
def test_disagreement_is_an_error_and_leaves_nothing(model, tmp_path, wrong_by, size, error):
    wrong_by(error, size)
    with pytest.raises(ValueError, match=f"z differs from the model's by .* in batches of {size},"):
        export(model, tmp_path / "new" / "m")
    assert list(tmp_path.iterdir()) == []


def test_what_rounding_may_do_is_no_error(model, tmp_path, wrong_by):
    wrong_by(5e-5, 1)
    assert export(model, tmp_path / "m").agreement.difference == pytest.approx(5e-5, rel=0.1)


def raising(error):
    def write(*arguments):
        raise error

    return write


def test_a_conversion_that_fails_leaves_nothing(model, tmp_path, monkeypatch):
    def fail(cls, part, networks, model, path):
        path.mkdir()
        (path / "saved_model.pb").write_text("half")
        raise RuntimeError("no such op\nand more")

    old = export(model, tmp_path / "m", "generator")
    before = digest(old.path), old.card.read_text()
    monkeypatch.setattr(SavedModel, "write", classmethod(fail))
    with pytest.raises(ValueError, match="^saved_model does not support this encoder: no such op$"):
        export(model, tmp_path / "m")
    for full in (OSError(28, "No space left on device"), tf.errors.OutOfRangeError(None, None, "")):
        monkeypatch.setattr(SavedModel, "write", classmethod(raising(full)))
        with pytest.raises(
            tb.UserError, match="^cannot write .*what was saved before is untouched"
        ):
            export(model, tmp_path / "m")
    assert (digest(old.path), old.card.read_text()) == before
    assert {path.name for path in tmp_path.iterdir()} == {"m", "m.md"}


def test_only_an_export_is_replaced(model, tmp_path):
    path = tmp_path / "old"
    first = export(model, path)
    old = digest(path)
    assert export(model, path, "generator").path == first.path and digest(path) != old
    (path / "variables" / "mine").write_text("mine")
    with pytest.raises(
        ValueError, match="old exists and is not an unchanged export: .* or overwrite=True"
    ):
        export(model, path)
    export(model, path, overwrite=True)
    assert not (path / "variables" / "mine").exists()
    (path / "saved_model.pb").unlink()
    for overwrite in (False, True):
        with pytest.raises(ValueError, match="old (exists|is a directory without a Saved)"):
            export(model, path, overwrite=overwrite)
    (tmp_path / "n.md").write_text("my notes")
    with pytest.raises(ValueError, match="n.md exists and is not an unchanged export"):
        export(model, tmp_path / "n")
    assert (tmp_path / "n.md").read_text() == "my notes"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"part": "encodr"}, "part=encodr is unknown; did you mean encoder"),
        ({"format": "onxx"}, "format=onxx is unknown; did you mean onnx"),
        (
            {"path": "m.tflite", "format": "onnx"},
            "m.tflite has the suffix of tflite files",
        ),
        ({"images": IMAGES[:, :5]}, r"images: expected \[N, 9, 11, 1\] with N > 0, got \[20, 5,"),
        ({"images": IMAGES[:0]}, "images: expected"),
        ({"images": IMAGES.astype(np.float32)}, "images has values from 0 to 255"),
        ({"images": IMAGES.astype(int)}, "images has dtype int64"),
        ({"images": np.full((2, *SHAPE), np.nan)}, "images contains NaN"),
    ],
)
def test_wrong_arguments(model, tmp_path, arguments, message):
    path = tmp_path / arguments.pop("path", "m")
    with pytest.raises(tb.UserError, match=message):
        export(model, path, **arguments)
    assert list(tmp_path.iterdir()) == []


def test_a_system_without_the_network(tmp_path):
    gan = make_model(system=tb.models.GAN)
    with pytest.raises(
        tb.UserError, match="part=anomaly: GAN has no encoder; parts that it has: g"
    ):
        export(gan, tmp_path / "m", "anomaly")
    assert export(gan, tmp_path / "m", "generator").agreement.inputs == "64 draws of z"


def test_a_model_that_is_not_finite(tmp_path):
    model = make_model()
    model.encoder.dense1.kernel.assign(tf.fill(model.encoder.dense1.kernel.shape, np.nan))
    with pytest.raises(tb.UserError, match="the model's z is not finite"):
        export(model, tmp_path / "m")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.smoke
@pytest.mark.parametrize("format", [name for name, one in FORMATS.items() if one.modules])
def test_a_runtime_that_is_not_installed(model, tmp_path, monkeypatch, format):
    for module in FORMATS[format].modules:
        monkeypatch.setitem(sys.modules, module, None)
    packages = " and ".join(FORMATS[format].modules.values())
    message = f'{format} files need {packages}: run pip install -e ".[export]" in the clone'
    with pytest.raises(tb.UserError, match=re.escape(message)):
        export(model, tmp_path / f"m.{format}")


@keras.saving.register_keras_serializable("tests")
class Unportable(keras.Model):
    """An encoder with Python inside, which no other runtime has."""

    def call(self, x, training=False):
        rows = tf.reshape(x, (-1, 99))[:, :LATENT]
        return tf.ensure_shape(tf.numpy_function(np.sin, [rows], tf.float32), (None, LATENT))


@pytest.mark.extra
@pytest.mark.parametrize("format", ["onnx", "tflite"])
def test_a_network_that_no_converter_knows(model, tmp_path, format):
    need(format)
    encoder = Unportable()
    encoder(keras.Input(SHAPE))
    parts = {n: getattr(model, n) for n in ("generator", "discriminator")}
    model = tb.models.BiGAN(encoder=encoder, prior=tb.priors.Uniform(LATENT), **parts)
    model.compile(jit_compile=False)
    with pytest.raises(tb.UserError, match=f"^{format} does not support this encoder: .*") as error:
        export(model, tmp_path / f"m.{format}")
    assert len(str(error.value).splitlines()) == 1
    assert list(tmp_path.iterdir()) == []


@pytest.fixture(scope="module")
def a_run(tmp_path_factory):
    """A workdir with a model for the digits, as train.py leaves it."""
    root = tmp_path_factory.mktemp("run")
    config = Config(
        dataset="digits", data_dir="/home/somebody/data", width=8, latent_dim=4, ema=0.9
    )
    workdir = Workdir(root)
    workdir.prepare(config, {}, images=1)
    made, _ = tb.run.build.build_model(config, (8, 8, 1), 4)
    scramble(made.average)
    made.step.assign(1200)
    made.save(workdir.model)
    return root


def metrics_of(step):
    values = {"trained": {"EGr": 2.5, "NND": [4.0, 5.0]}, "untrained": {"EGr": 7.25}}
    return json.dumps({"dataset": "digits", "split": "test", "step": step, "model": values})


def test_the_card_of_a_run(a_run, tmp_path):
    model, _ = load_trained(a_run)
    (a_run / "metrics.json").write_text(metrics_of(1200))
    written = export(model, tmp_path / "m", "anomaly", workdir=a_run, licence="CC0 |\nnone")
    text = written.card.read_text()
    size = sum(f.stat().st_size for f in written.path.rglob("*") if f.is_file())
    for part in (
        r"| part | anomaly: the mean of \|x - G(E(x))\| over",
        "| system | BiGAN after 1,200 steps |",
        f"{model.encoder.count_params() + model.generator.count_params():,} in ConvEncoder and",
        "moving average with decay 0.9",
        f"{size:,} bytes",
        digest(written.path),
        r"| licence | CC0 \| none |",
        "| input | `image` | uint8 | [N, 8, 8, 1] | 0 (black) to 255 |",
        "| output | `score` | float32 | [N] | 0 to 1 |",
        "on 64 random images in batches of 1, 3, 64: the largest difference is "
        f"{written.agreement.difference:.1e} (0.0001 is allowed)",
        "| dataset | digits |",
        "| EGr | 2.5 | 7.25 |\n| NND | 4.5 ± 0.5 |  |",
        '"latent_dim": 4',
        f"| tensorflow | {tf.__version__} |",
    ):
        assert part in text, part
    assert "somebody" not in text and str(a_run) not in text
    (a_run / "metrics.json").write_text(metrics_of(600))
    again = export(model, tmp_path / "m", workdir=a_run).card.read_text()
    assert "EGr" not in again and "metrics.json is from step 600" in again


@pytest.mark.parametrize("text", [b"{half", b"[1]", b"\xff"])
def test_metrics_that_cannot_be_read_are_said_before_the_conversion(
    model, tmp_path, monkeypatch, text
):
    monkeypatch.delattr(SavedModel, "write")
    (tmp_path / "metrics.json").write_bytes(text)
    message = "metrics.json is not a file of metrics: evaluate the run again, or move it away$"
    with pytest.raises(tb.UserError, match=message):
        export(model, tmp_path / "m", workdir=tmp_path)


def call(*arguments, capsys):
    command_line.FLAGS.unparse_flags()
    argv = ["export", *map(str, arguments)]
    status = run(command_line.main, argv, command_line.__doc__, command_line.FLAGS)
    return status, *capsys.readouterr()


@pytest.mark.smoke
def test_the_command(a_run, tmp_path, capsys):
    status, out, err = call(f"--workdir={a_run}", capsys=capsys)
    assert status == 0, err
    path = a_run / "export" / "encoder"
    assert f"agrees with {a_run / 'model.keras'} on 64 real images: largest difference" in out
    assert f"wrote {path} and {path}.md" in out and (path / "saved_model.pb").is_file()
    status, out, err = call(
        f"--model={a_run}/model.keras", "--part=generator", f"--output={tmp_path}/g", capsys=capsys
    )
    assert status == 0, err
    assert "| dataset | digits |" in (tmp_path / "g.md").read_text()
    shutil.copy(a_run / "model.keras", tmp_path / "alone.keras")
    options = (f"--model={tmp_path}/alone.keras", f"--output={tmp_path}/alone")
    status, _, err = call(*options, capsys=capsys)
    assert status == 0, err
    card = (tmp_path / "alone.md").read_text()
    assert "Not known: the model was exported without its run." in card


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((), "give either --workdir=DIR of a run or --model=FILE.keras"),
        (("--workdir={run}", "--model={text}"), "give either --workdir=DIR of a run or --model"),
        (("--workdir=no/such",), "no/such does not exist"),
        (("--workdir=.", "--part=decoder"), "part=decoder is unknown; did you mean encoder"),
        (("--workdir=.", "--format=onyx"), "format=onyx is unknown"),
        (("--workdir={empty}",), "holds no run"),
        (("--model={text}",), "cannot be loaded as a model"),
        (("--workdir={run}", "--output={text}"), "text exists and is not an unchanged export"),
        (("--workdir={run}", "--output=/"), "/ is not a file name"),
    ],
)
def test_mistakes_are_one_line(a_run, tmp_path, capsys, arguments, message):
    empty, text = tmp_path / "empty", tmp_path / "text"
    empty.mkdir()
    text.write_text("no model")
    places = {"run": a_run, "empty": empty, "text": text}
    status, _, err = call(*(a.format(**places) for a in arguments), capsys=capsys)
    line = err.strip().splitlines()[-1]
    assert status == 2 and line.startswith("export: ") and message in line
    assert sorted(os.listdir(tmp_path)) == ["empty", "text"] and text.read_text() == "no model"


def test_the_card_has_no_paths_of_the_machine():
    config = Config(dataset="folder:/home/somebody/x", init_from="/home/somebody/y/model.keras")
    options = _without_paths(config)
    assert (options["dataset"], options["init_from"]) == ("folder:x", "model.keras")
    record = {"dataset": config.dataset, "split": "test", "step": 3}
    assert _metrics(record, 3).startswith("On folder:x (test), measured by")
    assert "somebody" not in str(options)
