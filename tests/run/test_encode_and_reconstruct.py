"""tf-bigan encode and reconstruct: what the model gives for files, beside their names."""

import csv
import errno
import os
import shutil

import numpy as np
import pytest
from PIL import Image

import tf_bigan as tb
from tests.run.conftest import new_run
from tests.run.test_generate import files_in
from tf_bigan.report import pictures
from tf_bigan.run import encode, given, reconstruct
from tf_bigan.run.output import NpzFile

pytestmark = pytest.mark.usefixtures("loaded_once")


def grey_square(picture: Image.Image) -> np.ndarray:
    """uint8 [8, 8, 1]."""
    return np.asarray(picture.convert("L").resize((8, 8), Image.Resampling.BILINEAR))[..., None]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Pictures of several sizes, a hidden and a broken file; and what a model of 8×8 grey sees."""
    root = tmp_path_factory.mktemp("pictures")
    rng, seen = np.random.default_rng(0), {}
    for name, shape in {"b.png": (8, 8, 3), "a/z.png": (20, 30, 3), "a/b/y.png": (5, 7, 3)}.items():
        picture = Image.fromarray(rng.integers(0, 256, shape, np.uint8))
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        picture.save(root / name)
        middle = {(8, 8): (0, 0, 8, 8), (20, 30): (5, 0, 25, 20), (5, 7): (1, 0, 6, 5)}[shape[:2]]
        seen[name] = grey_square(picture.crop(middle))
    (root / ".hidden.png").touch()
    (root / "broken.png").write_text("not a picture")
    return root, dict(sorted(seen.items()))


def test_codes_of_a_folder(folder, bigan_run, command, tmp_path, monkeypatch):
    monkeypatch.setattr(given, "BATCH", 2)
    (root, seen), model = folder, tb.load(bigan_run)
    images = np.stack(list(seen.values()))
    z, layer = model.encode(images), model.features(images)["e-"]
    options = (f"--workdir={bigan_run}", f"--data={root}", "--layer=e-")
    with pytest.warns(UserWarning, match=r"1 of 4 left out: 1 not a picture \(broken.png\)"):
        status, out, err = command("encode", *options, f"--out={tmp_path / 'codes.npz'}")
    assert status == 0 and out.startswith("wrote 3 codes of "), err
    with np.load(tmp_path / "codes.npz") as arrays:
        assert set(arrays) == {"name", "z", "e-"}
        assert list(arrays["name"]) == ["a/b/y.png", "a/z.png", "b.png"] == list(seen)
        np.testing.assert_allclose(arrays["z"], z, atol=1e-6)
        np.testing.assert_allclose(arrays["e-"], layer, atol=1e-6)
    with pytest.warns(UserWarning):
        assert command("encode", *options, f"--out={tmp_path / 'codes.csv'}")[0] == 0
    with open(tmp_path / "codes.csv", newline="") as file:
        head, *rows = csv.reader(file)
    columns = [f"z_{i}" for i in range(4)] + [f"e-_{i}" for i in range(layer.shape[1])]
    assert head == ["name", *columns] and [row[0] for row in rows] == list(seen)
    values = np.array([row[1:] for row in rows], np.float32)
    np.testing.assert_allclose(values, np.concatenate([z, layer], 1), atol=1e-6)


@pytest.mark.parametrize("memory_limit", [2**20, 0])
def test_pictures_of_the_training_are_seen_as_there(memory_limit, command, tmp_path, monkeypatch):
    monkeypatch.setattr(given, "MEMORY_LIMIT", memory_limit)
    rng = np.random.default_rng(0)
    for name in ("train/1/a", "train/0/b", "test/1/c", "test/0/d"):  # parts and classes
        (tmp_path / name).parent.mkdir(parents=True)
        pixels = rng.integers(0, 256, (9, 14, 4), np.uint8)
        Image.fromarray(pixels).save(tmp_path / f"{name}.png")
    dataset = f"folder:{tmp_path}"
    form = {"image_size": "8", "channels": 1, "resize": "pad", "background": "navy"}
    run = new_run(tmp_path.with_name(f"run-{memory_limit}"), dataset=dataset, **form)
    out = run / "codes.npz"
    status, _, err = command("encode", f"--workdir={run}", f"--data={tmp_path}", f"--out={out}")
    assert status == 0, err
    model, trained_on = tb.load(run), {}
    for split in ("train", "test"):
        images = tb.data.load(dataset, split, **form | {"image_size": 8})
        assert images.class_names == ("0", "1")
        trained_on |= {
            (split, int(label)): code
            for label, code in zip(images.labels, model.encode(images.images), strict=True)
        }
    expected = [trained_on[key] for key in (("test", 0), ("test", 1), ("train", 0), ("train", 1))]
    with np.load(out) as arrays:
        assert set(arrays) == {"name", "z"}  # folders are no classes here
        assert list(arrays["name"]) == [
            f"{n}.png" for n in ("test/0/d", "test/1/c", "train/0/b", "train/1/a")
        ]
        np.testing.assert_allclose(arrays["z"], expected, atol=1e-6)


def test_codes_of_an_archive(folder, bigan_run, command, tmp_path):
    root, seen = folder
    archive, out = shutil.make_archive(str(tmp_path / "a"), "zip", root), tmp_path / "codes.csv"
    with pytest.warns(UserWarning):
        status, _, err = command(
            "encode", f"--workdir={bigan_run}", f"--data={archive}", f"--out={out}"
        )
    assert status == 0, err
    with open(out, newline="") as file:
        assert [row["name"] for row in csv.DictReader(file)] == list(seen)


def test_codes_of_an_npz_are_of_all_its_images(bigan_run, command, tmp_path):
    pixels = np.random.default_rng(0).integers(0, 256, (7, 8, 8), np.uint8)
    np.savez(tmp_path / "a.npz", images=pixels, labels=5 + 2 * (np.arange(7) % 3))
    np.savez(tmp_path / "b.npz", x_train=pixels[:4], x_test=pixels[4:])
    expected = tb.load(bigan_run).encode(pixels[..., None])
    for data in (f"npz:{tmp_path / 'a.npz'}", tmp_path / "b.npz"):
        out = tmp_path / f"codes_of_{str(data)[-5]}.npz"
        status, _, err = command(
            "encode", f"--model={bigan_run / 'model.keras'}", f"--data={data}", f"--out={out}"
        )
        assert status == 0, err
        with np.load(out) as arrays:
            np.testing.assert_allclose(arrays["z"], expected, atol=1e-6)
            assert list(arrays["name"]) == [f"{i:06d}" for i in range(7)]
            if "a.npz" in str(data):
                np.testing.assert_array_equal(arrays["label"], 5 + 2 * (np.arange(7) % 3))


@pytest.mark.parametrize("unlabelled", [("y_train",), ("y_test",), ()])
def test_a_column_of_labels_is_of_all_parts_or_not_there(
    unlabelled, bigan_run, command, tmp_path, caplog
):
    pixels, labels = np.zeros((7, 8, 8), np.uint8), np.arange(7)
    arrays = {"x_train": pixels[:4], "y_train": labels[:4]}
    arrays |= {"x_test": pixels[4:], "y_test": labels[4:]}
    np.savez(tmp_path / "a.npz", **{k: v for k, v in arrays.items() if k not in unlabelled})
    options = (f"--workdir={bigan_run}", f"--data=npz:{tmp_path / 'a.npz'}")
    tables = {}
    for script, name in {"encode": "codes.csv", "reconstruct": "out"}.items():
        status, _, err = command(script, *options, f"--out={tmp_path / name}")
        assert status == 0, err
        table = tmp_path / name / ("errors.csv" if script == "reconstruct" else "")
        with open(table, newline="") as file:
            tables[script] = list(csv.DictReader(file))
    assert command("encode", *options, f"--out={tmp_path / 'codes.npz'}")[0] == 0
    with np.load(tmp_path / "codes.npz") as codes:
        assert {len(array) for array in codes.values()} == {7}
        assert ("label" in codes) == (not unlabelled)
    for rows in tables.values():
        assert len(rows) == 7 and None not in {v for row in rows for v in row.values()}
        found = [row.get("label") for row in rows]
        assert found == ([None] * 7 if unlabelled else list(map(str, range(7))))
    said = [f"no column of labels: there are none for {name[2:]}" for name in unlabelled]
    assert caplog.messages == 3 * said


@pytest.mark.parametrize("kind", [NpzFile, encode.CsvFile])
def test_rows_that_do_not_fit_the_table_are_an_error(kind, tmp_path):
    with kind(tmp_path / "a") as file:
        file.add(a=np.zeros(2), b=np.zeros(2))
        with pytest.raises(ValueError, match=r"rows of \['a'\] in a table of \['a', 'b'\]"):
            file.add(a=np.zeros(2))
        with pytest.raises(ValueError, match="unequal lengths: {'a': 2, 'b': 3}"):
            file.add(a=np.zeros(2), b=np.zeros(3))


@pytest.mark.parametrize("split", ["validation", "test"])
def test_codes_of_the_runs_own_data(split, bigan_run, command, tmp_path):
    option = [] if split == "validation" else [f"--split={split}"]  # the default
    out = tmp_path / "codes.npz"
    status, _, err = command("encode", f"--workdir={bigan_run}", *option, f"--out={out}")
    assert status == 0, err
    images = tb.data.load("digits", split, validation=None)
    assert isinstance(images, tb.data.ImageData)
    with np.load(out) as arrays:
        np.testing.assert_array_equal(arrays["label"], images.labels)
        np.testing.assert_allclose(arrays["z"], tb.load(bigan_run).encode(images.images), atol=1e-6)


def test_reconstructions_beside_the_originals(folder, bigan_run, command, tmp_path, monkeypatch):
    monkeypatch.setattr(given, "BATCH", 2)
    (root, seen), out = folder, tmp_path / "out"
    with pytest.warns(UserWarning):
        status, text, err = command(
            "reconstruct", f"--workdir={bigan_run}", f"--data={root}", f"--out={out}"
        )
    assert status == 0, err
    assert files_in(out) == {"errors.csv", "grid.png", *(f"images/{name}" for name in seen)}
    x = np.stack(list(seen.values())).astype(np.float32) / 255
    x_rec = tb.load(bigan_run).reconstruct(x)
    with open(out / "errors.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["name"] for row in rows] == list(seen)
    errors = np.abs(x - x_rec).mean((1, 2, 3))
    for column, expected in {
        "mean_absolute_error": errors,
        "mean_squared_error": ((x - x_rec) ** 2).mean((1, 2, 3)),
    }.items():
        np.testing.assert_allclose([float(row[column]) for row in rows], expected, rtol=1e-4)
    assert f"mean absolute error {errors.mean():.4f}" in text
    for name, pair in zip(seen, np.stack([x, x_rec], 1), strict=True):
        drawn = np.asarray(Image.open(out / "images" / name)).astype(int)
        expected = pictures.image_grid(pictures.enlarged(pair), columns=2)[..., 0]
        assert drawn.shape == expected.shape == (66, 131)
        assert np.abs(drawn - expected).max() <= 1
    assert Image.open(out / "grid.png").mode == "L"


def test_pictures_of_equal_names_stay_apart():
    names = reconstruct.picture_names
    assert names(np.array(["a/b.jpg", "b.png"])) == ["a/b.png", "b.png"]
    assert names(np.array(["b.jpg", "b.png"])) == ["b.jpg.png", "b.png.png"]
    assert names(np.array(["c.jpg", "c.png/x.gif"])) == ["c.jpg.png", "c.png/x.gif.png"]


@pytest.mark.parametrize("script", ["encode", "reconstruct"])
@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--data=./nowhere"], "--data=./nowhere does not exist: give a folder"),
        (["--data=npz:nowhere.npz"], "nowhere.npz"),
        (["--data="], "--data= names nothing: give a folder of pictures, or npz:FILE"),
        (["--data=folder:"], "--data=folder: names nothing: give"),
        (["--data={run}/config.json"], "is a file: give a folder, or a zip or tar file of one"),
        (["--data={run}/checkpoints"], "holds no pictures"),
        (["--data=digits", "--split=test"], "--split=test is for the run's own data"),
        (["--split=tests"], "--split=tests is unknown; choose one of train, validation, test"),
        (["--workdir="], "give either --workdir=DIR of a run or --model=FILE.keras"),
    ],
)
def test_mistakes_are_one_line(script, options, message, bigan_run, command, tmp_path):
    (bigan_run / "checkpoints").mkdir(exist_ok=True)
    out = tmp_path / ("codes.csv" if script == "encode" else "out")
    options = [option.format(run=bigan_run) for option in options]
    status, _, err = command(script, f"--workdir={bigan_run}", f"--out={out}", *options)
    assert status == 2 and message in err and err.count("\n") == 1, err
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--layer=e_"], "--layer=e_ is unknown; did you mean e or e-?"),
        (["--layer=conv"], "--layer=conv is unknown; choose one of e, e-"),
        (["--out=codes.txt"], "--out=codes.txt: the file's name must end with .npz or .csv"),
        (["--out={run}/model.npz"], "model.npz exists: give another path"),
        (["--out="], "give --out=FILE.npz"),
    ],
)
def test_mistakes_in_encode(options, message, bigan_run, command):
    (bigan_run / "model.npz").touch()
    options = [option.format(run=bigan_run) for option in options]
    status, _, err = command("encode", f"--workdir={bigan_run}", "--out=a.npz", *options)
    assert status == 2 and message in err and err.count("\n") == 1, err


def test_systems_without_the_networks(command, tmp_path):
    run, out = f"--workdir={new_run(tmp_path / 'run', model='gan')}", tmp_path / "a.npz"
    status, _, err = command("encode", run, f"--out={out}")
    assert status == 2 and "GAN has no encoder; systems with encoder: alad, ali," in err
    assert "dann" in err and "wgan_gp" not in err
    status, _, err = command("reconstruct", run, f"--out={out.with_suffix('')}")
    assert status == 2 and "GAN has no encoder; systems with encoder and generator: alad," in err
    assert "dann" not in err


@pytest.mark.parametrize("ending", ["npz", "csv"])
def test_a_full_disk_leaves_nothing(ending, bigan_run, command, tmp_path, monkeypatch):
    def full(*arguments, **columns):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    file = encode.NpzFile if ending == "npz" else encode.CsvFile
    monkeypatch.setattr(file, "add", full)
    out = tmp_path / f"codes.{ending}"
    status, _, err = command("encode", f"--workdir={bigan_run}", f"--out={out}")
    assert status == 1 and f"cannot write {out}: No space left on device" in err, err
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("script", ["encode", "reconstruct"])
def test_outputs_that_are_not_finite_are_refused(script, bigan_run, command, tmp_path, monkeypatch):
    model = tb.load(bigan_run)
    monkeypatch.setattr(model, "encode", lambda x, *_: np.full((len(x), 4), np.nan, np.float32))
    found = (model, str(bigan_run / "model.keras"))
    monkeypatch.setattr(f"tf_bigan.run.{script}.load_with", lambda *_: found)
    out = tmp_path / ("a.npz" if script == "encode" else "out")
    status, _, err = command(script, f"--workdir={bigan_run}", f"--out={out}")
    assert status == 1 and "not finite" in err and not list(tmp_path.iterdir())


def test_an_npz_in_pieces_is_that_of_numpy(tmp_path):
    rng = np.random.default_rng(0)
    arrays = {
        "a": rng.random((5, 2, 3)),
        "e-": rng.integers(0, 9, 5),
        "name": np.array(list("abcdé")),
    }
    with NpzFile(tmp_path / "a.npz") as file:
        for rows in (slice(2), slice(2, 5)):
            file.add(**{name: array[rows] for name, array in arrays.items()})
    assert os.listdir(tmp_path) == ["a.npz"]
    with np.load(tmp_path / "a.npz", allow_pickle=False) as loaded:
        assert set(loaded) == set(arrays)
        for name, array in arrays.items():
            assert loaded[name].dtype == array.dtype
            np.testing.assert_array_equal(loaded[name], array)
