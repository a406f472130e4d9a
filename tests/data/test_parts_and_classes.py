"""The parts of a folder, its classes, and labels in a file."""

import json
import os
import shutil
import warnings
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.pictures import filled, whole
from tf_bigan.data import folder, load
from tf_bigan.data.listing import listed
from tf_bigan.errors import UserError

SPLITS = ("train", "validation", "test")


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
