"""Which files of a folder are pictures, and what its subfolders and dataset.json say of them."""

from __future__ import annotations

import collections
import json
import os
import posixpath
import re
import stat
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from tf_bigan.data.decoding import BROKEN, NoPicture, open_picture
from tf_bigan.errors import UserError

ENDINGS = (
    *(".png", ".jpg", ".jpeg", ".jpe", ".jfif", ".webp", ".gif", ".bmp", ".dib", ".tif", ".tiff"),
    *(".avif", ".heic", ".heif", ".jp2", ".ppm", ".pgm", ".pbm"),
)
# What operating systems, archives and network storage leave in folders, besides hidden files.
LITTER = {
    *("thumbs.db", "ehthumbs.db", "desktop.ini", "icon\r", "dataset.json"),
    *("__macosx", "@eadir", "#recycle", "$recycle.bin", "lost+found", "system volume information"),
}
PARTS = {
    "train": {"train", "training"},
    "validation": {"val", "valid", "validation", "dev"},
    "test": {"test", "testing"},
}
SHOWN = 3  # names of a kind in a message


@dataclass(frozen=True)
class File:
    """A file of a folder.

    names: its path below the folder, in parts.
    status: its size in bytes and the time of its last change, in ns.
    """

    path: str
    names: tuple[str, ...]
    status: tuple[int, int]

    @property
    def relative(self) -> str:
        """Its path below the folder, with slashes."""
        return "/".join(self.names)


@dataclass
class Listing:
    """The pictures of a folder.

    parts: {"train", "validation", "test": [(file, its label or None)]}, sorted by path. Labels are
      the names of subfolders, or integers of dataset.json.
    left_out: {kind: names of what is not used}.
    notes: what was decided, each a line.
    """

    root: Path
    parts: dict[str, list[tuple[File, str | int | None]]] = field(default_factory=dict)
    left_out: dict[str, list[str]] = field(default_factory=lambda: collections.defaultdict(list))
    notes: list[str] = field(default_factory=list)


def listed(root: Path, structured: bool = True) -> Listing:
    """The pictures below a folder, with their parts and labels.

    Only folder names, file names, and the headers of files without a known ending are read.

    Args:
        root: the folder.
        structured: find parts and labels. Otherwise all pictures are "train", without labels.

    Raises:
        UserError: the folder is missing, cannot be read or has no pictures; with `structured` also
            if its structure is not clear.
    """
    found = Listing(root)
    folders: list[tuple[str, ...]] = []
    files = []
    for entry in _below(str(root), found.left_out):
        if isinstance(entry, tuple):
            folders.append(entry)
        elif os.path.splitext(entry.path)[1].lower() in ENDINGS or _is_picture(entry.path):
            files.append(entry)
        else:
            found.left_out["other files"].append(entry.relative)
    if not files:
        raise UserError(_nothing(root, found.left_out))
    if not structured:
        found.parts["train"] = [(file, None) for file in files]
        return found
    start = _only_folder(files, folders)
    if start:
        found.notes.append(f"all pictures are in {'/'.join(start)}/, which counts as no class")
    tops = [names[len(start)] for names in folders if names[:-1] == start]
    parts = _part_names(root, tops)
    present = {file.relative for file in files}
    for part, name in parts.items():
        below = (*start, name) if name else start
        inside = [file for file in files if file.names[: len(below)] == below]
        if inside:
            found.parts[part] = _labelled(found, below, inside, folders, present)
        elif part == "train":
            raise UserError(f"{root}: {name}/ holds no pictures")
    used = {file.path for pairs in found.parts.values() for file, _ in pairs}
    beside = {name for names in found.left_out.values() for name in names}
    found.left_out["beside the parts"] += [
        file.relative for file in files if file.path not in used and file.relative not in beside
    ]
    _check_labels(found, parts)
    return found


def described(kinds: Mapping[str, list[str]]) -> str:
    """ "2 broken (a.png, b.png), 1 empty (c.png)"."""
    texts = []
    for kind, names in kinds.items():
        if names:
            shown = ", ".join(map(printable, names[:SHOWN]))
            more = ", ..." if len(names) > SHOWN else ""
            texts.append(f"{len(names):,} {kind} ({shown}{more})")
    return ", ".join(texts)


def printable(name: str) -> str:
    """A file's name in one line, with what cannot be printed as an escape."""
    return "".join(c if c.isprintable() else repr(c)[1:-1] for c in name)


def _below(
    folder: str, left_out, names: tuple[str, ...] = (), above: tuple = ()
) -> Iterator[File | tuple[str, ...]]:
    """The files below a folder, and the names of its folders, in order; links are followed."""
    try:
        with os.scandir(folder) as entries:
            inside = sorted(entries, key=lambda entry: entry.name)
        here = os.stat(folder)
    except OSError as error:
        if not names:
            raise UserError(f"cannot read the folder {folder}: {error.strerror}") from error
        left_out["folders that cannot be read"].append("/".join(names))
        return
    above = (*above, (here.st_dev, here.st_ino))
    for entry in inside:
        if entry.name.startswith(".") or entry.name.lower() in LITTER:
            continue
        path = (*names, entry.name)
        try:
            status = os.stat(entry.path)
        except OSError:
            kind = "broken links" if entry.is_symlink() else "files that cannot be read"
            left_out[kind].append("/".join(path))
            continue
        if stat.S_ISREG(status.st_mode):
            yield File(entry.path, path, (status.st_size, status.st_mtime_ns))
        elif not stat.S_ISDIR(status.st_mode):  # a device or a pipe
            left_out["other files"].append("/".join(path))
        elif (status.st_dev, status.st_ino) in above:
            left_out["links in a loop"].append("/".join(path))
        else:
            yield path
            yield from _below(entry.path, left_out, path, above)


def _is_picture(path: str) -> bool:
    try:
        with open_picture(path):
            return True
    except NoPicture as reason:
        return reason.kind == "too large"
    except BROKEN:
        return False


def _nothing(root, left_out):
    text = described(left_out)
    return f"{root} holds no pictures, nor do its subfolders{f': {text}' if text else ''}"


def _only_folder(files, folders) -> tuple[str, ...]:
    """The names of the folder that holds everything, where each level has just one folder."""
    start = ()
    while True:
        inside = {names[len(start)] for names in folders if names[: len(start)] == start != names}
        beside = any(file.names[:-1] == start for file in files)
        if beside or len(inside) != 1:
            return start
        start = (*start, inside.pop())


def _part_names(root: Path, tops: list[str]) -> dict[str, str]:
    """{part: the name of its folder}; {"train": ""} for a folder that has no parts."""
    found: dict[str, list[str]] = {}
    for name in tops:
        plain = re.sub(r"[\s_-]*(set|data|images)?$", "", name.lower())  # of "Test Set"
        for part, names in PARTS.items():
            if plain in names:
                found.setdefault(part, []).append(name)
    if "train" in found and len(found) > 1:
        for part, names in found.items():
            if len(names) > 1:
                raise UserError(
                    f"{root}: {' and '.join(names)} are both {part} images: keep one of them"
                )
        return {part: found[part][0] for part in PARTS if part in found}
    if found and sum(map(len, found.values())) == len(tops):  # otherwise they are class names
        there = " and ".join(f"{name}/" for names in found.values() for name in names)
        missing = "train" if "train" not in found else "test"
        raise UserError(f"{root} has {there} but no {missing}/: add one, or rename another to it")
    return {"train": ""}


def _labelled(found: Listing, below, files, folders, present: set[str]) -> list:
    """[(file, label)] of the files of a part."""
    depth = len(below)
    if (labels := _labels_file(found.root, below)) is not None:
        path, given = labels
        if given is None:
            return [(file, None) for file in files]
        named = [(file, given[file.relative]) for file in files if file.relative in given]
        if not named:
            start = path.parent.relative_to(found.root)
            both = (files[0].relative, next(iter(given)))
            ours, theirs = (printable(posixpath.relpath(name, start)) for name in both)
            raise UserError(
                f"{path} names none of the pictures in {found.root.joinpath(*below)}: it has "
                f"{theirs}, they are as {ours}: give paths from the folder of dataset.json, or "
                "move it away"
            )
        missing = [file.relative for file in files if file.relative not in given]
        found.left_out["without a label in dataset.json"] += missing
        absent = given.keys() - present
        kind = "named in dataset.json, but missing"  # once, if several parts share it
        found.left_out[kind] = sorted(absent.union(found.left_out[kind]))
        return named
    flat = [file for file in files if len(file.names) == depth + 1]
    deep = [file for file in files if len(file.names) > depth + 1]
    if flat and len(flat) >= len(deep):
        if deep:
            found.notes.append(
                f"most pictures are beside the subfolders ({len(flat):,} of {len(files):,}), which "
                "count as no classes"
            )
        return [(file, None) for file in files]
    found.left_out["beside the class folders"] += [file.relative for file in flat]
    classes = {file.names[depth] for file in deep}
    locked = found.left_out["folders that cannot be read"]
    empty = [names for names in folders if len(names) == depth + 1 and names[:depth] == below]
    empty = ["/".join(names) for names in empty if names[depth] not in classes]
    found.left_out["class folders without pictures"] += [n for n in empty if n not in locked]
    return [(file, file.names[depth]) for file in deep]


def _labels_file(root: Path, below: tuple[str, ...]) -> tuple[Path, dict[str, int] | None] | None:
    """(path, {picture: label}) of a part's or the root's dataset.json; None if there is none.

    Pictures are by their paths below the root; None instead of the labels says that there are none.
    The format is that of StyleGAN's tools: {"labels": [["path/img.png", 3], ...]}, or null.
    """
    for depth in range(len(below), -1, -1):
        path = root.joinpath(*below[:depth], "dataset.json")
        try:
            content = json.loads(path.read_bytes())
        except FileNotFoundError:
            continue
        except (OSError, ValueError, RecursionError) as error:
            reason = getattr(error, "strerror", None) or error
            raise UserError(f"cannot read {path}: {reason}") from error
        if not isinstance(content, dict) or "labels" not in content:
            continue
        labels = content["labels"]
        if labels is None or labels == []:
            return path, None
        good = isinstance(labels, list) and all(
            isinstance(pair, list)
            and len(pair) == 2
            and isinstance(pair[0], str)
            and type(pair[1]) is int
            for pair in labels
        )
        if not good:
            raise UserError(
                f'{path}: its labels are not pairs of a path and an integer, as {{"labels": '
                '[["path/img.png", 3], ...]}'
            )
        return path, {_joined(*below[:depth], name): label for name, label in labels}
    return None


def _joined(*names: str) -> str:
    return posixpath.normpath("/".join(names).replace("\\", "/"))


def _check_labels(found: Listing, parts: Mapping[str, str]):
    kinds = {part: type(pairs[0][1]) for part, pairs in found.parts.items() if pairs}
    if not kinds.get("train"):
        raise UserError(_nothing(found.root, found.left_out))
    if len(set(kinds.values())) > 1:
        flat = ", ".join(str(found.root / parts[p]) for p, kind in kinds.items() if kind is not str)
        raise UserError(
            f"{found.root}: {flat} has no subfolders for the classes, as the other parts have: "
            "sort its images into class subfolders, or move it away"
        )
