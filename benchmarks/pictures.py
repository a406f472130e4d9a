"""Pictures of two packages, which are no part of this project and are to be unpacked by the user.

elpv-dataset of PyPI: photographs of solar cells. emoji-datasource-google of npm: emoji.
Images are float32 in [0, 1].
"""

import json
from pathlib import Path

import numpy as np

from tf_bigan.errors import UserError

RARE = "Component"  # a category of emoji that has only five, parts of others


def elpv(folder: str | None, side: int) -> tuple[np.ndarray, np.ndarray]:
    """(grey images [N, side, side, 1], 0 for normal and 1 for defective cells), without those whose
    defects are uncertain."""
    from PIL import Image

    index = _only(folder, "elpv", "labels.csv", "elpv-dataset")
    rows = [line.split() for line in index.read_text().splitlines()]
    certain = [(file, float(defect)) for file, defect, _ in rows if float(defect) in (0.0, 1.0)]
    images = []
    for file, _ in certain:
        with Image.open(index.parent / file) as image:
            cell = image.convert("L").resize((side, side), Image.Resampling.LANCZOS)
        images.append(np.asarray(cell))
    pixels = np.stack(images)[..., None] / np.float32(255)
    return pixels, np.array([int(defect) for _, defect in certain])


def emoji(folder: str | None, side: int = 32) -> tuple[np.ndarray, np.ndarray]:
    """(colour images [N, side, side, 3] on white, the names of their categories), one skin tone of
    each."""
    from PIL import Image

    drawn = [(category, files[0]) for category, files in emoji_files(folder)]
    images = []
    for _, file in drawn:
        with Image.open(file) as image:
            picture = image.convert("RGBA").resize((side, side), Image.Resampling.LANCZOS)
        white = Image.new("RGBA", picture.size, "white")
        images.append(np.asarray(Image.alpha_composite(white, picture).convert("RGB")))
    return np.stack(images) / np.float32(255), np.array([category for category, _ in drawn])


def emoji_files(folder: str | None) -> list[tuple[str, list[Path]]]:
    """(category, the pictures of all skin tones, the usual one first) of each emoji."""
    index = _only(folder, "emoji", "emoji.json", "emoji-datasource-google")
    found = []
    for entry in json.loads(index.read_text(encoding="utf-8")):
        drawn = (entry, *entry.get("skin_variations", {}).values())
        files = [index.parent / "img" / "google" / "64" / one["image"] for one in drawn]
        if files[0].exists():
            found.append((entry["category"], [file for file in files if file.exists()]))
    return found


def _only(folder: str | None, name: str, file: str, package: str) -> Path:
    """The package's list of pictures."""
    if folder is None:
        raise UserError(f"{name}: give --{name}=DIR, the unpacked package {package}")
    listed = sorted(Path(folder).rglob(file))
    if not listed:
        raise UserError(f"{name}={folder}: no {file} there: unpack the package {package}")
    return listed[0]
