"""Which files of a folder are pictures, and what its subfolders and dataset.json say of them."""

from __future__ import annotations

import collections
import json
import os
import posixpath
import re
import stat
import warnings
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from tf_bigan.data.decoding import NoPicture, open_picture
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
LOCKED = "folders that cannot be read"
UNREADABLE = "files that cannot be read"
SINGULAR = {
    UNREADABLE: "file that cannot be read",
    LOCKED: "folder that cannot be read",
    "other files": "other file",
    "broken links": "broken link",
    "links in a loop": "link in a loop",
    "class folders without pictures": "class folder without pictures",
    "exact copies of others": "exact copy of another",
    "turned as their EXIF entry says": "turned as its EXIF entry says",
}


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

    name: what messages call it: an archive that was unpacked has a path that says nothing.
    parts: {"train", "validation", "test": [(file, its label or None)]}, sorted by path. Labels are
      the names of subfolders, or integers of dataset.json.
    left_out: {kind: names of what is not used}.
    notes: what was decided, each a line.
    """

    root: Path
    name: Path
    parts: dict[str, list[tuple[File, str | int | None]]] = field(default_factory=dict)
    left_out: dict[str, list[str]] = field(default_factory=lambda: collections.defaultdict(list))
    notes: list[str] = field(default_factory=list)


def listed(root: Path, structured: bool = True, name: Path | None = None) -> Listing:
    """The pictures below a folder, with their parts and labels.

    Only folder names, file names, and the headers of files without a known ending are read.

    Args:
        root: the folder.
        structured: find parts and labels. Otherwise all pictures are "train", without labels.
        name: see `Listing`. None: `root`.

    Raises:
        UserError: the folder is missing, cannot be read or has no pictures; with `structured` also
            if its structure is not clear.
    """
    found = Listing(root, name or root)
    folders: list[tuple[str, ...]] = []
    files = []
    for entry in _below(found):
        if isinstance(entry, tuple):
            folders.append(entry)
        elif not (kind := _no_picture(entry.path)):
            files.append(entry)
        else:
            found.left_out[kind].append(entry.relative)
    if not files:
        raise UserError(_nothing(found))
    if not structured:
        found.parts["train"] = [(file, None) for file in files]
        return found
    start, without = _only_folder(found.name, files, folders)
    if start:
        found.notes.append(
            f"all pictures are in {'/'.join(start)}/, which does not count as a class"
        )
    tops = [names[len(start)] for names in folders if names[:-1] == start]
    parts = _part_names(found.name, tops)
    present = {file.relative for file in files}
    for part, folder in parts.items():
        below = (*start, folder) if folder else start
        inside = [file for file in files if file.names[: len(below)] == below]
        if inside:
            found.parts[part] = _labelled(found, below, inside, folders, present)
        elif part == "train":
            raise UserError(f"{found.name}: {folder}/ holds no pictures")
        else:
            without.append("/".join(below))
    without = [name for name in without if name not in found.left_out[LOCKED]]
    if without:
        found.notes.append(f"no pictures in {_shown([f'{name}/' for name in without])}")
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
            what = SINGULAR.get(kind, kind) if len(names) == 1 else kind
            texts.append(f"{len(names):,} {what} ({_shown(names)})")
    return ", ".join(texts)


def _shown(names: list[str]) -> str:
    return ", ".join(map(printable, names[:SHOWN])) + (", ..." if len(names) > SHOWN else "")


def printable(name: str) -> str:
    """A file's name in one line, with what cannot be printed as an escape."""
    return "".join(c if c.isprintable() else repr(c)[1:-1] for c in name)


def _below(found: Listing) -> Iterator[File | tuple[str, ...]]:
    """The files below a folder, and the names of its folders, in order; links are followed."""
    try:
        waiting = _entries(str(found.root), (), ())
    except OSError as error:
        raise UserError(f"cannot read the folder {found.name}: {error.strerror}") from error
    while waiting:  # no recursion: folders may be deep
        path, names, above = waiting.pop()
        name = "/".join(names)
        try:
            status = os.stat(path)
        except OSError:
            found.left_out["broken links" if os.path.islink(path) else UNREADABLE].append(name)
            continue
        if stat.S_ISREG(status.st_mode):
            yield File(path, names, (status.st_size, status.st_mtime_ns))
        elif not stat.S_ISDIR(status.st_mode):  # a device or a pipe
            found.left_out["other files"].append(name)
        elif (status.st_dev, status.st_ino) in above:
            found.left_out["links in a loop"].append(name)
        else:
            yield names
            try:
                waiting += _entries(path, names, above)
            except OSError:
                found.left_out[LOCKED].append(name)


def _entries(folder: str, names: tuple[str, ...], above: tuple) -> list[tuple]:
    """[(path, names, the folders above it)] of what is in a folder, the last first."""
    with os.scandir(folder) as entries:
        inside = sorted((entry.name, entry.path) for entry in entries)
    here = os.stat(folder)
    above = (*above, (here.st_dev, here.st_ino))
    return [
        (path, (*names, name), above)
        for name, path in reversed(inside)
        if not (name.startswith(".") or name.lower() in LITTER)
    ]


def _no_picture(path: str) -> str | None:
    """The kind of a file that is left out; None for pictures, by the ending or else the header."""
    if os.path.splitext(path)[1].lower() in ENDINGS:
        return None
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # Pillow's, of large pictures
            open_picture(path).close()
    except NoPicture as reason:
        return None if reason.kind == "too large" else "other files"
    except OSError:
        return UNREADABLE
    return None


def _nothing(found: Listing) -> str:
    text = described(found.left_out)
    return f"{found.name} holds no pictures, nor do its subfolders{f': {text}' if text else ''}"


def _only_folder(name: Path, files, folders) -> tuple[tuple[str, ...], list[str]]:
    """(names of the folder that holds all pictures, folders without pictures on the way to it).

    A folder whose pictures are its own is a class, if it has empty ones beside it.
    """
    start, without = (), []
    while True:
        depth = len(start)
        inside = {file.names[depth] for file in files}
        if len(inside) > 1 or any(len(file.names) == depth + 1 for file in files):
            return start, without
        tops = [names[depth] for names in folders if names[:-1] == start]
        if len(tops) > 1:
            direct = all(len(file.names) == depth + 2 for file in files)
            if direct or _part_names(name, tops) != {"train": ""}:
                return start, without
            without += ["/".join((*start, top)) for top in tops if top not in inside]
        start = (*start, *inside)


def _part_names(root: Path, tops: list[str]) -> dict[str, str]:
    """{part: the name of its folder}; {"train": ""} for a folder that has no parts."""
    found: dict[str, list[str]] = {}
    for number in ("", r"[\s_-]*\d+"):  # "Test Set"; "val2017", if there is no "val"
        also: dict[str, list[str]] = {}
        for name in tops:
            plain = re.sub(rf"[\s_-]*(set|data|images)?{number}$", "", name.lower())
            for part, names in PARTS.items():
                if plain in names:
                    also.setdefault(part, []).append(name)
        found = also | found
    if "train" in found and len(found) > 1:
        for part, names in found.items():
            if len(names) > 1:
                raise UserError(
                    f"{root}: {' and '.join(names)} are both {part} images: keep one of them"
                )
        return {part: found[part][0] for part in PARTS if part in found}
    numbered = len(found) == 1 and any(name[-1].isdigit() for name in tops)  # "test1", "test2"
    if found and sum(map(len, found.values())) == len(tops) and not numbered:  # else class names
        there = " and ".join(f"{name}/" for names in found.values() for name in names)
        missing = "train" if "train" not in found else "test"
        raise UserError(f"{root} has {there} but no {missing}/: add one, or rename another to it")
    return {"train": ""}


def _labelled(found: Listing, below, files, folders, present: set[str]) -> list:
    """[(file, label)] of the files of a part."""
    depth = len(below)
    if (labels := _labels_file(found, below)) is not None:
        path, given = labels
        if given is None:
            return [(file, None) for file in files]
        named = [(file, given[file.relative]) for file in files if file.relative in given]
        if not named:
            start = "".join(f"{name}/" for name in path.parent.relative_to(found.name).parts)
            both = (files[0].relative, next(iter(given)))
            ours, theirs = (printable(name.removeprefix(start)) for name in both)
            raise UserError(
                f"{path} names none of the pictures in {found.name.joinpath(*below)}: it has "
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
                "do not count as classes"
            )
        return [(file, None) for file in files]
    found.left_out["beside the class folders"] += [file.relative for file in flat]
    classes = {file.names[depth] for file in deep}
    locked = found.left_out[LOCKED]
    empty = [names for names in folders if len(names) == depth + 1 and names[:depth] == below]
    empty = ["/".join(names) for names in empty if names[depth] not in classes]
    found.left_out["class folders without pictures"] += [n for n in empty if n not in locked]
    return [(file, file.names[depth]) for file in deep]


def _labels_file(
    found: Listing, below: tuple[str, ...]
) -> tuple[Path, dict[str, int] | None] | None:
    """(path, {picture: label}) of a part's or the root's dataset.json; None if there is none.

    Pictures are by their paths below the root; None instead of the labels says that there are none.
    The format is that of StyleGAN's tools: {"labels": [["path/img.png", 3], ...]}, or null.
    """
    for depth in range(len(below), -1, -1):
        names = (*below[:depth], "dataset.json")
        path = found.name.joinpath(*names)
        try:
            content = json.loads(found.root.joinpath(*names).read_bytes())
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
        named: dict[str, int] = {}
        for name, label in labels:
            first = named.setdefault(_joined(below[:depth], name), label)
            if first != label:
                raise UserError(f"{path}: {printable(name)} has two labels, {first} and {label}")
        return path, named
    return None


def _joined(folder: tuple[str, ...], name: str) -> str:
    return posixpath.normpath(posixpath.join(*folder, name.replace("\\", "/")))


def _check_labels(found: Listing, parts: Mapping[str, str]):
    kinds = {part: type(pairs[0][1]) for part, pairs in found.parts.items() if pairs}
    if not kinds.get("train"):
        raise UserError(_nothing(found))
    if len(set(kinds.values())) > 1:
        flat = ", ".join(str(found.name / parts[p]) for p, kind in kinds.items() if kind is not str)
        raise UserError(
            f"{found.name}: {flat} has no subfolders for the classes, as the other parts have: "
            "sort its images into class subfolders, or move it away"
        )
