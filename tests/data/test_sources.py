"""Files of the user: IDX, npz, folders of images."""

import gzip
import os
import struct
import warnings
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tf_bigan.data import ImageData, StreamedImages, load
from tf_bigan.errors import UserError

RANDOM = np.random.RandomState(0)
PIXELS = RANDOM.randint(0, 256, (12, 5, 4)).astype(np.uint8)
LABELS = RANDOM.randint(0, 3, 12).astype(np.uint8)


def idx_bytes(array):
    return (
        bytes([0, 0, 8, array.ndim])
        + struct.pack(f">{array.ndim}I", *array.shape)
        + (array.tobytes())
    )


def write_idx(path, array):
    data = idx_bytes(array)
    path.write_bytes(gzip.compress(data) if path.suffix == ".gz" else data)


@pytest.mark.parametrize("dot, end", [("-", ""), (".", ""), ("-", ".gz"), (".", ".gz")])
def test_idx_round_trip(tmp_path, dot, end):
    write_idx(tmp_path / f"train-images{dot}idx3-ubyte{end}", PIXELS)
    write_idx(tmp_path / f"train-labels{dot}idx1-ubyte{end}", LABELS)
    write_idx(tmp_path / f"t10k-images{dot}idx3-ubyte{end}", PIXELS[:2])
    write_idx(tmp_path / f"t10k-labels{dot}idx1-ubyte{end}", LABELS[:2])
    train, test = load(f"idx:{tmp_path}"), load(f"idx:{tmp_path}", "test")
    np.testing.assert_array_equal(train.images[..., 0], PIXELS)
    np.testing.assert_array_equal(train.labels, LABELS)
    np.testing.assert_array_equal(test.images[..., 0], PIXELS[:2])
    assert train.num_classes == test.num_classes == 3


def test_idx_single_pair_and_no_labels(tmp_path):
    write_idx(tmp_path / "my-images.idx", PIXELS)
    assert load(f"idx:{tmp_path}").labels is None
    write_idx(tmp_path / "my-labels.idx", LABELS)
    train, test = load(f"idx:{tmp_path}"), load(f"idx:{tmp_path}", "test")
    assert (len(train), len(test)) == (10, 2)


def test_damaged_idx(tmp_path):
    images, labels = tmp_path / "train-images-idx3-ubyte", tmp_path / "train-labels-idx1-ubyte"
    whole = idx_bytes(PIXELS)  # 16 + 12 * 5 * 4 = 256 bytes
    for data, message in (
        (whole[:-1], "expected 256 bytes .* found 255"),
        (whole + b"x", "expected 256 bytes .* found 257"),
        (whole[:9], "header of 16 bytes, found 9"),
        (b"PNG!" + whole[4:], "not an IDX file of images"),
        (gzip.compress(whole)[:-20], "cannot read"),
    ):
        images.write_bytes(data)
        with pytest.raises(UserError, match=f"{images}.*{message}|cannot read {images}"):
            load(f"idx:{tmp_path}")
    images.write_bytes(whole)
    write_idx(labels, LABELS[:-1])
    with pytest.raises(UserError, match="12 images, but .* 11 labels"):
        load(f"idx:{tmp_path}")
    images.unlink()
    with pytest.raises(UserError, match="its images are missing"):
        load(f"idx:{tmp_path}")
    labels.unlink()
    with pytest.raises(UserError, match="no IDX files"):
        load(f"idx:{tmp_path}")
    with pytest.raises(UserError, match="cannot read the directory"):
        load(f"idx:{tmp_path / 'nowhere'}")


@pytest.mark.smoke
def test_npz_of_bytes_and_of_floats(tmp_path):
    path = tmp_path / "x.npz"
    np.savez(path, x_train=PIXELS, y_train=LABELS[:, None], x_test=PIXELS[:2])
    train, test = load(f"npz:{path}"), load(f"npz:{path}", "test")
    np.testing.assert_array_equal(train.images[..., 0], PIXELS)
    np.testing.assert_array_equal(train.labels, LABELS)
    assert len(test) == 2 and test.labels is None
    np.savez(path, images=np.stack([PIXELS] * 3, -1) / 255.0)
    data = load(f"npz:{path}")
    assert data.image_shape == (5, 4, 3) and len(data) == 10 and data.labels is None
    assert {image.tobytes() for image in data.images[..., 0]} < {p.tobytes() for p in PIXELS}


def test_refused_npz(tmp_path):
    path = tmp_path / "x.npz"
    floats = PIXELS / 255.0
    broken = np.where(np.arange(12)[:, None, None] == 3, np.nan, floats)
    for arrays, message in (
        ({"images": floats * 300}, "'images' has values from 0 to 298.8.*: divide by 255"),
        ({"x": floats - 0.5}, "'x' has values from -0.5 to 0.49"),
        ({"images": broken}, "contains NaN"),
        ({"images": PIXELS.astype(int)}, "int64"),
        ({"images": PIXELS[0]}, r"shape \(5, 4\)"),
        ({"images": np.zeros((2, 3, 8, 8), np.uint8)}, r"looks like \[N, C, H, W\]; expected"),
        ({"pictures": PIXELS}, "no key 'images'.*pictures"),
        ({"images": PIXELS, "x": PIXELS}, "both 'images' and 'x'"),
        ({"images": PIXELS, "labels": LABELS[1:]}, "12 train images, but 11 labels"),
        ({"images": PIXELS, "labels": LABELS / 2}, "dtype float64 .* one integer or string"),
        ({"images": PIXELS, "labels": np.eye(12, dtype=int)}, "one integer or string for each"),
        (
            {"x_train": PIXELS, "y_train": LABELS, "x_test": PIXELS, "y_test": LABELS.astype(str)},
            "some labels are integers and some are strings",
        ),
        ({"x_train": PIXELS, "x_test": PIXELS[:, 1:]}, "differ in shape"),
        ({"images": np.array([None] * 3)}, "cannot read"),
    ):
        np.savez(path, **arrays)
        with pytest.raises(UserError, match=message):
            load(f"npz:{path}")
    path.write_bytes(path.read_bytes()[:100])
    with pytest.raises(UserError, match="cannot read"):
        load(f"npz:{path}")
    np.save(tmp_path / "x.npy", PIXELS)
    with pytest.raises(UserError, match="single array"):
        load(f"npz:{tmp_path / 'x.npy'}")
    with pytest.raises(UserError, match="cannot read .*nowhere"):
        load(f"npz:{tmp_path / 'nowhere'}")


def save_images(folder, pixels, names=None):
    folder.mkdir(parents=True, exist_ok=True)
    for i, image in enumerate(pixels):
        Image.fromarray(image).save(folder / (names[i] if names else f"{i:02}.png"))


def as_set(images):
    return {image.tobytes() for image in images}


def test_folder_without_classes(tmp_path):
    save_images(tmp_path, PIXELS)
    train, test = load(f"folder:{tmp_path}"), load(f"folder:{tmp_path}", "test")
    assert isinstance(train, ImageData) and train.labels is None
    assert train.image_shape == (5, 4, 1) and (len(train), len(test)) == (10, 2)
    assert as_set([*train.images, *test.images]) == as_set(PIXELS)


def test_folder_with_classes_and_parts(tmp_path):
    save_images(tmp_path / "train" / "b", PIXELS[:4])
    save_images(tmp_path / "train" / "a", PIXELS[4:6])
    save_images(tmp_path / "val" / "b", PIXELS[6:9])
    save_images(tmp_path / "test" / "c", PIXELS[9:])
    expected = {"train": ({0: PIXELS[4:6], 1: PIXELS[:4]}), "validation": {1: PIXELS[6:9]}}
    for split, by_class in {**expected, "test": {2: PIXELS[9:]}}.items():
        data = load(f"folder:{tmp_path}", split)
        assert data.class_names == ("a", "b", "c") and data.num_classes == 3
        assert len(data) == sum(map(len, by_class.values()))
        for label, pixels in by_class.items():
            assert as_set(data.images[data.labels == label]) == as_set(pixels)


def test_folder_in_memory_and_streamed_agree(tmp_path):
    for name in ("a", "b"):
        save_images(tmp_path / name, RANDOM.randint(0, 256, (9, 12, 10, 3)).astype(np.uint8))
    options = {"image_size": (6, 8), "channels": 1, "validation": 4}
    held = load(f"folder:{tmp_path}", **options)
    streamed = load(f"folder:{tmp_path}", **options, memory_limit=11 * 6 * 8 - 1)
    assert isinstance(held, ImageData) and isinstance(streamed, StreamedImages)
    assert len(held) == len(streamed) == 11
    assert streamed.image_shape == (6, 8, 1) and streamed.num_classes == 2
    np.testing.assert_array_equal(held.images, streamed.take(99).images)
    np.testing.assert_array_equal(held.take(3).labels, streamed.take(3).labels)

    batches = streamed.batches(11, seed=2)
    whole = next(iter(batches.dataset()))
    assert {image.tobytes() for image in whole["image"].numpy()} == as_set(held.as_float())
    later = list(batches.dataset(start_step=3).take(1))[0]
    np.testing.assert_array_equal(later["image"], list(batches.dataset().take(4))[3]["image"])


@pytest.mark.parametrize("ending", ["png", "jpg"])
def test_broken_files_are_skipped_or_refused(tmp_path, ending):
    pixels = RANDOM.randint(0, 256, (8, 40, 40, 3)).astype(np.uint8)
    save_images(tmp_path, pixels, [f"{i}.{ending}" for i in range(8)])
    broken = tmp_path / f"3.{ending}"
    broken.write_bytes(broken.read_bytes()[: broken.stat().st_size // 2])
    (tmp_path / f"4.{ending}").write_bytes(b"")
    left_out = rf"2 of 8 left out: 1 broken \(3.{ending}\), 1 empty \(4.{ending}\)"
    with pytest.warns(UserWarning, match=left_out):
        train = load(f"folder:{tmp_path}")
    assert len(train) == 5
    with pytest.raises(UserError, match=f"3.{ending}"):
        load(f"folder:{tmp_path}", strict=True)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for name in ("3", "4"):
            (tmp_path / f"{name}.{ending}").unlink()
        load(f"folder:{tmp_path}", strict=True)


def test_differing_sizes_need_image_size(tmp_path):
    save_images(tmp_path, PIXELS)
    save_images(tmp_path, [PIXELS[0][1:]], ["odd.png"])
    with pytest.raises(UserError, match="image_size"):
        load(f"folder:{tmp_path}")
    for side in (7, np.int64(7)):
        assert load(f"folder:{tmp_path}", image_size=side).image_shape == (7, 7, 1)


def test_one_colour_image_makes_the_folder_colour_and_16_bits_are_scaled(tmp_path):
    save_images(tmp_path, PIXELS[:1].astype(np.uint16) * 257)
    save_images(tmp_path, np.stack([PIXELS[1:]] * 3, -1), [f"c{i}.png" for i in range(11)])
    data = load(f"folder:{tmp_path}")
    test = load(f"folder:{tmp_path}", "test")
    assert data.image_shape == (5, 4, 3)
    assert as_set([*data.images, *test.images]) == as_set(np.stack([PIXELS] * 3, -1))
    grey = load(f"folder:{tmp_path}", channels=1)
    np.testing.assert_array_equal(grey.images[..., 0], data.images[..., 0])


def test_what_is_transparent_is_white(tmp_path):
    pixels = np.full((2, 5, 4, 4), 255, np.uint8)
    pixels[..., 1:3] = 0  # red
    pixels[:, :2, :, 3] = 0  # of which two rows are transparent
    save_images(tmp_path, pixels)
    image = load(f"folder:{tmp_path}").images[0]
    assert (image[:2] == 255).all() and (image[2:] == (255, 0, 0)).all()


def test_refused_folders(tmp_path):
    with pytest.raises(UserError, match="holds no pictures"):
        load(f"folder:{tmp_path}")
    with pytest.raises(UserError, match="cannot read the folder"):
        load(f"folder:{tmp_path / 'nowhere'}")
    (tmp_path / "a.png").write_bytes(b"no image")
    with pytest.raises(UserError, match=r"1 of 1 left out: 1 not a picture \(a.png\)"):
        load(f"folder:{tmp_path}")
    with pytest.raises(UserError, match="a.png is a file: give .*, or a zip or tar file of one$"):
        load(f"folder:{tmp_path / 'a.png'}")
    with pytest.raises(UserError, match="a path must follow"):
        load("folder:")


def test_unreadable_files_are_named(tmp_path, monkeypatch):
    write_idx(tmp_path / "train-images-idx3-ubyte", PIXELS)

    def denied(*_):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("pathlib.Path.read_bytes", denied)
    with pytest.raises(UserError, match="train-images-idx3-ubyte.*Permission denied"):
        load(f"idx:{tmp_path}")
    monkeypatch.setattr("pathlib.Path.iterdir", denied)
    monkeypatch.setattr("os.scandir", denied)
    for source in ("idx", "folder"):
        with pytest.raises(UserError, match=f"cannot read .*{tmp_path}.*Permission denied"):
            load(f"{source}:{tmp_path}")


def test_a_class_is_as_deep_as_it_goes(tmp_path):
    save_images(tmp_path / "cat" / "2020", PIXELS[:2], ["a.png", "b.png"])
    save_images(tmp_path / "cat" / "2021", PIXELS[2:4], ["a.png", "b.png"])
    save_images(tmp_path / "cat" / ".cache", PIXELS[:1])
    save_images(tmp_path / "dog", PIXELS[:3])
    data = [load(f"folder:{tmp_path}", split) for split in ("train", "test")]
    assert sum(map(len, data)) == 7
    assert data[0].class_names == ("cat", "dog")


def test_parts_without_training_images_are_no_classes(tmp_path):
    for part in ("val", "Test"):
        save_images(tmp_path / part, PIXELS[:3])
    with pytest.raises(UserError, match="has Test/ and val/ but no train/"):
        load(f"folder:{tmp_path}")
    save_images(tmp_path / "ship", PIXELS[:3])  # among others they are
    assert load(f"folder:{tmp_path}").class_names == ("Test", "ship", "val")


def test_parts_are_all_sorted_into_classes_or_none(tmp_path):
    save_images(tmp_path / "train" / "cat", PIXELS[:3])
    save_images(tmp_path / "test", PIXELS[:3])
    with pytest.raises(UserError, match="test has no subfolders for the classes, as the other"):
        load(f"folder:{tmp_path}")


@pytest.mark.slow
def test_a_file_that_vanishes_in_training_is_named(tmp_path, make_bigan):
    save_images(tmp_path, np.zeros((9, 8, 8), np.uint8))
    data = load(f"folder:{tmp_path}", memory_limit=0)
    for file in tmp_path.iterdir():
        file.unlink()
    with pytest.raises(UserError, match=r"\d\d.png cannot be read any more \(No such file"):
        make_bigan().fit(data.batches(3), verbose=0)


def test_names_of_classes_need_not_be_utf_8(tmp_path):
    """Tables, files and pages of a run must be able to hold them."""
    for name in (b"caf\xe9", b"zoo"):
        folder = os.fsencode(tmp_path) + b"/" + name
        os.mkdir(folder)
        save_images(Path(os.fsdecode(folder)), PIXELS[:3])
    images = load(f"folder:{tmp_path}")
    assert images.class_names == (r"caf\udce9", "zoo")
    assert set(images.labels) == {0, 1}


def test_names_need_not_be_utf_8(tmp_path):
    save_images(tmp_path, PIXELS[:3])
    os.rename(tmp_path / "00.png", os.fsencode(tmp_path) + b"/\xff.png")
    assert len(load(f"folder:{tmp_path}", memory_limit=0).take(9)) == len(
        load(f"folder:{tmp_path}")
    )


@pytest.mark.parametrize(
    "values", [(20_240_131, 20_240_201, 20_250_101), (1, 2, 3), (-1, 0, 7), ("bird", "cat", "dog")]
)
def test_labels_of_any_value_are_numbered_over_all_parts(tmp_path, values):
    """The test part alone holds the last class; 2 labels once made 20 million classes."""
    given = {"train": np.array(values[:2] * 6), "test": np.array(values)}
    np.savez(
        tmp_path / "x.npz",
        **{f"x_{part}": PIXELS[: len(labels)] for part, labels in given.items()},
        **{f"y_{part}": labels for part, labels in given.items()},
    )
    train, test = (load(f"npz:{tmp_path}/x.npz", split) for split in ("train", "test"))
    assert train.class_names == test.class_names == tuple(map(str, values))
    assert train.num_classes == 3
    assert train.labels.tolist() == [0, 1] * 6 and test.labels.tolist() == [0, 1, 2]


def test_idx_labels_are_numbered_likewise(tmp_path):
    write_idx(tmp_path / "images.idx", PIXELS)
    write_idx(tmp_path / "labels.idx", LABELS + 200)
    data = load(f"idx:{tmp_path}")
    assert data.class_names == ("200", "201", "202") and set(data.labels) == {0, 1, 2}


def test_floats_that_leave_the_range_by_rounding(tmp_path):
    np.savez(tmp_path / "x.npz", images=np.float32(PIXELS / 255.0) * np.float32(1 + 2e-7))
    images = load(f"npz:{tmp_path}/x.npz").images
    assert as_set(images[..., 0]) < as_set(PIXELS)
