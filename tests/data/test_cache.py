"""The cache of decoded folders: used, left out and kept small."""

import os
import shutil
import time
import warnings
from pathlib import Path

import numpy as np
import pytest

from tests.pictures import GREY, filled, save
from tf_bigan.data import cache, folder, load
from tf_bigan.errors import UserError


@pytest.fixture
def decoded(monkeypatch):
    """The names of files that are decoded."""
    seen = []
    look, pixels = folder._look, folder._pixels

    def noting(function):
        def call(path, **options):
            seen.append(os.path.basename(os.fsdecode(path)))
            return function(path, **options)

        return call

    monkeypatch.setattr(folder, "_look", noting(look))
    monkeypatch.setattr(folder, "_pixels", noting(pixels))
    return seen


def test_a_second_start_decodes_nothing(tmp_path, decoded):
    filled(tmp_path, [f"{i}.png" for i in range(6)])
    first = load(f"folder:{tmp_path}")
    assert sorted(decoded) == sorted(2 * os.listdir(tmp_path))
    decoded.clear()
    again, other = load(f"folder:{tmp_path}"), load(f"folder:{tmp_path}", "test")
    np.testing.assert_array_equal(first.images, again.images)
    assert first.fingerprint == again.fingerprint != other.fingerprint and not decoded
    load(f"folder:{tmp_path}", image_size=8)  # another form
    assert len(decoded) == 6
    decoded.clear()
    save(tmp_path / "3.png", GREY[:4, :4])  # another content
    changed = load(f"folder:{tmp_path}")
    assert len(decoded) == 12 and changed.fingerprint != first.fingerprint
    for path in (cache.directory() / "arrays").iterdir():
        path.write_bytes(path.read_bytes()[:90])  # cut off
    np.testing.assert_array_equal(load(f"folder:{tmp_path}").images, changed.images)


def test_after_ctrl_c_nobody_waits_for_the_rest(monkeypatch):
    """Also if it comes while the progress bar is drawn, not while a result is waited for."""
    done = []

    def slow(item):
        time.sleep(0.01)
        done.append(item)

    def interrupted(results, *_, **__):
        yield next(results)
        raise KeyboardInterrupt

    monkeypatch.setattr(folder, "tqdm", interrupted)
    with pytest.raises(KeyboardInterrupt):
        list(folder._in_threads(slow, list(range(2_000)), "reading"))
    assert len(done) < 2_000


def test_the_same_relative_path_elsewhere_is_another_folder(tmp_path, monkeypatch):
    """Also with equal names, sizes and times, which archives with fixed times give."""
    streams = []
    for value in (10, 20):
        for i in range(3):
            file = tmp_path / str(value) / "pictures" / f"{i}.bmp"
            save(file, np.full((6, 6), value, np.uint8))
            os.utime(file, (10**9, 10**9))
        monkeypatch.chdir(tmp_path / str(value))
        assert (load("folder:pictures").images == value).all()
        streams.append(load("folder:pictures", memory_limit=1))
    for stream, value in zip(streams, (10, 20), strict=True):
        assert (stream.take(2).images == value).all()


def test_a_problem_that_is_gone_is_not_remembered(tmp_path, monkeypatch):
    filled(tmp_path, [f"{i}.png" for i in range(6)])

    def locked(path, *arguments, **options):
        if str(path).endswith("5.png"):
            raise PermissionError(13, "Permission denied", str(path))
        return open_file(path, *arguments, **options)

    open_file = open
    monkeypatch.setattr("builtins.open", locked)
    with pytest.warns(UserWarning, match="1 file that cannot be read"):
        folder.open_folder(str(tmp_path))
    monkeypatch.setattr("builtins.open", open_file)
    assert len(folder.open_folder(str(tmp_path)).files) == 6


def test_a_cache_of_somebody_else_is_read(tmp_path, decoded, monkeypatch):
    def refused(path, *arguments, **options):
        raise PermissionError(1, "Operation not permitted", str(path))

    filled(tmp_path, [f"{i}.png" for i in range(6)])
    load(f"folder:{tmp_path}")
    decoded.clear()
    monkeypatch.setattr("os.utime", refused)
    load(f"folder:{tmp_path}")
    assert not decoded


def test_without_a_cache_everything_is_made_again(tmp_path, decoded, monkeypatch):
    filled(tmp_path / "x", [f"{i}.png" for i in range(6)])
    (tmp_path / "file").touch()
    monkeypatch.setenv("TF_BIGAN_CACHE", str(tmp_path / "file" / "cache"))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for _ in range(2):
            assert len(load(f"folder:{tmp_path}/x")) == 5
    assert len(decoded) == 24
    shutil.make_archive(tmp_path / "x", "zip", tmp_path / "x")
    with pytest.raises(UserError, match="^cannot write .*: set TF_BIGAN_CACHE=DIR to a directory"):
        load(f"folder:{tmp_path}/x.zip")


def test_the_cache_stays_within_its_limit(tmp_path):
    for number, days in enumerate((9, 3, 0, 5)):
        path = tmp_path / ("arrays", "archives")[number % 2] / str(number)
        if number % 2:
            path.mkdir(parents=True)
            (path / "file").write_bytes(bytes(100_000))
        else:
            path.parent.mkdir(exist_ok=True)
            path.write_bytes(bytes(100_000))
        time = path.stat().st_mtime - days * 86_400 - 60 * bool(days)
        os.utime(path, (time, time))
    cache.trim(tmp_path, limit=250_000)
    assert {path.name for path in tmp_path.glob("*/*")} == {"1", "2"}
    cache.trim(tmp_path, limit=0)  # what a training may be reading stays
    assert {path.name for path in tmp_path.glob("*/*")} == {"2"}


def test_what_cannot_be_removed_from_the_cache_stays(tmp_path, monkeypatch):
    """That of somebody else; and what another program removes meanwhile, here a broken link."""
    for name in ("mine", "theirs"):
        path = tmp_path / "archives" / name
        path.mkdir(parents=True)
        os.utime(path, (10**9, 10**9))
    (tmp_path / "archives" / "gone").symlink_to("nowhere")
    replace = os.replace

    def refuse(source, target):
        if Path(source).name == "theirs":
            raise PermissionError(13, "Permission denied", str(source))
        replace(source, target)

    monkeypatch.setattr(os, "replace", refuse)
    cache.trim(tmp_path, limit=-1)
    assert {path.name for path in (tmp_path / "archives").iterdir()} == {"theirs", "gone"}


def test_what_streams_has_a_fingerprint_too(tmp_path):
    filled(tmp_path, [f"{c}/{i}.png" for c in "ab" for i in range(4)])
    options = {"memory_limit": 0}
    first = load(f"folder:{tmp_path}", **options).fingerprint
    assert first == load(f"folder:{tmp_path}", **options).fingerprint is not None
    content = (tmp_path / "a" / "0.png").read_bytes()
    (tmp_path / "a" / "0.png").write_bytes(content)  # another time, but not another content
    assert load(f"folder:{tmp_path}", **options).fingerprint == first
    os.rename(tmp_path / "a" / "0.png", tmp_path / "b" / "9.png")
    assert load(f"folder:{tmp_path}", **options).fingerprint != first
