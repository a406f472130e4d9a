"""Uploaded bytes as pixels, and what is refused."""

import io

import numpy as np
import pytest
from PIL import Image

from tests.bombs import claiming
from tf_bigan.errors import UserError
from tf_bigan.explore.reading import MAX_MEGABYTES, read_bytes, read_file


def encoded(image: Image.Image, format: str = "PNG", **options) -> bytes:
    file = io.BytesIO()
    image.save(file, format, **options)
    return file.getvalue()


def test_grey_and_colour_are_read_as_they_are():
    grey = np.arange(6, dtype=np.uint8).reshape(2, 3)
    picture = read_bytes(encoded(Image.fromarray(grey)), "grey")
    np.testing.assert_array_equal(picture.pixels, grey[..., None])
    colour = np.arange(18, dtype=np.uint8).reshape(2, 3, 3)
    picture = read_bytes(encoded(Image.fromarray(colour), "WEBP", lossless=True), "colour")
    np.testing.assert_array_equal(picture.pixels, colour)
    assert picture.notes == ()


def test_deep_transparent_turned_and_moving_pictures():
    deep = np.array([[0, 257 * 200, 65535]], np.uint16)
    assert read_bytes(encoded(Image.fromarray(deep)), "x").pixels.ravel().tolist() == [0, 200, 255]
    still = encoded(Image.new("L", (9, 9), 7), "TIFF")
    assert read_bytes(still, "x").pixels.tolist() == [[[7]] * 9] * 9
    clear = Image.new("RGBA", (2, 1), (10, 20, 30, 0))
    clear.putpixel((1, 0), (10, 20, 30, 255))
    picture = read_bytes(encoded(clear), "x")
    assert picture.pixels.tolist() == [[[255, 255, 255], [10, 20, 30]]]
    assert picture.notes == ("transparent pixels blended with the background",)
    turned = Image.new("L", (4, 2))
    turned.getexif()[0x0112] = 6  # to be turned by 90°
    data = encoded(turned, exif=turned.getexif())
    assert read_bytes(data, "x").pixels.shape == (4, 2, 1)
    frames = [Image.new("RGB", (2, 2), colour) for colour in ("red", "blue")]
    moving = encoded(frames[0], "GIF", save_all=True, append_images=frames[1:])
    picture = read_bytes(moving, "x")
    assert picture.pixels[0, 0].tolist() == [255, 0, 0]
    assert picture.notes == ("first of its pictures taken",)


def test_a_moving_picture_cut_anywhere_is_read_or_refused():
    frames = [Image.new("RGB", (2, 2), colour) for colour in ("red", "blue")]
    moving = encoded(frames[0], "GIF", save_all=True, append_images=frames[1:])
    seen = set()
    for end in range(len(moving) + 1):
        try:
            seen.add(len(read_bytes(moving[:end], "x").notes))
        except UserError as refusal:
            seen.add(str(refusal).partition(":")[0])
    assert seen == {"x is empty", "x is not a readable image", "x is a broken image file", 0, 1}


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"just text", "a.png is not a readable image: use PNG, JPEG, WebP,"),
        (b"", "a.png is empty"),
        (encoded(Image.new("L", (9, 9)), "TGA"), "a.png is not a readable image"),
        (encoded(Image.effect_noise((50, 50), 50))[:900], "a.png is a broken image file"),
        (claiming(8_000), "a.png has 8,000 × 8,000 pixels, the limit is 50 million"),
        (claiming(60_000), "a.png has too many pixels, the limit is 50 million"),
    ],
    ids=["text", "empty", "format", "broken", "large", "bomb"],
)
def test_what_is_no_image_or_too_large_is_refused(tmp_path, content, message):
    path = tmp_path / "a.png"
    path.write_bytes(content)
    with pytest.raises(UserError) as refusal:
        read_file(path)
    assert str(refusal.value).startswith(message)


def test_a_large_file_is_refused_unread(tmp_path):
    path = tmp_path / "a.png"
    with open(path, "wb") as file:
        file.truncate((MAX_MEGABYTES + 1) * 2**20)
    with pytest.raises(UserError, match="^a.png has 21 MB, the limit is 20"):
        read_file(path)
