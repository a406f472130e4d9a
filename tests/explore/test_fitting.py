"""Drawings and photos as the training images are."""

import numpy as np
import pytest
from PIL import Image

from tf_bigan import data
from tf_bigan.errors import UserError
from tf_bigan.explore.fitting import Fitting
from tf_bigan.explore.reading import Picture


def ink(height: int, width: int) -> np.ndarray:
    """Five images of 28 × 28 with a white box of that size in them."""
    images = np.zeros((5, 28, 28, 1), np.uint8)
    images[:, 4 : 4 + height, 3 : 3 + width] = 255
    return images


def canvas(top: int, left: int, height: int, width: int) -> Picture:
    pixels = np.zeros((280, 280, 3), np.uint8)
    pixels[top : top + height, left : left + width] = 255
    return Picture(pixels)


def test_strokes_on_black_are_recognised_with_their_extent():
    assert Fitting.to(ink(20, 9)).ink == pytest.approx(20 / 28)
    assert Fitting.to(ink(5, 14)).ink == pytest.approx(14 / 28)
    assert Fitting.to(np.full((3, 8, 8, 1), 90, np.uint8)).ink is None


@pytest.mark.parametrize(("top", "left"), [(0, 0), (200, 33)])
def test_a_drawing_is_scaled_and_centred_wherever_it_was_drawn(top, left):
    fitted = Fitting((28, 28, 1), 20 / 28).drawing(canvas(top, left, 80, 40))
    rows, columns = np.nonzero(fitted.pixels[..., 0])
    assert (rows.min(), rows.max()) == (4, 23)  # 20 pixels of 28
    assert (columns.min(), columns.max()) == (9, 18)  # in proportion 10
    assert fitted.pixels.shape == (28, 28, 1) and set(fitted.pixels[rows, columns, 0]) == {255}
    assert "scaled to 20 × 10 of 28 × 28 pixels" in fitted.notes[0]


def test_the_centre_of_mass_comes_to_the_middle():
    drawing = canvas(100, 100, 20, 80).pixels
    drawing[100:180, 100:120] = 255  # an L upside down: mass to the top left
    pixels = Fitting((28, 28, 1), 16 / 28).drawing(Picture(drawing)).pixels[..., 0] / 255.0
    for axis in (0, 1):
        centre = (pixels.sum(1 - axis) * np.arange(28)).sum() / pixels.sum()
        assert centre == pytest.approx(13.5, abs=0.5)
    fills = Fitting((28, 28, 1), 1.0).drawing(Picture(drawing)).pixels
    assert fills[0].any() and fills[:, 0].any() and fills[:, -1].any()  # nothing is cut off


def test_an_empty_drawing_is_refused():
    with pytest.raises(UserError, match="canvas is empty"):
        Fitting((28, 28, 1), 0.7).drawing(canvas(0, 0, 0, 0))


def test_a_photo_is_resized_and_converted_to_grey_or_colour():
    columns = np.tile(np.arange(8, dtype=np.uint8), (4, 1))[..., None] * 10
    fitted = Fitting((4, 4, 1), None, "stretch").photo(Picture(columns))
    # The triangle of bilinear resampling has the weights 1, 3, 3, 1: in the middle a plain mean.
    np.testing.assert_array_equal(fitted.pixels[:, 1:3, 0], np.tile([25, 45], (4, 1)))
    assert fitted.notes == ("resized from 4 × 8 to 4 × 4", "with another aspect ratio")
    fitted = Fitting((4, 4, 1), None).photo(Picture(columns))
    np.testing.assert_array_equal(fitted.pixels, columns[:, 2:6])
    assert fitted.notes == ("resized from 4 × 8 to 4 × 4", "its margins cut off")
    red = Picture(np.full((30, 20, 3), (255, 0, 0), np.uint8))
    fitted = Fitting((6, 4, 1), None).photo(red)
    assert set(fitted.pixels.ravel()) == {76}  # .299 × 255
    assert fitted.notes == ("resized from 30 × 20 to 6 × 4", "converted to grey")
    assert Fitting((3, 3, 3), None).photo(Picture(columns)).pixels.shape == (3, 3, 3)
    for fit in (Fitting((4, 4, 2), None).photo, Fitting((8, 8, 2), 0.7).drawing):
        with pytest.raises(UserError, match="cannot convert images of 3 channels to 2"):
            fit(red)


def test_an_image_of_the_models_size_stays_and_paper_becomes_black():
    fitting = Fitting((28, 28, 1), 20 / 28)
    x = ink(11, 5)[0]
    np.testing.assert_array_equal(fitting.photo(Picture(x)).pixels, x)
    inverted = fitting.photo(Picture(255 - x))
    np.testing.assert_array_equal(inverted.pixels, x)
    assert inverted.notes == ("inverted, as the training images are light on black",)
    drawing = canvas(20, 150, 80, 40)
    paper = fitting.photo(Picture(255 - drawing.pixels))
    np.testing.assert_array_equal(paper.pixels, fitting.drawing(drawing).pixels)


def test_paper_is_as_the_borders_of_the_training_images():
    photos = np.full((9, 8, 8, 3), (200, 100, 50), np.uint8)
    photos[:, 2:6, 2:6] = 0
    photos[:4, 0] = 255
    fitting = Fitting.to(photos)
    assert fitting.paper == "#c86432"
    assert Fitting.to(photos[..., :1]).paper == "#c8c8c8"
    assert Fitting.to(np.zeros((2, 8, 8, 4), np.uint8)).paper == "transparent"
    assert Fitting.to(ink(20, 9)).paper == "#000000"
    with pytest.raises(UserError, match="canvas is empty"):
        fitting.drawing(Picture(photos[5][:2, :2]))
    stroke = np.full((16, 16, 3), 200, np.uint8)
    stroke[2:10] = 0
    assert fitting.drawing(Picture(stroke)).pixels.min() == 0


def test_colours_are_not_ink():
    """A photograph of a light thing on black is no drawing, and white paper no reason to invert."""
    colours = np.repeat(ink(20, 9), 3, axis=3)
    assert Fitting.to(colours).ink is None
    white = Picture(np.full((28, 28, 3), 255, np.uint8))
    assert set(Fitting.to(colours).photo(white).pixels.ravel()) == {255}


@pytest.mark.parametrize("resize", ["crop", "pad", "stretch"])
@pytest.mark.parametrize("channels", [1, 3, 4])
@pytest.mark.parametrize("suffix", ["png", "jpg"])
def test_an_uploaded_training_file_becomes_the_training_image(tmp_path, channels, resize, suffix):
    rng = np.random.default_rng(0)
    for i in range(12):  # wide photographs; JPEG files this large are decoded in a smaller size
        small = Image.fromarray(rng.integers(60, 255, (3, 6, 3), np.uint8))
        small.resize((240, 120), Image.Resampling.BICUBIC).save(tmp_path / f"{i:02}.{suffix}")
    form = {"resize": resize, "background": "navy"}
    options = {"image_size": 16, "channels": channels, **form}
    images = np.concatenate(
        [data.load(f"folder:{tmp_path}", split, **options).images for split in ("train", "test")]
    )
    fitting = Fitting.to(images, **form)
    fitted = [fitting.read(path).pixels for path in sorted(tmp_path.glob(f"*.{suffix}"))]
    assert sorted(x.tobytes() for x in fitted) == sorted(x.tobytes() for x in images)
