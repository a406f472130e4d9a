"""The benchmark of features: its parts by hand, and its tables from records made up by hand."""

from pathlib import Path

import numpy as np
import pytest

from benchmarks import features, pages
from tf_bigan import data


def test_rotations_are_quarter_turns_with_their_number():
    x = np.arange(8, dtype=np.float32).reshape(2, 2, 2, 1)
    turned, turns = features.rotated({"image": x})
    assert turns.numpy().tolist() == [0, 0, 1, 1, 2, 2, 3, 3]
    wanted = [np.rot90(x[i % 2], k) for i, k in enumerate(turns.numpy())]
    np.testing.assert_array_equal(turned, wanted)


def test_the_probe_chooses_its_regularisation_by_the_labels_it_has():
    """One of 30 columns tells the class. Many rows give the answer, one of each class does not."""
    rng = np.random.default_rng(0)
    labels = np.arange(400) % 2
    rows = rng.normal(size=(400, 30)).astype(np.float32)
    rows[:, 7] += 6 * labels
    new, old = slice(0, 200), slice(200, 400)
    accuracy = features.probe(rows[new], labels[new], rows[old], labels[old], seed=0)
    assert accuracy > 98
    moved = 1e4 * (rows + 3)
    again = features.probe(moved[new], labels[new], moved[old], labels[old], seed=0)
    assert again == pytest.approx(accuracy, abs=0.6)
    assert features.probe(rows[:2], labels[:2], rows[old], labels[old], seed=0) > 50
    assert features.probe(0 * rows[new], labels[new], rows[old], labels[old], seed=0) == 50


def test_labelled_rows_are_balanced_and_all():
    labels = np.repeat(np.arange(4), (10, 20, 30, 60))
    rows = features.labelled_rows(labels, seed=1)
    assert list(rows) == ["10", "100", "all"]
    assert sorted(np.bincount(labels[rows["10"]])) == [2, 2, 3, 3]
    assert np.bincount(labels[rows["100"]]).tolist() == [10, 20, 30, 40]
    assert rows["all"].tolist() == list(range(120))


def test_settings():
    def config(method, name="mnist", shape=(60_000, 28, 28, 1), epochs=None):
        images = data.ImageData(name, np.zeros(shape, np.uint8))
        return features.config_of(method, images, epochs, seed=3)

    bigan, cycle = config("bigan"), config("cycle_bigan")
    assert (bigan.model, cycle.model) == ("bigan", "cycle_bigan")
    assert (bigan.ema, bigan.seed, bigan.validation) == (0.999, 3, 0)
    assert cycle.latent_dim == 32 and cycle.rates == {"D": 4e-4, "EG": 1e-3}
    small = [config(method, "emoji", (1500, 32, 32, 3)) for method in features.METHODS[2:]]
    assert len({c.epochs for c in small}) == 1 and small[0].epochs > bigan.epochs == cycle.epochs
    assert config("bigan", epochs=2).epochs == 2
    assert config("rotation").ema == config("untrained").ema == 0.0
    assert config("pixels") is None and features.settings_of(None) is None
    assert {c.width for c in small} == {bigan.width} == {16}
    assert (small[2].model, small[2].penalty, small[2].rates) == ("bigan", bigan.penalty, {})
    assert small[-1].augmentation is not None and small[1].augmentation is None


def record(method, seed, accuracies, chosen, seconds=60.0, settings=None):
    return {
        "data": "emoji",
        "seed": seed,
        "method": method,
        "settings": settings,
        "seconds": seconds,
        "accuracies": accuracies,
        "chosen": chosen,
        "test_images": 400,
    }


def test_table_and_conclusion():
    """Cells have the chosen layer; in parentheses is the layer that is best over both seeds."""
    of_pixels = {"pixels": {"10": 30.0, "all": 81.0}}
    first = {"map1": {"10": 40.0, "all": 70.0}, "e-": {"10": 36.0, "all": 80.0}}
    second = {"map1": {"10": 44.0, "all": 72.0}, "e-": {"10": 50.0, "all": 78.0}}
    records = [
        record("pixels", 0, of_pixels, dict.fromkeys(("10", "all"), "pixels")),
        record("bigan", 0, first, {"10": "map1", "all": "e-"}, 62.0, {"epochs": 5}),
        record("bigan", 1, second, {"10": "map1", "all": "e-"}, 60.4, {"epochs": 5}),
    ]
    assert features.table(records).splitlines() == [
        "| method | 10 labels | all labels | passes | training, seconds |",
        "|---|---|---|---|---|",
        "| `pixels` | 30.0 | 81.0 |  |  |",
        "| `bigan` | 42.0 ± 2.8 (e- 43.0) | 79.0 ± 1.4 (e- 79.0) | 5 | 60 |",
    ]
    assert features.conclusion("emoji", records) == (
        "On emoji the best BiGAN is, against the best other method, above with 10 "
        "labels (`bigan` against `pixels`: +12.0); level with all labels (`bigan` against "
        "`pixels`: -2.0)."
    )
    # The standard error is 2.8 with 400 test images, and 0.6 with 10,000.
    records[0]["test_images"] = 10_000
    assert "; below with all labels (" in features.conclusion("emoji", records)
    assert features.conclusion("emoji", records[1:]) == ""


def test_the_page_has_a_place_for_each_data_set():
    page = Path(__file__).parents[2] / features.PAGE
    for name in features.DATA:
        pages.around(page, f"features_{name}")
