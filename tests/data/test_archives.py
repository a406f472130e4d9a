"""Folders in zip and tar files."""

import shutil
import tarfile
import zipfile

import numpy as np
import pytest

from tests.pictures import filled, whole
from tf_bigan.data import cache, load
from tf_bigan.errors import UserError


@pytest.mark.parametrize("ending", ["zip", "tar", "tar.gz"])
def test_an_archive_is_its_folder(tmp_path, ending):
    data = filled(tmp_path / "set", [f"{c}/{i}.png" for c in "ab" for i in range(3)])
    path = tmp_path / f"set.{ending}"
    if ending == "zip":
        with zipfile.ZipFile(path, "w") as file:
            for picture in data.rglob("*.png"):
                file.write(picture, picture.relative_to(tmp_path))
    else:
        with tarfile.open(path, "w:gz" if ending.endswith("gz") else "w") as file:
            file.add(data, "set")
    for got, expected in zip(whole(path), whole(data), strict=True):
        np.testing.assert_array_equal(got, expected)
    before = {p: p.stat().st_mtime_ns for p in (cache.directory() / "archives").rglob("*.png")}
    assert before
    load(f"folder:{path}")  # is not unpacked again
    assert before == {p: p.stat().st_mtime_ns for p in before}


def test_a_zip_file_with_backslashes(tmp_path):
    data = filled(tmp_path / "set", [f"{c}/{i}.png" for c in "ab" for i in range(3)])
    path = tmp_path / "set.zip"
    with zipfile.ZipFile(path, "w") as file:
        for picture in sorted(data.rglob("*.png")):
            name = "\\".join(picture.relative_to(data).parts)
            file.writestr(name, picture.read_bytes())
    for got, expected in zip(whole(path), whole(data), strict=True):
        np.testing.assert_array_equal(got, expected)


def test_a_zip_file_that_is_cut_off(tmp_path):
    path = tmp_path / "cut.zip"
    with zipfile.ZipFile(path, "w") as file:
        file.writestr("0.png", bytes(1_000))
    path.write_bytes(path.read_bytes()[:500])
    with pytest.raises(UserError, match="cannot unpack .*cut.zip: it is damaged or cut off"):
        load(f"folder:{path}")


@pytest.mark.parametrize("ending", ["tar", "tar.gz", "tar.xz"])
def test_a_damaged_tar_file_is_refused(tmp_path, ending):
    """`tarfile` takes a broken header for the end: some pictures would be missing."""
    data = filled(tmp_path / "set", [f"{i}.png" for i in range(5)])
    path = tmp_path / f"set.{ending}"
    with tarfile.open(path, f"w:{ending[4:]}") as file:
        file.add(data, "set")
    content = path.read_bytes()
    if ending == "tar":
        at = content.index(b"set/3.png")
        content = content[:at] + b"\xff" * 8 + content[at + 8 :]
    else:
        content = content[: len(content) // 2]
    path.write_bytes(content)
    before = set((cache.directory() / "archives").glob("*"))
    with pytest.raises(UserError, match=f"set.{ending}"):
        load(f"folder:{path}")
    assert set((cache.directory() / "archives").glob("*")) == before


def test_links_that_lead_nowhere_are_left_out_of_archives(tmp_path):
    data = filled(tmp_path / "set", [f"{i}.png" for i in range(6)])
    (data / "gone.png").symlink_to("nowhere.png")
    path = tmp_path / "set.tar"
    with tarfile.open(path, "w") as file:
        file.add(data, "set")
    with pytest.warns(UserWarning, match=r"1 of 7 left out: 1 broken link \(set/gone.png\)"):
        assert len(whole(path)[0]) == 6


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("ä" * 130 + ".png", "ä.png: File name too long"),
        ("0.png/1.png", "0.png/1.png: Not a directory"),
    ],
)
@pytest.mark.parametrize("ending", ["zip", "tar"])
def test_names_that_cannot_be_unpacked_are_told(tmp_path, name, reason, ending):
    """No other disk would help."""
    path = tmp_path / f"set.{ending}"
    if ending == "zip":
        with zipfile.ZipFile(path, "w") as file:
            file.writestr("0.png", b"")
            file.writestr(name, b"")
    else:
        with tarfile.open(path, "w") as file:
            file.addfile(tarfile.TarInfo("0.png"))
            file.addfile(tarfile.TarInfo(name))
    with pytest.raises(UserError, match=f"^cannot unpack .*set.{ending}: .*{reason}") as error:
        load(f"folder:{path}")
    assert str(cache.directory()) not in str(error.value)


def test_errors_name_the_archive(tmp_path):
    contents = {
        "no pictures": ("notes.txt", "a.zip holds no pictures"),
        '{"labels": 1}': ("dataset.json", "a.zip/dataset.json: its labels are not pairs"),
        "[": ("dataset.json", "cannot read .*a.zip/dataset.json: "),
        '{"labels": [["x.png", 0]]}': ("dataset.json", "none of the pictures in .*a.zip: it has x"),
    }
    for content, (name, words) in contents.items():
        data = tmp_path / name
        data.mkdir(exist_ok=True)
        (data / name).write_text(content)
        if name == "dataset.json":
            filled(data, ["0.png", "1.png"])
        path = shutil.make_archive(str(tmp_path / "a"), "zip", data)
        with pytest.raises(UserError, match=words) as error:
            load(f"folder:{path}")
        assert str(cache.directory()) not in str(error.value)


def test_refused_archives(tmp_path, monkeypatch):
    path = tmp_path / "a.tar"
    with tarfile.open(path, "w") as file:
        member = tarfile.TarInfo("../outside.png")
        file.addfile(member)
    with pytest.raises(UserError, match="cannot unpack .*a.tar: "):
        load(f"folder:{path}")
    filled(tmp_path / "x", ["0.png"])
    zipped = tmp_path / "x.zip"
    with zipfile.ZipFile(zipped, "w") as file:
        file.write(tmp_path / "x" / "0.png", "0.png")
    usage = type("usage", (), {"free": 10})
    monkeypatch.setattr("shutil.disk_usage", lambda path: usage)
    with pytest.raises(UserError, match="unpacks to .* GB left: set TF_BIGAN_CACHE=DIR"):
        load(f"folder:{zipped}")
    monkeypatch.undo()
    content = bytearray(zipped.read_bytes())
    content[40:60] = bytes(20)
    zipped.write_bytes(content)
    with pytest.raises(UserError, match="cannot unpack .*x.zip"):
        load(f"folder:{zipped}")
    assert not list((cache.directory() / "archives").glob(".*"))
