import numpy as np
import pytest
from PIL import Image

from tf_bigan.callbacks import InterpolationGrid, ReconstructionGrid, SampleGrid
from tf_bigan.callbacks.pictures import (
    interpolation_picture,
    reconstruction_picture,
    sample_picture,
    visible,
)
from tf_bigan.report import enlarged, image_grid, originals_over_reconstructions


def test_written_by_epoch_with_the_right_size(tmp_path, model, play, images):
    directory = tmp_path / "samples"
    pictures = [
        SampleGrid(directory, n=16, every=2),
        ReconstructionGrid(images[:4], directory, every=2),
        InterpolationGrid(images[:6], directory, every=2),
    ]
    play(model, 3, pictures)
    sizes = {path.name: Image.open(path).size for path in directory.iterdir()}
    # A tile is 8 pixels, 8 times enlarged, and a white line of 1.
    expected = {
        "samples": (4 * 65 + 1, 4 * 65 + 1),
        "reconstructions": (3 * 65 + 1, 2 * (17 * 8 + 1) + 1),  # 1 pixel between the two of a pair
        "interpolations": (12 * 65 + 1, 3 * 65 + 1),
    }
    kinds = ("samples", "reconstructions", "interpolations")
    assert sorted(sizes) == sorted(f"{k}-epoch-000{e}.png" for k in kinds for e in (0, 2, 3))
    for name, size in sizes.items():
        kind = name.partition("-")[0]
        if kind == "reconstructions":
            pairs = np.zeros((4, 8, 8, 1))
            size = size[::-1]
            assert (
                size == originals_over_reconstructions(enlarged(pairs), enlarged(pairs)).shape[:2]
            )
        else:
            assert size == expected[kind]


def test_what_is_in_them(model, images):
    samples = model.generate(model.prior.sample(16, 3))
    np.testing.assert_array_equal(sample_picture(model, 16, seed=3), image_grid(enlarged(samples)))
    np.testing.assert_array_equal(
        reconstruction_picture(model, images[:4]),
        originals_over_reconstructions(
            enlarged(images[:4]), enlarged(model.reconstruct(images[:4]))
        ),
    )
    picture = interpolation_picture(model, images[:4], steps=3)
    between = model.interpolate(images[[0, 2]], images[[1, 3]], 3)
    rows = [images[0], *between[0], images[1], images[2], *between[1], images[3]]
    np.testing.assert_array_equal(picture, image_grid(enlarged(np.stack(rows)), columns=5))


def test_the_same_z_in_every_epoch(tmp_path, model, play):
    play(model, 2, [SampleGrid(tmp_path, seed=1)])  # the weights stay as they are
    first, *others = sorted(tmp_path.iterdir())
    assert len(others) == 2
    assert all(other.read_bytes() == first.read_bytes() for other in others)


def test_resumed_and_broken_off_epochs(tmp_path, model, play, logs_of):
    play(model, 2, [logs_of(stop_after_step=2), SampleGrid(tmp_path)])
    assert [path.name for path in tmp_path.iterdir()] == ["samples-epoch-0000.png"]
    (tmp_path / "samples-epoch-0000.png").unlink()
    play(model, 2, [SampleGrid(tmp_path)])
    expected = ["samples-epoch-0001.png", "samples-epoch-0002.png"]
    assert sorted(path.name for path in tmp_path.iterdir()) == expected


class OnlyGenerates:
    generator = True


class OnlyEncodes:
    encoder = True


def test_models_without_a_network_are_skipped(images):
    assert reconstruction_picture(OnlyGenerates(), images) is None
    assert interpolation_picture(OnlyGenerates(), images) is None
    assert sample_picture(OnlyEncodes()) is None
    grid = ReconstructionGrid(images, "/nowhere")
    grid.set_model(OnlyGenerates())
    grid.run(1, {})  # writes nothing


@pytest.mark.parametrize(("channels", "shown"), [(1, 1), (2, 1), (3, 3), (5, 1)])
def test_any_number_of_channels(channels, shown):
    assert visible(np.zeros((2, 4, 4, channels))).shape == (2, 4, 4, shown)


@pytest.mark.parametrize("callback", [ReconstructionGrid, InterpolationGrid])
def test_bytes_make_the_same_pictures(callback, tmp_path, model, images):
    levels = np.rint(images[:4] * 255).astype(np.uint8)
    pictures = []
    for shown in (levels, levels / np.float32(255)):
        grid = callback(shown, tmp_path)
        grid.set_model(model)
        pictures.append(grid.picture())
    np.testing.assert_array_equal(*pictures)
    with pytest.raises(ValueError, match=r"images has values from .* in \[0, 1\]"):
        callback(levels.astype(np.float32), tmp_path)
