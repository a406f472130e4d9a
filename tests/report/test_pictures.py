from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tf_bigan.errors import UserError
from tf_bigan.report import enlarged, image_grid, originals_over_reconstructions, save_png, shrunk


def test_grid_by_hand():
    images = np.zeros((3, 1, 2, 1))
    images[:, 0, :, 0] = [[0, 0.2], [0.4, 0.6], [0.8, 1]]
    grid = image_grid(images, columns=2, pad=1)
    w = 255
    np.testing.assert_array_equal(
        grid[:, :, 0],
        [
            [w, w, w, w, w, w, w],
            [w, 0, 51, w, 102, 153, w],
            [w, w, w, w, w, w, w],
            [w, 204, w, w, w, w, w],  # the place of the missing fourth is left white
            [w, w, w, w, w, w, w],
        ],
    )
    assert grid.dtype == np.uint8


@pytest.mark.parametrize(("scale", "pad"), [(1, 0), (3, 2)])
def test_grid_size_colour_and_place(scale, pad):
    images = np.random.default_rng(0).random((11, 5, 4, 3)).astype(np.float32)
    grid = image_grid(images, columns=4, scale=scale, pad=pad)
    assert grid.shape == (3 * (5 * scale + pad) + pad, 4 * (4 * scale + pad) + pad, 3)
    for number, image in enumerate(images):
        top = pad + (number // 4) * (5 * scale + pad)
        left = pad + (number % 4) * (4 * scale + pad)
        tile = grid[top : top + 5 * scale, left : left + 4 * scale]
        expected = np.kron(np.rint(image * 255), np.ones((scale, scale, 1)))
        np.testing.assert_array_equal(tile, expected)


def test_columns_default_to_a_square():
    assert image_grid(np.zeros((100, 8, 8, 1)), pad=0).shape == (80, 80, 1)
    assert image_grid(np.zeros((32, 20, 10, 1)), pad=0).shape == (80, 80, 1)
    assert image_grid(np.zeros((1, 9, 7, 1)), pad=0).shape == (9, 7, 1)


def test_reconstructions_stand_below_their_originals():
    x = np.stack([np.full((2, 2, 1), v) for v in (0.0, 0.2, 0.4)])
    grid = originals_over_reconstructions(x, x + 0.4, columns=2, pad=0)
    column = [0, 0, 255, 102, 102]  # original, line, reconstruction
    np.testing.assert_array_equal(grid[:5, 0, 0], column)
    np.testing.assert_array_equal(grid[:5, 2, 0], [51, 51, 255, 153, 153])
    np.testing.assert_array_equal(grid[5:, 1, 0], [102, 102, 255, 204, 204])


@pytest.mark.parametrize("shape", [(5, 7), (5, 7, 1), (5, 7, 3), (5, 7, 4)])
def test_png_round_trip(tmp_path, shape):
    picture = np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)
    save_png(tmp_path / "a.png", picture)
    read = np.asarray(Image.open(tmp_path / "a.png"))
    np.testing.assert_array_equal(read, picture[:, :, 0] if shape[2:] == (1,) else picture)
    assert [path.name for path in tmp_path.iterdir()] == ["a.png"]


def test_a_failed_write_keeps_the_old_file(tmp_path, monkeypatch):
    path = tmp_path / "a.png"
    save_png(path, np.zeros((2, 2), np.uint8))
    before = path.read_bytes()

    def broken(self, path, **_):
        Path(path).write_bytes(b"half a picture")
        raise OSError("No space left on device")

    monkeypatch.setattr(Image.Image, "save", broken)
    with pytest.raises(UserError, match="No space left"):
        save_png(path, np.ones((2, 2), np.uint8))
    assert path.read_bytes() == before
    assert [path.name for path in tmp_path.iterdir()] == ["a.png"]


def test_a_name_without_directory(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    save_png("a.png", np.zeros((2, 2), np.uint8))
    assert (tmp_path / "a.png").stat().st_size > 0


@pytest.mark.parametrize(
    "picture", [np.zeros((2, 2)), np.zeros((2, 2, 2), np.uint8), np.zeros(4, np.uint8)]
)
def test_bad_pictures(tmp_path, picture):
    with pytest.raises(ValueError, match=r"^picture: expected uint8"):
        save_png(tmp_path / "a.png", picture)
    assert not list(tmp_path.iterdir())


def test_bad_arguments():
    images = np.zeros((2, 4, 4, 1))
    with pytest.raises(ValueError, match="^columns=0: it must be an int"):
        image_grid(images, columns=0)
    with pytest.raises(ValueError, match="^scale=0: it must be an int"):
        image_grid(images, scale=0)
    with pytest.raises(ValueError, match=r"^images: expected non-empty"):
        image_grid(images[:0])
    with pytest.raises(ValueError, match=r"^reconstructions: expected the shape of originals"):
        originals_over_reconstructions(images, images[:1])


def test_small_images_are_enlarged_smoothly():
    step = np.zeros((1, 8, 8, 1), np.float32)
    step[:, :, 4:] = 1
    large = enlarged(step)
    assert large.shape == (1, 64, 64, 1) and large.min() == 0 and large.max() == 1
    profile = large[0, 32, :, 0]
    np.testing.assert_allclose(profile + profile[::-1], 1, atol=1e-5)  # the edge stays central
    assert 4 <= ((profile > 0.05) & (profile < 0.95)).sum() <= 16  # and is no longer a jump
    assert enlarged(np.zeros((1, 40, 20, 3))).shape == (1, 40, 20, 3)


def test_large_images_are_shrunk_and_keep_their_form():
    rows = np.linspace(0, 1, 300, dtype=np.float32)
    images = np.broadcast_to(rows[None, :, None, None], (2, 300, 150, 3))
    small = shrunk(images)
    assert small.shape == (2, 128, 64, 3)
    np.testing.assert_allclose(small[0, :, 0, 0], np.linspace(0, 1, 128), atol=0.01)
    assert shrunk(images[:, :100, :120]).shape == (2, 100, 120, 3)


@pytest.mark.parametrize("resize", [enlarged, shrunk])
def test_bytes_are_resized_like_floats(resize):
    pixels = np.random.default_rng(0).integers(0, 256, (2, 8, 8, 1), np.uint8)
    pixels = pixels if resize is enlarged else pixels.repeat(20, axis=1)
    found = resize(pixels)
    assert found.dtype == np.float32
    np.testing.assert_array_equal(found, resize(pixels / np.float32(255)))
    with pytest.raises(UserError, match="^images has values from"):
        resize(pixels.astype(np.float32))
