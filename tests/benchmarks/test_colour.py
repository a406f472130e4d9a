"""The emoji's folder and the table of the benchmark of colour pictures; no training."""

import argparse
import json

import pytest
from PIL import Image

from benchmarks import colour, results
from tf_bigan.errors import UserError


@pytest.fixture
def package(tmp_path):
    """20 emoji of 2 categories, each with one skin tone, one of which has no picture."""
    images = tmp_path / "package" / "img" / "google" / "64"
    images.mkdir(parents=True)
    entries = [
        {
            "image": f"{i}.png",
            "category": "Food" if i < 10 else "Flags",
            "skin_variations": {"1F3FB": {"image": f"{i}-tone.png"}},
        }
        for i in range(20)
    ]
    entries.append({"image": "tone.png", "category": "Component"})
    for entry in entries:
        Image.new("RGBA", (64, 64), "red").save(images / entry["image"])
        if "skin_variations" in entry and entry["image"] != "7.png":
            Image.new("RGBA", (64, 64), "blue").save(images / entry["image"].replace(".", "-tone."))
    (tmp_path / "package" / "emoji.json").write_text(json.dumps(entries))
    return tmp_path / "package"


def test_a_tenth_of_the_emoji_with_all_tones_are_test_pictures(package, tmp_path):
    folder = colour.prepare(package, tmp_path / "out")
    parts = {
        part: {file.relative_to(folder / part).as_posix() for file in folder.glob(f"{part}/*/*")}
        for part in ("train", "test")
    }
    assert sum(map(len, parts.values())) == 39  # 20 and 19 tones, without the component
    assert {name.split("/")[0] for name in parts["train"]} == {"Food", "Flags"}
    emoji = {part: {name.split("-")[0].split(".")[0] for name in parts[part]} for part in parts}
    assert not emoji["train"] & emoji["test"]
    assert len(emoji["test"]) == 2
    assert colour.prepare(package, tmp_path / "out") == folder  # as it is


def test_a_folder_without_emoji_is_named(tmp_path):
    with pytest.raises(UserError, match=r"emoji=.*: no emoji.json there"):
        colour.prepare(tmp_path, tmp_path / "out")


def test_variants_have_the_options_of_the_data_and_stored_results_are_of_them(package, tmp_path):
    colour.prepare(package, tmp_path / "emoji")
    options = argparse.Namespace(out=str(tmp_path), data_dir=None, minutes=2.0)
    default, plain, dcgan = (
        colour.config_of("emoji32", variant, 3, options)
        for variant in ("default", "unaugmented", "dcgan")
    )
    assert (default.image_size, default.channels, default.seed) == ("32", 3, 3)
    assert default.networks == "conv" and default.augmentation.startswith("translation")
    assert plain.augmentation is None and plain.penalty == default.penalty
    assert (dcgan.networks, dcgan.penalty, dcgan.augmentation) == ("dcgan", "none", None)
    assert (default.loss, dcgan.loss) == ("relativistic", None)
    path = tmp_path / "results.jsonl"
    for variant, minutes in (("dcgan", 2.0), ("default", 2.0), ("default", 3.0)):
        key = {"data": "emoji32", "variant": variant, "seed": 3}
        of_run = colour.settings(**key, options=options) | {"minutes": minutes}
        results.append(path, key | {"settings": of_run})
    found = colour.read(path, options)
    assert [record["variant"] for record in found] == ["default", "dcgan"]


def test_the_table_has_means_and_deviations():
    record = dict.fromkeys(colour.COLUMNS, 0.25) | {"data": "emoji32", "variant": "default"}
    lines = colour.table([record, record | {"fd_classifier": 0.75}]).splitlines()
    assert len(lines) == 3
    assert lines[2].startswith("| emoji32 | default | 2 | 0.5 ± 0.4 | 0.25 ± 0.00 |")
