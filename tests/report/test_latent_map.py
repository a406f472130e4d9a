import numpy as np
import pytest
from sklearn.decomposition import PCA

from tf_bigan.report import latent_map

SIDE = 64  # of a tile: the images are enlarged to 60, and have frames of 2


# Codes on a cross: the first component is the long horizontal arm, the second the vertical one.
CODES = np.array([[-2, 0], [2, 0], [0, -1], [0, 1], [0, 0]], float) @ [
    [0.6, 0.8, 0],
    [-0.8, 0.6, 0],
]
GREYS = np.array([0.2, 0.4, 0.6, 0.8, 1.0], np.float32)
IMAGES = np.broadcast_to(GREYS[:, None, None, None], (5, 6, 6, 1))


def places(picture):
    """{grey: (x, y) of the middle of its tile, in parts of the picture}."""
    found = {}
    for grey in np.rint(GREYS * 255).astype(int):
        y, x = np.nonzero((picture[..., 0] == grey) & (picture[..., 3] == 255))
        if len(x):
            found[int(grey)] = (x.mean() / picture.shape[1], y.mean() / picture.shape[0])
    return found


def test_each_image_is_where_its_code_is():
    picture, share = latent_map(CODES, IMAGES, side=21 * SIDE)
    assert picture.dtype == np.uint8 and picture.shape == (21 * SIDE, 21 * SIDE, 4)
    assert share == pytest.approx(1)
    left, right, down, up, middle = places(picture).values()
    assert left[0] + right[0] == pytest.approx(1, abs=0.06)
    assert abs(left[0] - right[0]) > 0.9 and abs(up[1] - down[1]) > 0.9
    points = PCA(2, random_state=0).fit_transform(CODES)
    assert (left[0] < right[0]) == (points[0, 0] < points[1, 0])
    assert (up[1] < down[1]) == (points[3, 1] > points[2, 1])  # rows count downwards
    assert middle == pytest.approx((0.5, 0.5), abs=0.06)
    assert (picture[..., 3] == 255).mean() == pytest.approx(5 / 21**2)  # and no more


def test_of_two_images_in_one_place_the_nearer_to_its_middle_is_shown():
    other = [[0.04, 0.05, 0]]  # a third of a place away from the middle
    for codes in (np.concatenate([CODES, other]), np.concatenate([other, CODES])):
        black = np.zeros((1, 6, 6, 1), np.float32)
        parts = [IMAGES, black] if (codes[0] == CODES[0]).all() else [black, IMAGES]
        picture, _ = latent_map(codes, np.concatenate(parts), side=21 * SIDE)
        assert (picture[..., 3] == 255).sum() == 5 * SIDE**2
        assert 255 in places(picture)


def test_frames_tell_classes_apart():
    picture, _ = latent_map(CODES, IMAGES, np.array([0, 0, 1, 1, 7]), side=21 * SIDE)
    solid = picture[picture[..., 3] == 255][:, :3].astype(int)
    colours = {tuple(c) for c in solid[np.ptp(solid, axis=1) > 40]}
    assert len(colours) == 3


@pytest.mark.parametrize("shape", [(5, 9, 3), (40, 100, 1)])
def test_other_shapes_and_collapsed_codes(shape):
    images = np.random.default_rng(0).random((7, *shape)).astype(np.float32)
    picture, _ = latent_map(np.random.default_rng(1).normal(size=(7, 1)), images, side=300)
    assert (picture[..., 3] == 255).any() and max(picture.shape) <= 300
    picture, share = latent_map(np.ones((7, 4)), images, side=300)
    assert share == 1


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"codes": CODES[:3]}, r"^codes: expected 5 rows, one per image, got 3"),
        ({"codes": CODES * np.nan}, r"^codes: .* NaN"),
        ({"images": IMAGES[..., [0, 0]]}, r"^images: expected 1 or 3 channels, got 2"),
        ({"labels": np.zeros(3, int)}, r"^labels: expected 5 labels"),
    ],
)
def test_bad_input(change, message):
    with pytest.raises(ValueError, match=message):
        latent_map(**{"codes": CODES, "images": IMAGES} | change)
