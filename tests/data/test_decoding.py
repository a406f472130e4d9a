"""A picture file becomes the same pixels in training and in explore."""

import numpy as np
import pytest
from PIL import Image

from tf_bigan.data import decoding, load
from tf_bigan.explore.reading import read_file

GREY = np.arange(20, dtype=np.uint8).reshape(5, 4) * 10
COLOUR = np.stack([GREY, 255 - GREY, GREY // 2], -1)


def saved(folder, pixels, **options):
    """A folder of six equal pictures; the first one's path."""
    folder.mkdir()
    for i in range(6):
        Image.fromarray(pixels).save(folder / f"{i}.png", **options)
    return folder / "0.png"


def turned(orientation):
    exif = Image.Exif()
    exif[0x0112] = orientation
    return exif


@pytest.mark.parametrize(
    ("pixels", "options", "expected"),
    [
        (GREY, {}, GREY),
        (COLOUR, {}, COLOUR),
        # 400 of 65,535 are 1.56 of 255: rounded, not cut off
        (np.array([[0, 400, 65_535]], np.uint16), {}, np.array([[0, 2, 255]])),
        (GREY > 100, {}, np.where(GREY > 100, 255, 0)),
        (np.dstack([COLOUR, np.where(GREY > 100, 255, 0).astype(np.uint8)]), {}, None),
        (COLOUR, {"exif": turned(6)}, np.rot90(COLOUR, -1)),  # a telephone held upright
        (COLOUR, {"exif": turned(3)}, np.rot90(COLOUR, 2)),
    ],
)
def test_training_and_explore_see_the_same(tmp_path, pixels, options, expected):
    path = saved(tmp_path / "pictures", pixels, **options)
    image = load(f"folder:{path.parent}").images[0]
    np.testing.assert_array_equal(image, read_file(path).pixels)
    if expected is None:  # transparent parts are white
        expected = np.where(pixels[..., 3:] > 0, pixels[..., :3], 255)
    np.testing.assert_array_equal(image, expected.reshape(image.shape))


def test_what_a_decoder_cannot_decode_is_broken(monkeypatch):
    """Pillow's AVIF decoder raises RuntimeError for a damaged file."""

    def load(image):
        raise RuntimeError("Failed to decode frame 0")

    image = Image.new("L", (2, 2))
    monkeypatch.setattr(Image.Image, "load", load)
    with pytest.raises(decoding.NoPicture, match="Failed to decode") as reason:
        decoding.decode(image)
    assert reason.value.kind == "broken"
