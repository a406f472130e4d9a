"""Pictures as they come: each kind is used, converted with a line, or left out with a count."""

import os
import re
import socket
import struct
import warnings
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.bombs import claiming
from tests.pictures import GREY, RGB, RNG, filled, save, whole
from tf_bigan.data import Description, describe, folder, listing, load
from tf_bigan.data.decoding import decode, open_picture
from tf_bigan.errors import UserError


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
