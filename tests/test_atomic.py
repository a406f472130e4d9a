"""Files are whole or not there, whatever fails and whoever else writes."""

import errno
import os
import shutil
import signal
import subprocess
import sys

import pytest

from tf_bigan.atomic import atomically, filled_atomically, remove_at_once, remove_incomplete
from tf_bigan.errors import UserError


def write(path, text):
    with atomically(path) as temporary, open(temporary, "w") as file:
        file.write(text)


def test_a_file_is_replaced_and_nothing_else_is_left(tmp_path):
    path = tmp_path / "made" / "a.txt"
    for text in ("one", "two"):
        write(path, text)
        assert path.read_text() == text
    assert os.listdir(path.parent) == ["a.txt"]


def test_a_directory_is_replaced(tmp_path):
    for text in ("one", "two"):
        with atomically(tmp_path / "d") as temporary:
            os.makedirs(f"{temporary}/below")
            write(f"{temporary}/below/{text}", text)
        assert os.listdir(tmp_path / "d" / "below") == [text]
    write(tmp_path / "d", "a file now")
    assert os.listdir(tmp_path) == ["d"] and (tmp_path / "d").read_text() == "a file now"


def fill(directory, *names):
    with filled_atomically(directory) as temporary:
        os.makedirs(f"{temporary}/below")
        for name in names:
            write(f"{temporary}/{name}", name)


def test_a_directory_is_filled_and_stays_the_same(tmp_path, monkeypatch):
    (tmp_path / "d").mkdir(mode=0o710)
    (tmp_path / "link").symlink_to("d")
    before = (tmp_path / "d").stat()
    monkeypatch.chdir(tmp_path / "link")
    fill(".", "a", "below/b")
    after = (tmp_path / "d").stat()
    assert (before.st_ino, before.st_mode) == (after.st_ino, after.st_mode)
    assert sorted(os.listdir()) == ["a", "below"] and os.listdir("below") == ["b"]
    assert (tmp_path / "link").is_symlink() and len(os.listdir(tmp_path)) == 2


def test_a_directory_that_cannot_be_filled_is_empty_again(tmp_path, monkeypatch):
    moved, replace = [], os.replace

    def full(source, target):
        if os.path.dirname(target) == str(tmp_path):
            moved.append(target)
            if len(moved) == 2:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        replace(source, target)

    monkeypatch.setattr(os, "replace", full)
    with pytest.raises(UserError, match=f"cannot write {tmp_path}: No space left on device"):
        fill(tmp_path, "a", "below/b")
    assert len(moved) == 2 and not os.listdir(tmp_path)


def test_what_somebody_else_puts_into_a_directory_stays(tmp_path):
    with (
        pytest.raises(UserError, match="Directory not empty"),
        filled_atomically(tmp_path) as temporary,
    ):
        os.mkdir(temporary)
        write(f"{temporary}/a", "new")
        write(tmp_path / "a", "old")
    assert os.listdir(tmp_path) == ["a"] and (tmp_path / "a").read_text() == "old"


@pytest.mark.parametrize(
    "error",
    [
        KeyError("a fault in the code"),
        UserError("a weight is not finite"),
        FileNotFoundError(errno.ENOENT, "No such file or directory", "/elsewhere/input"),
        KeyboardInterrupt(),
    ],
)
def test_errors_of_the_block_pass_through(tmp_path, error):
    write(tmp_path / "a", "old")
    with pytest.raises(type(error)) as raised, atomically(tmp_path / "a") as temporary:
        write(temporary, "new")
        raise error
    assert raised.value is error
    assert os.listdir(tmp_path) == ["a"] and (tmp_path / "a").read_text() == "old"


def test_failures_to_write_are_the_users_to_solve(tmp_path):
    def full(temporary):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    def no_directory(temporary):
        os.mkdir(f"{temporary}/nowhere/a")

    write(tmp_path / "a", "old")
    for fail, reason in ((full, "No space left on device"), (no_directory, "No such file")):
        message = f"cannot write {tmp_path}/a: {reason}.*untouched: .*start again$"
        with pytest.raises(UserError, match=message), atomically(tmp_path / "a") as temporary:
            fail(temporary)
    with pytest.raises(UserError, match="cannot write .*: Not a directory"):
        write(tmp_path / "a" / "b", "")
    with pytest.raises(KeyError), atomically(tmp_path / "made" / "c") as temporary:
        write(temporary, "")
        raise KeyError
    assert os.listdir(tmp_path) == ["a"] and (tmp_path / "a").read_text() == "old"


def test_two_writers_do_not_disturb_each_other(tmp_path):
    path = tmp_path / "a"
    with atomically(path) as first:
        with open(first, "w") as file:
            file.write("first")
        write(path, "second")
        remove_incomplete(tmp_path)
        assert os.path.exists(first)
    assert path.read_text() == "first" and os.listdir(tmp_path) == ["a"]


KILLED = """
import sys
from tf_bigan.atomic import atomically
with atomically(sys.argv[1]) as temporary:
    open(temporary, "w").write("half")
    print("writing", flush=True)
    sys.stdin.read()
"""


def test_another_process_is_let_alone_while_it_lives(tmp_path):
    pytest.importorskip("fcntl")
    command = [sys.executable, "-c", KILLED, str(tmp_path / "a")]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as writer:
        assert writer.stdout.readline() == b"writing\n"
        write(tmp_path / "a", "mine")
        remove_incomplete(tmp_path)
        (left,) = set(os.listdir(tmp_path)) - {"a"}
        writer.send_signal(signal.SIGKILL)
    assert os.listdir(tmp_path / left) == ["a"]
    write(tmp_path / "b", "mine")
    assert sorted(os.listdir(tmp_path)) == ["a", "b"]
    assert (tmp_path / "a").read_text() == "mine"


def test_a_directory_of_many_files_is_flushed_at_once(tmp_path, monkeypatch):
    calls = []
    monkeypatch.setattr("tf_bigan.atomic._MANY", 3)
    monkeypatch.setattr(os, "sync", lambda: calls.append("all"), raising=False)
    monkeypatch.setattr("tf_bigan.atomic._to_disk", calls.append)
    for count in (2, 3):
        with atomically(tmp_path / f"{count}") as temporary:
            os.mkdir(temporary)
            for number in range(count):
                open(os.path.join(temporary, str(number)), "w").close()
        assert sorted(os.listdir(tmp_path / f"{count}")) == [str(i) for i in range(count)]
        assert ("all" in calls) == (count == 3) and str(tmp_path) in calls
        calls.clear()


@pytest.mark.parametrize("kind", ["file", "directory"])
def test_a_removal_that_is_killed_leaves_no_part(tmp_path, monkeypatch, kind):
    path = tmp_path / "a"
    if kind == "file":
        path.write_text("x")
    else:
        path.mkdir()
        write(path / "inside", "x")
    with monkeypatch.context() as patch:
        patch.setattr(shutil, "rmtree", lambda *arguments, **options: None)
        remove_at_once(path)
    (left,) = os.listdir(tmp_path)
    assert left != "a"
    write(tmp_path / "b", "x")  # removes the rest
    assert os.listdir(tmp_path) == ["b"]
