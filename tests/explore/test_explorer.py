"""What is computed for an image, by hand, and how it is said."""

import base64
import io

import numpy as np
import pytest
from PIL import Image

from tests.explore.conftest import HELD_OUT, TRAIN, Halving, OnlyE, OnlyG, data
from tf_bigan import priors
from tf_bigan.data import ImageData
from tf_bigan.errors import UserError
from tf_bigan.explore import markup
from tf_bigan.explore.directions import coordinates, principal
from tf_bigan.explore.explorer import Explorer


def test_a_look_by_hand(explorer):
    look = explorer.look(np.full((2, 2, 1), 0.6, np.float32))
    np.testing.assert_allclose(look.code, 0.6)
    np.testing.assert_allclose(look.reconstruction, 0.3, atol=1e-7)
    assert look.error == pytest.approx(1.2)
    # |x - G(E(x))| of the held-out images sums to 2, .4, .8, 1.2 and 1.6.
    np.testing.assert_allclose(explorer.errors, [0.4, 0.8, 1.2, 1.6, 2.0], rtol=1e-6)
    # Training images lie at 0, .2, .4 and 1; a difference of d in four pixels is a distance 2 d.
    assert [n.index for n in look.neighbours] == [2, 3, 1, 0]
    assert [n.label for n in look.neighbours] == ["dog", "cat", "dog", "cat"]
    np.testing.assert_allclose([n.distance for n in look.neighbours], [0.4, 0.8, 0.8, 1.2], 1e-5)


@pytest.mark.parametrize(
    ("error", "percent"), [(0.1, 0), (0.5, 20), (1.19, 40), (1.21, 60), (1.9, 80), (9, 100)]
)
def test_percentile_counts_the_smaller_errors(explorer, error, percent):
    assert explorer.percentile(error) == percent


def test_numbers_of_neighbours_are_those_of_all_training_images():
    train = data(*range(0, 200, 2))
    explorer = Explorer(Halving(), train, HELD_OUT, most=10)
    assert len(explorer.codes) == 10 and len(set(explorer.searched)) == 10
    near = explorer.look(train.as_float(int(explorer.searched[4]))).neighbours[0]
    assert (near.index, near.label) == (explorer.searched[4], None)
    assert near.distance == pytest.approx(0, abs=1e-6)


def test_from_one_image_to_the_other(explorer):
    a, b = np.zeros((2, 2, 1), np.float32), np.ones((2, 2, 1), np.float32)
    np.testing.assert_allclose(explorer.between(a, b, 3)[:, 0, 0, 0], [0, 0, 0.25, 0.5, 1])


def test_principal_directions_and_steps_along_them():
    codes = np.zeros((40, 3), np.float32)
    codes[:, 1] = np.tile([-3, 3], 20)
    codes[:, 2] = np.repeat([-1, 1], 20)
    found = principal(codes + 5, 2)
    np.testing.assert_allclose(np.abs(found.vectors), [[0, 1, 0], [0, 0, 1]], atol=1e-12)
    np.testing.assert_allclose(found.spreads, [3 * np.sqrt(40 / 39), np.sqrt(40 / 39)])
    assert found.names == ("Direction 1 (90%)", "Direction 2 (10%)")
    moved = found.moved(np.array([1, 2, 3]), [0, 2])
    np.testing.assert_allclose(np.abs(moved - [1, 2, 3]), [0, 0, 2 * np.sqrt(40 / 39)], 1e-5)
    for equal in (np.ones((4, 3), np.float32), np.ones((1, 3), np.float32)):
        found = principal(equal, 8)
        assert np.isfinite(found.moved(np.ones(3), [1] * len(found.names))).all()


def test_entries_of_z_where_there_is_no_encoder():
    explorer = Explorer(OnlyG(), TRAIN, HELD_OUT)
    found = explorer.directions(3)
    assert found.names == ("z1", "z2", "z3") == coordinates(priors.Uniform(4), 3).names
    np.testing.assert_allclose(found.spreads, 1 / np.sqrt(3), rtol=0.03)  # of U(-1, 1)
    moved = found.moved(np.zeros(4), [0, 1, 0])
    np.testing.assert_allclose(moved, [0, found.spreads[1], 0, 0], rtol=1e-6)


def test_what_cannot_be_explored_is_refused():
    with pytest.raises(UserError, match="for images of shape"):
        Explorer(Halving(), ImageData("big", np.zeros((2, 3, 3, 1), np.uint8)), HELD_OUT)
    broken = Halving()
    broken.encode = lambda images: np.full((len(images), 4), np.nan, np.float32)
    with pytest.raises(UserError, match="outputs of the model of step 7 are not finite"):
        Explorer(broken, TRAIN, HELD_OUT)


def test_pictures_are_exact_and_names_are_escaped():
    image = np.arange(12, dtype=np.float32).reshape(2, 2, 3) / 255
    png = base64.b64decode(markup.picture_uri(image).removeprefix("data:image/png;base64,"))
    np.testing.assert_array_equal(np.asarray(Image.open(io.BytesIO(png))), (image * 255).round())
    assert markup.picture_uri(image[..., :2]) == markup.picture_uri(image[..., :1])
    assert "<b>x" not in markup.notice("<b>x.png")


def test_names_that_are_not_utf8():
    named = ImageData("folder:\udce9", TRAIN.images, TRAIN.labels, ("caf\udce9", "dog"))
    explorer = Explorer(Halving(), named, named)
    html = markup.heading(explorer) + markup.look(
        explorer, explorer.look(named.as_float(0)), "", ()
    )
    assert html.encode() and "folder:\\udce9" in html and ">caf\\udce9<" in html


@pytest.mark.parametrize("value", [0.0, 0.4, 30_000.0])
def test_equal_values_have_a_histogram(value):
    values = np.full(3, value, np.float32)
    html = markup.histogram(values, float(values[0]))
    assert html.count('height="66.00"') == 1 and html.count('height="0.00"') == 47


def test_the_page_shows_every_part_of_a_look(explorer):
    html = markup.look(explorer, explorer.look(TRAIN.as_float(3)), "<i>.png", ["converted to grey"])
    assert "Reconstruction error above 80 % of held-out images" in html
    assert "&lt;i&gt;.png: converted to grey." in html
    assert "1.00, 1.00, 1.00, 1.00<" in html and html.count("<rect") > 4
    assert html.index(">cat<") < html.index(">dog<")


@pytest.mark.parametrize(
    ("model", "said"), [(OnlyG(), "has no encoder"), (OnlyE(), "has no generator")]
)
def test_missing_parts_of_a_model_are_named(model, said):
    assert said in markup.heading(Explorer(model, TRAIN, HELD_OUT))
