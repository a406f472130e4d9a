"""Pictures as they come: each kind is used, converted with a line, or left out with a count."""

import json
import os
import re
import shutil
import socket
import struct
import tarfile
import warnings
import zipfile
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.bombs import claiming
from tf_bigan.data import Description, cache, describe, folder, listing, load
from tf_bigan.data.decoding import decode, open_picture
from tf_bigan.data.listing import listed
from tf_bigan.errors import UserError

RNG = np.random.default_rng(0)
GREY = RNG.integers(0, 256, (6, 6), np.uint8)
SPLITS = ("train", "validation", "test")
RGB = RNG.integers(0, 256, (6, 6, 3), np.uint8)


def save(path: Path, pixels, **options):
    path.parent.mkdir(parents=True, exist_ok=True)
    image = pixels if isinstance(pixels, Image.Image) else Image.fromarray(pixels)
    image.save(path, **options)


def filled(root: Path, names, channels=()) -> Path:
    """A folder of random pictures of 4 × 4."""
    for name in names:
        save(root / name, RNG.integers(0, 256, (4, 4, *channels), np.uint8))
    return root


def whole(root, **options):
    """All images of a folder, and all labels."""
    parts = [load(f"folder:{root}", split, **options) for split in ("train", "test")]
    labels = None if parts[0].labels is None else np.concatenate([p.labels for p in parts])
    return np.concatenate([part.images for part in parts]), labels, parts[0].class_names


def opened(path, **options):
    return decode(open_picture(str(path)), **options)


def alpha(pixels):
    """Pixels whose left half is transparent."""
    mask = np.full(pixels.shape[:2], 255, np.uint8)
    mask[:, :3] = 0
    return np.dstack([pixels, mask])


def frames(path, format):
    pictures = [Image.fromarray(GREY).convert("P"), Image.fromarray(255 - GREY).convert("P")]
    pictures = pictures if format == "GIF" else [p.convert("RGB") for p in pictures]
    lossless = {"lossless": True} if format == "WEBP" else {}
    save(path, pictures[0], format=format, save_all=True, append_images=pictures[1:], **lossless)


@pytest.mark.parametrize(
    ("name", "pixels", "expected"),
    [
        ("a.png", GREY, GREY),
        ("a.PNG", RGB, RGB),
        ("a.bmp", RGB, RGB),
        ("a.tif", RGB, RGB),
        ("a.png", GREY > 99, np.where(GREY > 99, 255, 0)),
        ("a.png", GREY.astype(np.uint16) * 257, GREY),
        ("a.png", (GREY // 2).astype(np.uint16), np.rint(GREY // 2 / 257)),  # keeps its range
        ("a.tiff", (GREY / 255).astype(np.float32), GREY),
        ("a.png", alpha(RGB), np.where(alpha(RGB)[..., 3:] > 0, RGB, 255)),
        (
            "a.png",
            Image.fromarray(np.dstack([GREY, alpha(GREY)[..., 1]])),
            np.where(alpha(GREY)[..., 1] > 0, GREY, 255),
        ),
        ("a.png", Image.fromarray(GREY).convert("P"), GREY),  # a palette of greys
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_a_picture_becomes(tmp_path, name, pixels, expected):
    save(tmp_path / name, pixels)
    got = opened(tmp_path / name)[0]
    assert got.dtype == np.uint8
    np.testing.assert_array_equal(got, np.asarray(expected).reshape(got.shape))
    assert got.shape[2] == (3 if np.ndim(expected) == 3 else 1)


def test_palettes_with_transparency(tmp_path):
    colours = Image.new("P", (2, 1))
    colours.putpalette([255, 0, 255, 10, 10, 10])
    colours.putdata([0, 1])
    save(tmp_path / "a.gif", colours, transparency=0)
    # What is transparent has no colour: the picture is grey, and on blue it is not.
    assert opened(tmp_path / "a.gif")[0].tolist() == [[[255], [10]]]
    assert opened(tmp_path / "a.gif", background="blue")[0].tolist() == [[[0, 0, 255], [10] * 3]]
    rgba = opened(tmp_path / "a.gif", channels=4)[0]
    assert rgba[0, 0, 3] == 0 and rgba[0, 1].tolist() == [10, 10, 10, 255]


@pytest.mark.parametrize(
    "colour, pixel", [(0, [77]), (2, [77] * 3), (4, [77, 255]), (6, [77, 77, 77, 255])]
)
def test_sixteen_bits_are_counted(tmp_path, colour, pixel):
    def chunk(name, content):
        checksum = struct.pack(">I", zlib.crc32(name + content))
        return struct.pack(">I", len(content)) + name + content + checksum

    pixels = np.tile(np.array(pixel, ">u2") * 257, (4, 4, 1)).astype(">u2")
    rows = b"".join(b"\0" + row.tobytes() for row in pixels)  # Pillow does not write them
    header = struct.pack(">IIBBBBB", 4, 4, 16, colour, 0, 0, 0)
    body = chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")
    (tmp_path / "deep.png").write_bytes(b"\x89PNG\r\n\x1a\n" + body)
    save(tmp_path / "a.png", np.full((4, 4), 77, np.uint8))
    words = r"1 with more than 8 bits, reduced to 8 \(deep.png\)"
    with pytest.warns(UserWarning, match=words):
        assert (whole(tmp_path)[0] == 77).all()


def test_printing_colours(tmp_path):
    red = Image.new("CMYK", (8, 8), (0, 255, 255, 0))
    save(tmp_path / "a.jpg", red, quality=100)
    pixels, notes = opened(tmp_path / "a.jpg")
    assert np.abs(pixels.astype(int) - (255, 0, 0)).max() < 10
    assert notes == ("printing colours (CMYK) converted",)


@pytest.mark.parametrize("format", ["GIF", "WEBP", "TIFF", "PNG", "AVIF"])
def test_the_first_of_several_frames(tmp_path, format):
    if format not in {name for name in Image.registered_extensions().values()}:
        pytest.skip("this Pillow does not have it")
    frames(tmp_path / "a", format)
    pixels, notes = opened(tmp_path / "a", channels=1)
    if format != "AVIF":  # which is not without loss
        np.testing.assert_array_equal(pixels[..., 0], GREY)
    assert pixels.shape == (6, 6, 1) and "first of its pictures taken" in notes


@pytest.mark.parametrize("orientation", range(1, 9))
def test_all_orientations_stand_upright(tmp_path, orientation):
    upright = np.zeros((24, 16), np.uint8)
    upright[:8] = 255  # a bar on top
    upright[16:, :8] = 120  # a mark at the left of the bottom
    stored = {  # of the EXIF standard: what is turned back by each value
        1: upright,
        2: upright[:, ::-1],
        3: upright[::-1, ::-1],
        4: upright[::-1],
        5: upright.T,
        6: np.rot90(upright),
        7: np.rot90(upright, 2).T,
        8: np.rot90(upright, -1),
    }
    exif = Image.Exif()
    exif[0x0112] = orientation
    save(tmp_path / "a.jpg", stored[orientation], quality=95, exif=exif)
    filled(tmp_path, ["0.png", "1.png"])
    got, notes = opened(tmp_path / "a.jpg")
    assert np.abs(got[..., 0].astype(int) - upright).max() < 20
    assert ("turned as its EXIF entry says" in notes) == (orientation > 1)
    look = folder._look(str(tmp_path / "a.jpg"), "white")
    assert look[1:3] == (24, 16)


def test_a_large_jpeg_is_decoded_small_and_nearly_the_same(tmp_path):
    small = Image.fromarray(RNG.integers(60, 200, (6, 6, 3), np.uint8))
    save(tmp_path / "a.jpg", small.resize((800, 600), Image.Resampling.BICUBIC), quality=95)
    quick = opened(tmp_path / "a.jpg", size=(12, 12))[0].astype(int)
    slow = Image.fromarray(opened(tmp_path / "a.jpg")[0]).crop((100, 0, 700, 600))
    slow = np.asarray(slow.resize((12, 12), Image.Resampling.BILINEAR)).astype(int)
    assert 0 < np.abs(quick - slow).mean() < 2 and np.abs(quick - slow).max() < 12


def test_what_cannot_be_used_is_counted_by_kind_or_refused(tmp_path):
    filled(tmp_path, [f"{i}.png" for i in range(6)])
    good = (tmp_path / "0.png").read_bytes()
    contents = {
        "empty.png": b"",
        "text.png": b"just text",
        "cut.png": good[: len(good) // 2],
        "bomb.png": claiming(60_000),
        "phone.heic": b"\0\0\0\x18ftypheic\0\0\0\0",
        "large.png": claiming(8_000),
        "notes.txt": b"other files are no pictures, and do no harm",
    }
    for name, content in contents.items():
        (tmp_path / name).write_bytes(content)
    save(tmp_path / "deep.tif", np.full((4, 4), 2**20, np.int32))
    os.symlink("nowhere.png", tmp_path / "link.png")
    expected = (
        "9 of 15 left out: ",
        r"1 in HEIC \(pip install pillow-heif\) \(phone.heic\)",
        r"1 other file \(notes.txt\)",
        r"1 broken link \(link.png\)",
        r"2 too large \(bomb.png, large.png\)",
        r"2 broken \(cut.png, deep.tif\)",
        r"1 empty \(empty.png\)",
        r"1 not a picture \(text.png\)",
    )
    with pytest.warns(UserWarning) as caught:
        images, *_ = whole(tmp_path)
    assert len(images) == 6
    text = str(caught[0].message)
    for words in expected:
        assert re.search(words, text), text
    words = "8 of 14 left out: .*, or leave out --strict_data"
    with pytest.raises(UserError, match=words) as refused:
        load(f"folder:{tmp_path}", strict=True)
    assert "notes.txt" not in str(refused.value)  # which is not refused
    for name in [*contents, "deep.tif", "link.png"]:
        if name != "notes.txt":
            os.unlink(tmp_path / name)
    with pytest.warns(UserWarning, match="1 of 7 left out: 1 other file "):
        load(f"folder:{tmp_path}", strict=True)


def test_unreadable_files_and_folders_are_counted(tmp_path, monkeypatch):
    filled(tmp_path, [f"{c}/{i}.png" for c in "ab" for i in range(4)])
    filled(tmp_path, ["secret/0.png"])
    os.rename(tmp_path / "a" / "0.png", tmp_path / "a" / "locked.png")
    scandir, open_file = os.scandir, open

    def guarded(function):
        def call(path, *arguments, **options):
            if str(path).endswith(("secret", "locked.png")):
                raise PermissionError(13, "Permission denied", str(path))
            return function(path, *arguments, **options)

        return call

    monkeypatch.setattr("os.scandir", guarded(scandir))
    monkeypatch.setattr("builtins.open", guarded(open_file))
    with pytest.warns(UserWarning, match="2 of 9 left out: ") as caught:
        images, labels, names = whole(tmp_path)
    assert len(images) == 7 and names == ("a", "b")
    text = str(caught[0].message)
    assert "1 folder that cannot be read (secret)" in text
    assert "1 file that cannot be read (a/locked.png)" in text
    with pytest.raises(UserError, match="2 of 9 left out"):
        load(f"folder:{tmp_path}", strict=True)


def test_a_huge_file_is_not_read(tmp_path, monkeypatch):
    filled(tmp_path, ["0.png", "1.png", "huge.png"])
    limit = max((tmp_path / f"{i}.png").stat().st_size for i in range(2))
    with (tmp_path / "huge.png").open("ab") as file:  # after the picture's end
        file.write(bytes(limit))
    monkeypatch.setattr(folder, "MAX_BYTES", limit)
    with pytest.warns(UserWarning, match=r"1 of 3 left out: 1 too large \(huge.png\)"):
        assert len(whole(tmp_path)[0]) == 2


def test_files_without_a_known_ending(tmp_path, monkeypatch):
    """They are opened, to see whether they are pictures."""
    filled(tmp_path, [f"{i}.png" for i in range(3)])
    (tmp_path / "large").write_bytes(claiming(10_000))
    (tmp_path / "locked").touch()
    open_picture = listing.open_picture

    def guarded(path):
        if path.endswith("locked"):
            raise PermissionError(13, "Permission denied", path)
        return open_picture(path)

    monkeypatch.setattr(listing, "open_picture", guarded)
    words = r"2 of 5 left out: 1 file that cannot be read \(locked\), 1 too large \(large\)"
    with pytest.warns(UserWarning, match=words) as caught:
        assert len(whole(tmp_path)[0]) == 3
    assert {warning.category for warning in caught} == {UserWarning}  # not one of Pillow
    with pytest.raises(UserError, match=words):
        load(f"folder:{tmp_path}", strict=True)


def test_litter_and_hidden_files_are_passed_over(tmp_path):
    filled(tmp_path, [f"pictures/{c}/{i}.png" for c in "ab" for i in range(3)])
    litter = ("Thumbs.db", ".DS_Store", "._0.png", "desktop.ini", ".hidden/x.png")
    for name in (*litter, "__MACOSX/pictures/a/._0.png", "@eaDir/0.png/SYNOPHOTO_THUMB_M.jpg"):
        for root in (tmp_path, tmp_path / "pictures", tmp_path / "pictures" / "a"):
            (root / name).parent.mkdir(parents=True, exist_ok=True)
            (root / name).write_bytes(b"?")
    with pytest.warns(UserWarning, match="all pictures are in pictures/, which does not"):
        images, labels, names = whole(tmp_path, strict=True)
    assert len(images) == 6 and names == ("a", "b")


def test_endings_do_not_matter(tmp_path):
    save(tmp_path / "0.png", RGB, format="JPEG")
    save(tmp_path / "1.jpg", RGB, format="PNG")
    save(tmp_path / "none", RGB, format="PNG")
    save(tmp_path / "2.JPeG", RGB, format="JPEG")
    save(tmp_path / "3.data", RGB, format="BMP")
    assert whole(tmp_path)[0].shape == (5, 6, 6, 3)


def test_one_is_singular(tmp_path, capsys):
    filled(tmp_path, ["0.png"])
    exif = Image.Exif()
    exif[0x0112] = 3
    for name in ("1.png", "2.png"):
        save(tmp_path / name, GREY[:4, :4], exif=exif)
    with pytest.warns(UserWarning, match=r": 2 turned as their .*, 1 exact copy of another \("):
        load(f"folder:{tmp_path}", "test", image_size=4)
    assert "(test): 1 image 4x4x1" in capsys.readouterr().err
    os.unlink(tmp_path / "2.png")
    with pytest.warns(UserWarning, match=r": 1 turned as its EXIF entry says \(1.png\)$"):
        load(f"folder:{tmp_path}", "test", image_size=4)


def test_a_path_that_is_too_long():
    with pytest.raises(UserError, match="cannot read the folder x{300}: File name too long"):
        load(f"folder:{'x' * 300}")


def test_any_name(tmp_path):
    names = ["a b.png", "line\nbreak.png", "emoji 🐈 ü.png", "日本.png", "quote'\".png", "-x.png"]
    filled(tmp_path, names)
    os.rename(filled(tmp_path, ["raw.png"]) / "raw.png", os.fsencode(tmp_path) + b"/\xff\xfe.png")
    (tmp_path / "bad\nname.png").write_bytes(b"")
    with pytest.warns(UserWarning) as caught:
        assert len(whole(tmp_path)[0]) == 7
    assert r"1 empty (bad\nname.png)" in str(caught[0].message)


def test_extreme_sizes_are_used(tmp_path):
    save(tmp_path / "dot.png", np.full((1, 1), 50, np.uint8))
    save(tmp_path / "line.png", np.full((3, 20_000), 90, np.uint8))
    save(tmp_path / "post.png", np.full((2_000, 1), 130, np.uint8))
    for resize in ("crop", "stretch"):
        images, *_ = whole(tmp_path, image_size=8, resize=resize)
        assert sorted(images.reshape(3, -1).tolist()) == [[v] * 64 for v in (50, 90, 130)]
    images, *_ = whole(tmp_path, image_size=(8, 12), resize="pad", background="black")
    # [8, 8] of the dot; one row of the line, one column of the post
    assert sorted((image > 0).sum() for image in images) == [8, 12, 64]


def test_sizes_that_differ_are_named(tmp_path):
    filled(tmp_path, ["a.png", "b.png"])
    save(tmp_path / "c.png", GREY)
    words = "a.png is 4×4, c.png is 6×6, of 2 sizes.*: set image_size=SIDE to"
    with pytest.raises(UserError, match=words):
        load(f"folder:{tmp_path}")


def test_links_and_loops(tmp_path):
    filled(tmp_path / "store", [f"{i}.png" for i in range(3)])
    data = filled(tmp_path / "data", [f"a/{i}.png" for i in range(3)])
    os.symlink(tmp_path / "store", data / "b")
    os.symlink(tmp_path / "store" / "0.png", data / "a" / "linked.png")
    os.symlink(data, data / "a" / "up")
    os.symlink("self", data / "a" / "self")
    with pytest.warns(UserWarning) as caught:
        images, labels, names = whole(data)
    assert names == ("a", "b") and np.bincount(labels).tolist() == [4, 3]
    text = str(caught[0].message)
    assert "1 link in a loop (a/up)" in text and "1 broken link (a/self)" in text


def test_a_folder_may_be_deep(tmp_path):
    filled(tmp_path, ["0.png", "1.png"])
    path = str(tmp_path)
    for _ in range(1_100):
        path += "/d"
        os.mkdir(path)
    filled(Path(path), ["2.png"])
    try:
        assert len(whole(tmp_path)[0]) == 3
    finally:  # pytest's own way is recursive
        os.unlink(f"{path}/2.png")
        os.removedirs(path)


def test_what_is_neither_file_nor_folder(tmp_path, monkeypatch):
    filled(tmp_path, ["0.png", "1.png"])
    monkeypatch.chdir(tmp_path)  # the path of a socket is short
    with socket.socket(socket.AF_UNIX) as pipe:
        pipe.bind("x.png")
        assert len(whole(tmp_path)[0]) == 2


@pytest.mark.parametrize(
    "names",
    [
        ("train", "valid"),
        ("train", "valid", "test"),
        ("Train", "Test"),
        ("training", "testing"),
        ("TRAIN", "Val"),
        ("train", "validation", "testing"),
        ("train_set", "Test Set"),
        ("Training-Set", "test-set"),
        ("train2017", "val2017"),
        ("train_1", "test_images_1"),
    ],
)
def test_parts_by_any_usual_name(tmp_path, names):
    for count, part in enumerate(names):
        filled(tmp_path, [f"{part}/{c}/{i}.png" for c in ("cat", "dog") for i in range(4 + count)])
    sizes = {part: len(load(f"folder:{tmp_path}", part, validation=None)) for part in SPLITS}
    assert load(f"folder:{tmp_path}").class_names == ("cat", "dog")
    tests = any("test" in name.lower() for name in names)
    validates = any("val" in name.lower() for name in names)
    # 8 images in the first part, 10 in the second, 12 in the third; else a sixth.
    expected = {"train": 8, "validation": 10, "test": 12}
    if not validates:
        expected = {"train": 6, "validation": 2, "test": 10}
    elif not tests:
        expected = {"train": 7, "validation": 10, "test": 1}
    assert sizes == expected


def test_a_part_without_a_number_goes_before_those_with_one(tmp_path):
    filled(tmp_path, [f"{part}/{i}.png" for part in ("train", "test", "test2") for i in range(3)])
    with pytest.warns(UserWarning, match="3 beside the parts"):
        assert len(load(f"folder:{tmp_path}", "test")) == 3


def test_a_part_twice_is_refused(tmp_path):
    filled(tmp_path, [f"{part}/{i}.png" for part in ("train", "val", "valid") for i in range(3)])
    with pytest.raises(UserError, match="val and valid are both validation images: keep one"):
        load(f"folder:{tmp_path}")


def test_classes_may_be_nested_empty_or_many(tmp_path):
    names = [f"{c:04}/deep/{i}.png" for c in range(20) for i in range(2)]
    picture = filled(tmp_path / "one", ["x.png"]) / "x.png"
    data = tmp_path / "data"
    for name in names:
        (data / name).parent.mkdir(parents=True, exist_ok=True)
        os.link(picture, data / name)
    (data / "nothing").mkdir()
    with pytest.warns(UserWarning) as caught:
        _, labels, classes = whole(data)
    assert len(classes) == 20 and np.bincount(labels).tolist() == [2] * 20
    assert "1 class folder without pictures (nothing)" in str(caught[0].message)
    assert "39 exact copies of others (0000/deep/1.png, " in str(caught[1].message)
    with pytest.raises(UserError, match="class folder without pictures"):
        load(f"folder:{data}", strict=True)


def test_thousands_of_classes(tmp_path):
    for number in range(3_000):
        (tmp_path / f"{number:04}").mkdir()
        (tmp_path / f"{number:04}" / "x.png").touch()
    pairs = listed(tmp_path).parts["train"]
    labels, names = folder._numbered([label for _, label in pairs])
    assert labels.tolist() == list(range(3_000)) and names[2_999] == "2999"


@pytest.mark.parametrize("packed", [False, True])
def test_a_folder_beside_ones_without_pictures_is_no_class(tmp_path, packed):
    data = filled(tmp_path / "set", [f"emoji/{c}/{i}.png" for c in "ab" for i in range(3)])
    (data / "annotations").mkdir()
    (data / "annotations" / "a.xml").write_text("<a/>")
    path = Path(shutil.make_archive(str(data), "zip", tmp_path, "set")) if packed else data
    with pytest.warns(UserWarning, match=r"emoji/, which does not .*; no pictures in .*annotation"):
        assert whole(path)[2] == ("a", "b")


def test_an_empty_part_is_named(tmp_path):
    filled(tmp_path, [f"train/{c}/{i}.png" for c in "ab" for i in range(3)])
    (tmp_path / "test").mkdir()
    with pytest.warns(UserWarning, match=": no pictures in test/"):
        assert whole(tmp_path, strict=True)[2] == ("a", "b")
    os.rename(tmp_path / "train", tmp_path / "x")
    os.rename(tmp_path / "test", tmp_path / "train")
    os.rename(tmp_path / "x", tmp_path / "test")
    with pytest.raises(UserError, match="train/ holds no pictures"):
        load(f"folder:{tmp_path}")


@pytest.mark.parametrize("names", [("test1", "test2"), ("train1", "train2", "bus1"), ("1", "2")])
def test_names_that_differ_in_a_number_are_classes(tmp_path, names):
    filled(tmp_path, [f"{name}/{i}.png" for name in names for i in range(3)])
    assert whole(tmp_path)[2] == tuple(sorted(names))


@pytest.mark.parametrize("name", ["pictures", "cat", "test"])
def test_the_only_folder_is_no_class(tmp_path, name):
    filled(tmp_path, [f"{name}/inner/{i}.png" for i in range(4)])
    (tmp_path / name / "LICENSE").write_text("free")
    images, labels, classes = whole(tmp_path)
    assert len(images) == 4 and labels is None and classes is None


def test_pictures_beside_class_folders(tmp_path):
    filled(tmp_path, [f"{c}/{i}.png" for c in "ab" for i in range(3)])
    filled(tmp_path, ["cover.png"])
    with pytest.warns(UserWarning, match=r"1 of 7 left out: 1 beside the class folders \(cover"):
        images, labels, _ = whole(tmp_path)
    assert len(images) == 6 and labels is not None
    with pytest.raises(UserError, match="beside the class folders"):
        load(f"folder:{tmp_path}", strict=True)
    filled(tmp_path, [f"{i}.png" for i in range(8)])  # now most are
    with pytest.warns(UserWarning, match=r"most pictures are beside the subfolders \(9 of 15\)"):
        images, labels, _ = whole(tmp_path, strict=True)
    assert len(images) == 15 and labels is None


def test_labels_of_a_file(tmp_path):
    filled(tmp_path, [f"0000{i % 2}/img{i}.png" for i in range(8)])
    labels = [[f"0000{i % 2}/img{i}.png", 7 * (i // 4)] for i in range(8)]
    (tmp_path / "dataset.json").write_text(json.dumps({"labels": labels}))
    _, found, names = whole(tmp_path, strict=True)
    assert names == ("0", "7") and np.bincount(found).tolist() == [4, 4]
    parts = [load(f"folder:{tmp_path}", split) for split in ("train", "test")]
    for part in parts:
        for image, label in zip(part.images, part.labels, strict=True):
            files = {i for i in range(8) if (_read(tmp_path, i) == image[..., 0]).all()}
            assert {i // 4 for i in files} == {label}

    more = [*labels[1:], ["gone.png", 0]]
    (tmp_path / "dataset.json").write_text(json.dumps({"labels": more}))
    with pytest.warns(UserWarning) as caught:
        assert len(whole(tmp_path)[0]) == 7
    text = str(caught[0].message)
    assert "1 without a label in dataset.json (00000/img0.png)" in text
    assert "1 named in dataset.json, but missing (gone.png)" in text

    (tmp_path / "dataset.json").write_text('{"labels": null}')
    assert whole(tmp_path)[1] is None
    (tmp_path / "dataset.json").write_text('{"name": "of something else"}')
    assert whole(tmp_path)[2] == ("00000", "00001")
    (tmp_path / "dataset.json").write_text('{"labels": {"a.png": 1}}')
    with pytest.raises(UserError, match="its labels are not pairs of a path and an integer"):
        load(f"folder:{tmp_path}")
    twice = [*labels, ["./00001/img1.png", 3]]
    (tmp_path / "dataset.json").write_text(json.dumps({"labels": [*labels, labels[0]]}))
    assert np.bincount(whole(tmp_path, strict=True)[1]).tolist() == [4, 4]
    (tmp_path / "dataset.json").write_text(json.dumps({"labels": twice}))
    with pytest.raises(UserError, match="json: ./00001/img1.png has two labels, 0 and 3"):
        load(f"folder:{tmp_path}")
    for content in ("{", "[" * 100_000):
        (tmp_path / "dataset.json").write_text(content)
        with pytest.raises(UserError, match="cannot read .*dataset.json"):
            load(f"folder:{tmp_path}")


@pytest.mark.parametrize("start", ["", "set/"])
def test_labels_whose_paths_do_not_match(tmp_path, start):
    """All labels would be lost without a word."""
    filled(tmp_path, [f"{start}00000/{i}.png" for i in range(6)])
    path = tmp_path / start / "dataset.json"

    def write(name):
        path.write_text(json.dumps({"labels": [[name.format(i), i % 2] for i in range(6)]}))

    write("/home/{}.png")
    with pytest.raises(UserError, match="it has /home/0.png, they are as 00000/0.png"):
        load(f"folder:{tmp_path}")
    for form in ("./00000/{}.png", "00000//{}.png", ".\\00000\\{}.png"):
        write(form)
        assert np.bincount(whole(tmp_path, strict=True)[1]).tolist() == [3, 3]
    write("{}.png")
    words = r"dataset.json names none of the pictures in .*: it has 0.png, they are as 00000/0.png"
    with pytest.raises(UserError, match=words):
        load(f"folder:{tmp_path}")
    path.write_text(json.dumps({"labels": [["00000/0.png", 0], ["1.png", 1], ["00000/2.png", 0]]}))
    with pytest.warns(UserWarning) as caught:
        assert len(whole(tmp_path)[0]) == 2
    text = str(caught[0].message)
    assert f"named in dataset.json, but missing ({start}1.png)" in text
    assert "4 without a label in dataset.json" in text
    with pytest.raises(UserError, match="5 of 7 left out"):
        load(f"folder:{tmp_path}", strict=True)


def test_labels_of_all_parts_in_one_file(tmp_path):
    names = [f"{part}/{i}.png" for part in ("train", "test") for i in range(4)]
    filled(tmp_path, names)
    path = tmp_path / "dataset.json"
    path.write_text(json.dumps({"labels": [[name, int(name[-5])] for name in names]}))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert whole(tmp_path)[2] == ("0", "1", "2", "3")
    path.write_text(json.dumps({"labels": [[name, 0] for name in (*names, "gone.png")]}))
    with pytest.warns(UserWarning, match="1 of 9 left out: 1 named in dataset.json, but missing"):
        load(f"folder:{tmp_path}")
    path.write_text(json.dumps({"labels": [[name, 0] for name in names if "train" in name]}))
    with pytest.raises(UserError, match="it has train/0.png, they are as test/0.png"):
        load(f"folder:{tmp_path}")


def _read(root, i):
    return np.asarray(Image.open(root / f"0000{i % 2}/img{i}.png"))


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


def test_four_channels_are_kept_on_request(tmp_path):
    for i in range(3):
        save(tmp_path / f"{i}.png", alpha(RNG.integers(0, 256, (6, 6, 3), np.uint8)))
    save(tmp_path / "opaque.png", RGB)
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # nothing is blended
        assert describe(f"folder:{tmp_path}").num_examples == 4 - 1
        images, *_ = whole(tmp_path, channels=4)
    assert images.shape == (4, 6, 6, 4)
    assert sorted((image[..., 3] == 0).sum() for image in images) == [0, 18, 18, 18]
    small, *_ = whole(tmp_path, channels=4, image_size=2)
    assert small.shape == (4, 2, 2, 4)
    words = r"3 transparent, blended with blue \(.*\): channels=4 keeps them so"
    with pytest.warns(UserWarning, match=words):
        blue, *_ = whole(tmp_path, background="blue")
    assert (blue == (0, 0, 255)).all(-1).sum() >= 3 * 18
    with pytest.raises(UserError, match="background=bleu is no colour"):
        load(f"folder:{tmp_path}", background="bleu")


def test_a_description_without_decoding(tmp_path):
    for i in range(12):
        save(tmp_path / f"{i}.png", np.zeros((40 + i, 90), np.uint8))
    assert describe(f"folder:{tmp_path}", validation=2) == Description(8, None, 45, 1)
    assert describe("digits", validation=0) == Description(1498, (8, 8), 8, 1)


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
