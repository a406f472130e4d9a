"""Each system through train.py and evaluate.py, and what a user can get wrong with them."""

import json

import keras
import numpy as np
import pytest

import tf_bigan as tb
from tests.models.conftest import make_system

TINY = [
    *("--dataset=digits", "--width=8", "--epochs=1", "--eval_every=1", "--picture_every=9"),
    *("--batch_size=450", "--steps_per_execution=5", "--jit_compile=false", "--ema=0"),
    "--networks=mlp",  # the convolutions take longer, and are run by the tests of the commands
]
# Another shape than the 8×8×1 of all other tests, and precision than their float32.
SHAPE = (12, 10, 3)
OTHER = ["--image_size=12x10", "--channels=3", "--precision=mixed_bfloat16"]
# The two that differ most from BiGAN: no generator and two domains; no encoder.
MEASURED = ("dann", "gan")
NAMES = [pytest.param(n, marks=() if n == "gan" else pytest.mark.slow) for n in tb.models.names()]
NEEDS = {
    "dann": ["--target_dataset=digits"],
    "magan": ["--set=period=1,pretraining=1"],
    "sgan": ["--labels=20"],
    "triple_gan": ["--labels=20"],
}


@pytest.mark.parametrize("name", NAMES)
def test_trains_and_is_measured(name, command, tmp_path, eagerly, few_batches):
    """In bfloat16. A loss that is not finite would have ended the training."""
    workdir = tmp_path / "run"
    needs = NEEDS.get(name, [])
    status, _, err = command(
        "train", f"--model={name}", f"--workdir={workdir}", *TINY, *OTHER, *needs
    )
    assert status == 0, err
    model = keras.saving.load_model(workdir / "model.keras")
    assert model.policy == "mixed_bfloat16"
    assert {v.dtype for v in model.trainable_variables} == {"float32"}
    if hasattr(model, "generator"):
        assert model.sample(3).shape == (3, *SHAPE)
    if hasattr(model, "encoder"):
        assert len(model.encode(np.zeros((3, *SHAPE), np.float32))) == 3
    record = json.loads((workdir / "metrics.jsonl").read_text().splitlines()[-1])
    system = tb.models.find(name)
    assert ("NND/100" in record) == ("generator" in system.network_names())
    assert ("accuracy" in record) == hasattr(system, "class_logits")
    if name in MEASURED:
        status, _, err = command(
            "evaluate", f"--workdir={workdir}", "--samples=100", "--nountrained"
        )
        assert status == 0, err
        measured = json.loads((workdir / "metrics.json").read_text())["trained"]
        assert ("NND" in measured, "accuracy" in measured) == (
            "NND/100" in record,
            "accuracy" in record,
        )


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--model=infogan", "--prior=normal"], "--prior=normal62"),
        (["--model=vae_gan", "--prior=uniform"], "--prior=normal"),
        (["--model=triple_gan", "--prior=categorical10"], "--prior=normal100"),
        (["--model=triple_gan", "--prior=normal9+categorical5"], "--prior=normal100"),
        (["--model=triple_gan", "--set=classes=5"], "has no classes"),
        (["--model=dann"], "--target_dataset"),
        (["--model=gan", "--target_dataset=digits"], "does not adapt"),
        (["--model=gan", "--labels=20"], "does not learn from labels"),
        (["--model=sgan", "--labels=3"], "3 labelled examples cannot be chosen"),
        (["--model=sgan", "--set=supervised=much"], "supervised=much: it must be a float"),
        (["--model=sgan", "--set=superviced=0.1"], "did you mean supervised"),
        (["--model=gan", "--set=smoothing=0.1"], "gan has no smoothing; there are none"),
        (["--model=gan", "--loss=hing"], "loss=hing is unknown; did you mean hinge"),
        (["--model=gan", "--loss=hinge:margin=1"], "loss: no argument margin"),
        (["--model=gan", "--loss=logistic:smoothing=0.1"], "did you mean label_smoothing"),
        (
            ["--model=gan", "--loss=logistic:label_smoothing=2"],
            "loss: label_smoothing=2.0: it must be a float in [0, 1)",
        ),
        (["--model=ebgan", "--loss=hinge"], "EBGAN has a loss of its own"),
        (["--model=autoencoder", "--penalty=r1"], "penalty: Autoencoder has no discriminator that"),
        (["--model=autoencoder", "--augmentation=flip"], "augmentation: Autoencoder has no"),
        (["--model=gan", "--penalty=r2"], "penalty=r2 is unknown; did you mean r1"),
        (["--model=gan", "--penalty=r1:gamma=much"], "penalty: gamma=much: it must be a float"),
        (
            ["--model=gan", "--penalty=r1:every_row=0"],
            "penalty: every_row=0: it must be an int in [1, inf)",
        ),
        (["--model=gan", "--augmentation=cutoff"], "augmentation=cutoff is unknown; did you mean"),
        (["--model=gan", "--augmentation=flip:target=1"], "it must be a float in (-1, 1)"),
        (["--model=gan", "--moves=D,H"], "no player H"),
        (
            ["--model=began", "--set=halve_every=0"],
            "BEGAN: halve_every=0: it must be an int in [1, inf)",
        ),
        (["--model=alice", "--set=cycle=l3"], "cycle=l3 is unknown; did you mean"),
        (["--model=autoencoder", "--set=norm=l3"], "norm=l3 is unknown; did you mean"),
    ],
)
def test_mistakes_are_one_line(options, message, command, tmp_path):
    workdir = tmp_path / "run"
    status, _, err = command("train", *options, f"--workdir={workdir}", *TINY)
    lines = [line for line in err.splitlines() if line.startswith("train.py")]
    assert status == 2 and len(lines) == 1 and message in lines[0], err
    assert not workdir.exists()


def test_a_player_that_never_moves_is_named(caplog):
    make_system("gan", options={"moves": "D"})
    assert "--moves=D never moves G" in caplog.text
    caplog.clear()
    make_system("alice")  # whose C stands still by default
    assert "never moves" not in caplog.text


OWN = """
import {imported}
import keras
from tf_bigan.models.bigan import BiGAN

{decorator}
class Mine(BiGAN):
    pass
"""


@pytest.mark.parametrize(
    "imported, decorator, error, message",
    [
        ("math", "", tb.errors.UserError, "Mine could not be loaded again: put @keras"),
        ("own_packag", "", ModuleNotFoundError, "own_packag"),
    ],
)
def test_what_is_wrong_with_a_module_of_ones_own(
    imported, decorator, error, message, tmp_path, monkeypatch
):
    package = tmp_path / f"own_package_{imported}"
    package.mkdir()
    (package / "__init__.py").touch()
    (package / "mine.py").write_text(OWN.format(imported=imported, decorator=decorator))
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(error, match=message):
        tb.models.find(f"{package.name}.mine")
