"""What the README shows runs as it stands there."""

import re
import shlex
from pathlib import Path

import keras
import numpy as np
import pytest

from tf_bigan.__main__ import COMMANDS
from tf_bigan.run import build
from tf_bigan.run.config import Config
from tf_bigan.run.presets import PRESETS

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text()
CHINESE = (ROOT / "README.zh-CN.md").read_text()


def blocks(text: str, language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", text, re.DOTALL)


@pytest.mark.smoke
def test_quick_start_runs(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    names = {}
    exec(blocks(README, "python")[0], names)
    assert names["generated"].shape == names["images"].shape == names["reconstructed"].shape


def test_the_model_shown_is_found_trains_and_is_saved(tmp_path, monkeypatch, eagerly):
    package = tmp_path / "my_package"
    package.mkdir()
    (package / "cycle_bigan.py").write_text(blocks(README, "python")[-1])
    monkeypatch.syspath_prepend(tmp_path)
    config = Config(model="my_package.cycle_bigan", latent_dim=4, width=8, steps_per_execution=2)
    model, _ = build.build_model(config, (8, 8, 1), steps_per_epoch=2)
    assert type(model).__name__ == "CycleBiGAN" and model.cycle == 0.02
    images = np.random.default_rng(0).random((32, 8, 8, 1), np.float32)
    errors = model.fit(images, batch_size=16, epochs=6, verbose=0).history["reconstruction"]
    assert errors[-1] < errors[0] - 0.005  # from 5.28 down by .02 to .05, of three seeds
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    np.testing.assert_array_equal(loaded.encode(images), model.encode(images))


def test_commands_use_flags_that_exist():
    lines = [line for block in blocks(README, "bash") for line in block.splitlines()]
    seen = set()
    for line in lines:
        words = shlex.split(line, comments=True)
        for name, module in COMMANDS.items():
            if f"{name}.py" in line or words[:2] == ["tf-bigan", name]:
                seen.add(name)
                for option in (word for word in words if word.startswith("--")):
                    assert option[2:].partition("=")[0] in module.FLAGS, line
    assert seen == set(COMMANDS)


def test_presets_and_groups_are_all_there():
    for text in (README, CHINESE):
        for name in PRESETS:
            assert f"`{name}`" in text
        for name in re.findall(r"`--(\w+)", text):
            others = ("preset", "source_dataset", "workdir", "dry_run")
            assert name in Config.__dataclass_fields__ or name in others


def test_both_languages_give_the_same_commands():
    for language in ("bash", "python"):
        plain = [re.sub(r"\s+#.*", "", b) for b in blocks(README, language)]
        assert plain == [re.sub(r"\s+#.*", "", b) for b in blocks(CHINESE, language)]


def test_linked_files_exist_and_every_page_is_linked():
    linked = set()
    for page in [*ROOT.glob("*.md"), *ROOT.glob("docs/*.md")]:
        for target in re.findall(r"\]\((?!http)([^)#\s]+)[^)]*\)", page.read_text()):
            assert (page.parent / target).exists(), (page.name, target)
            linked.add((page.parent / target).resolve())
    assert set((ROOT / "docs").resolve().glob("*.md")) <= linked
