"""The tables of the benchmarks whose trainings take long, from records made up by hand."""

import json
import sys
from types import SimpleNamespace

import numpy as np
import pytest

from benchmarks import anomaly, choices, footprint, paper_table, pictures, zoo
from tf_bigan.errors import UserError


def test_unknown_names_are_errors_before_anything_runs(monkeypatch, tmp_path):
    assert choices.names_in("data", "emoji,mnist", anomaly.DATA) == ["emoji", "mnist"]
    monkeypatch.setattr(sys, "argv", ["anomaly", "--data=digits,mnst", f"--out={tmp_path}/a"])
    with pytest.raises(UserError, match="^data=mnst is unknown; did you mean mnist[?]$"):
        anomaly.main()
    assert not (tmp_path / "a").exists()


def test_footprint():
    costs = {"the import": "0.04 s", "memory": "1.26 GB"}
    lines = footprint.table(costs, {"in memory": (-0.44, 11.26), "streamed": (11.6, 7.0)})
    assert lines.splitlines() == [
        "| what | measured |",
        "|---|---|",
        "| the import | 0.04 s |",
        "| memory | 1.26 GB |",
        "| extra time per step, compared with one constant batch: in memory | -0.4 % "
        "(range of 11.3 over 7 rounds) |",
        "| extra time per step, compared with one constant batch: streamed | +11.6 % "
        "(range of 7.0 over 7 rounds) |",
    ]


def test_anomaly_takes_no_results_of_other_settings(capsys):
    def record(method, data, **settings):
        return {"method": method, "data": data, "epochs": 3 if data == "mnist" else None} | settings

    today = [
        record(
            method, data, settings=anomaly.settings_of(method, data, 3 if data == "mnist" else None)
        )
        for method in (anomaly.SYSTEM, "autoencoder", "pca")
        for data in ("mnist", "digits", "breast_cancer")
    ]
    assert today[0]["settings"] == {"epochs": 3} and today[1]["settings"] == {}
    assert today[8]["settings"] is None
    others = [record("bigan", "mnist"), record("bigan", "digits", settings={"width": 128})]
    found = anomaly.of_these_settings(json.loads(json.dumps(today + others)))
    assert found == today and capsys.readouterr().out.startswith("2 results with other settings")
    without = record("pca", "mnist")  # a baseline has none
    assert anomaly.of_these_settings([without]) == [without]


def test_areas_of_scores():
    """Thresholds 4 to 1 have precision 1, 1/2, 2/3, 1/2 at recall 1/2, 1/2, 1, 1."""
    anomalous, scores = np.array([True, False, True, False]), np.array([4.0, 3.0, 2.0, 1.0])
    assert anomaly.MEASURES == ("AUPRC", "AUROC", "average precision")
    auprc, auroc, precision = anomaly.areas(anomalous, scores)
    # From recall 0 to 1/2 the precision is 1. Then the trapezoid has the mean of 1/2 and 2/3, and
    # the step has 2/3.
    assert auprc == pytest.approx(1 / 2 + (1 / 2 + 2 / 3) / 2 / 2)
    assert precision == pytest.approx(1 / 2 + 2 / 3 / 2)
    assert auroc == pytest.approx(3 / 4)  # of four pairs one is wrong
    # Equal scores have one threshold, from precision 1 at recall 0 to the base rate at 1.
    auprc, auroc, precision = anomaly.areas(np.arange(8) < 2, np.ones(8))
    assert (auprc, auroc, precision) == pytest.approx(((1 + 1 / 4) / 2, 1 / 2, 1 / 4))


def test_tables_of_all_measures_and_of_older_records():
    def record(method, score, *areas):
        keys = {"data": "mnist", "anomaly": 1, "seed": 0, "epochs": 3, "method": method}
        return keys | {"base_rate": 0.4, "areas": {score: list(areas)}}

    records = [
        record("pca", "reconstruction", 0.1, 0.2, 0.3),
        record(anomaly.SYSTEM, "combined", 0.4, 0.5),  # of an older run
    ]
    text = anomaly.tables(records)
    heads = [line for line in text.splitlines() if line.startswith("#")]
    measured = [f"### {name}, MNIST" for name in anomaly.MEASURES]
    summary = ["### AUROC against the best simple method", "### Quality and time, mnist"]
    assert heads == [*summary, *measured, "### Every score, MNIST"]
    rows = [line for line in text.splitlines() if line.startswith("| 1 |")]
    assert [row.split(" | ")[-1] for row in rows] == ["0.400 |", "0.500 |", " |"]
    assert ["0.100" in rows[0], "0.200" in rows[1], "0.300" in rows[2]] == [True] * 3


def test_the_detector_against_the_best_simple_method_of_each_anomaly():
    """The best of digit 0 is PCA and of digit 1 LOF, each by its mean over two seeds."""

    def record(digit, seed, method, score, auroc):
        keys = {"data": "digits", "anomaly": digit, "seed": seed, "method": method, "seconds": 9.0}
        return keys | {"areas": {score: [0.0, auroc, 0.0]}}

    lof, pca = ("local_outlier_factor", "score"), ("pca", "reconstruction")
    ours = (anomaly.SYSTEM, "combined")
    values = {  # digit -> method -> AUROC of the two seeds
        0: {lof: (0.5, 0.7), pca: (0.9, 0.7), ours: (0.9, 0.9)},
        1: {lof: (0.6, 0.8), pca: (0.5, 0.5), ours: (0.6, 0.6)},
    }
    records = [
        record(digit, seed, *method, auroc)
        for digit, of in values.items()
        for method, found in of.items()
        for seed, auroc in enumerate(found)
    ]
    assert anomaly.against_simple(records).splitlines() == [
        "| data | best simple method of each anomaly | the detector | difference "
        "| worst difference | seconds of fit and scores, median |",
        "|---|---|---|---|---|---|",
        "| digits | 0.750 | 0.750 | +0.000 | -0.100 | 9 |",
    ]


def test_quality_and_seconds_of_every_method():
    """The means over the detector's runs, digits 0 and 1 of seed 0; older records lack measures."""

    def record(method, score, anomaly, *areas, seed=0, **seconds):
        keys = {"data": "digits", "anomaly": anomaly, "seed": seed, "method": method}
        return keys | {"areas": {score: list(areas)}} | seconds

    alad, ours = ("pyod.ALAD", "score"), (anomaly.SYSTEM, "combined")
    others = [
        record("pca", "reconstruction", 0, 0.7, 0.8),
        record("isolation_forest", "score", 2, 0.9, 0.9, 0.9, seconds=9.0),
        record(*alad, 0, 0.1, 0.2, 0.3, seconds=1.0),
        record(*alad, 1, 0.3, 0.6, 0.5, seconds=2.0),
        record(*alad, 2, 0.8, 0.7, 0.7, seconds=9.0),
        record(*alad, 0, 0.9, 0.9, 0.9, seed=1, seconds=9.0),
    ]
    detector = [
        record(*ours, 0, 0.9, 0.8, 0.7, seconds=60.0),
        record(*ours, 1, 0.7, 0.6, 0.5, seconds=40.0),
    ]
    heads = [
        "| method | runs | AUPRC | AUROC | average precision | seconds |",
        "|---|---|---|---|---|---|",
    ]
    assert anomaly.costs(others + detector).splitlines() == [
        *heads,
        "| PCA | 1 of 2 | 0.700 | 0.800 |  |  |",
        "| **the detector** | 2 | 0.800 | 0.700 | 0.600 | 50.0 |",
        "| pyod.ALAD | 2 | 0.200 | 0.400 | 0.400 | 1.5 |",
    ]
    # Without a detector, all runs count.
    assert anomaly.costs(others).splitlines() == [
        *heads,
        "| PCA | 1 | 0.700 | 0.800 |  |  |",
        "| isolation forest | 1 | 0.900 | 0.900 | 0.900 | 9.0 |",
        "| pyod.ALAD | 4 | 0.525 | 0.600 | 0.600 | 5.2 |",
    ]


@pytest.fixture
def modules(monkeypatch):
    """Sets {name: module}, or None for a missing one, for a new import of the peers."""

    def use(found):
        for name, module in found.items():
            monkeypatch.setitem(sys.modules, name, module)

    use({"benchmarks.peers.pyod": None})
    del sys.modules["benchmarks.peers.pyod"]  # After the test, the first import is back.
    return use


def test_peers_without_their_package(modules, capsys):
    modules({"pyod": None, "torch": SimpleNamespace()})  # The true torch takes seconds.
    assert anomaly.installed(["pyod.ALAD", "pca", "pyod.AnoGAN", "alad"]) == ["pca", "alad"]
    line = capsys.readouterr().err
    assert line.startswith("pyod") and "is not installed" in line and '".[peers]"' in line
    assert anomaly.installed(["pca", "alad"]) == ["pca", "alad"]
    assert capsys.readouterr().err == ""


def test_what_a_peer_is_given(modules):
    """Flat rows, at most 5,000 for AnoGAN, and the seed wherever PyOD takes one from."""

    class Detector:
        def __init__(self, *arguments, **settings):
            self.given = arguments, settings

        def fit(self, rows):
            made.append((*self.given, rows, np.random.random()))
            return self

        def decision_function(self, rows):
            return rows.sum(axis=1)

    made, seeds = [], []
    modules(
        {
            "torch": SimpleNamespace(manual_seed=seeds.append),
            "pyod": SimpleNamespace(),
            "pyod.models": SimpleNamespace(),
            "pyod.models.alad": SimpleNamespace(ALAD=Detector),
            "pyod.models.anogan": SimpleNamespace(AnoGAN=Detector),
            "pyod.models.auto_encoder": SimpleNamespace(AutoEncoder=Detector),
            "pyod.models.deep_svdd": SimpleNamespace(DeepSVDD=Detector),
        }
    )
    train = np.arange(6000.0 * 4).reshape(6000, 2, 2, 1)
    part = anomaly.Split(train, train[:3], np.array([False, True, True]))
    before = np.random.get_state()
    for name in anomaly.PEERS:
        found = anomaly.method(name)(part, 5, anomaly.settings_of(name, "digits", 3))
        assert found["score"].tolist() == [6.0, 22.0, 38.0]
    np.random.seed(5)
    draw = np.random.random()
    np.random.set_state(before)
    assert seeds == [5] * 4 and [drawn for *_, drawn in made] == [draw] * 4
    assert [given[:2] for given in made] == [
        ((), {"random_state": 5, "verbose": 0}),
        ((4,), {"random_state": 5, "verbose": 0}),
        ((), {"preprocessing": True}),
        ((), {"preprocessing": True}),
    ]
    assert [rows.shape for _, _, rows, _ in made] == [(n, 4) for n in (6000, 6000, 5000, 6000)]


def test_elpv_without_uncertain_cells(tmp_path):
    from PIL import Image

    (tmp_path / "images").mkdir()
    for i, shade in enumerate((0, 100, 255)):
        Image.new("L", (6, 6), shade).save(tmp_path / "images" / f"{i}.png")
    lines = ["images/0.png  0.0  mono", "images/1.png 0.3333333333 poly", "images/2.png 1.0 poly"]
    (tmp_path / "labels.csv").write_text("\n".join(lines))
    images, defective = pictures.elpv(str(tmp_path), side=3)
    assert images.shape == (2, 3, 3, 1) and images.dtype == np.float32
    assert images.mean((1, 2, 3)).tolist() == defective.tolist() == [0, 1]


def paper_record(epoch, seed, value, split="validation", **others):
    metrics = dict.fromkeys(paper_table.COLUMNS, value)
    record = {"epoch": epoch, "seed": seed, "split": split, "precision": "auto"}
    return record | {"metrics": metrics, "train_seconds": 60.0 * epoch} | others


def test_paper_table():
    records = [
        paper_record(0, 42, 9.0),
        paper_record(1, 42, 1.0, loss_D=0.4),
        paper_record(1, 1, 3.0, loss_D=0.6),
        paper_record(1, 42, 5.0, split="test"),
    ]
    head, line, *rows = paper_table.markdown(records).splitlines()
    assert head.count("|") == line.count("|") == 16
    assert {row.count("|") for row in rows} == {16}
    official, untrained, one, validation, test = rows[:5]
    assert official.startswith("| 0 | official | validation | 1 | 13.54 | 13.44 | 91.50 |")
    # Untrained, the logit is 0: D's loss is ln 2.
    assert untrained.startswith("| 0 | tf_bigan, auto | validation | 42 | 9.00 | 9.00 |")
    assert untrained.endswith("| 0.693 | 0.0 min |")
    assert one.startswith("| 1 | official |")
    # The standard deviation of 1 and 3, and of 0.4 and 0.6, over n - 1.
    assert validation.startswith("| 1 | tf_bigan, auto | validation | 42, 1 | 2.00 ± 1.41 |")
    assert validation.endswith("| 0.500 ± 0.141 | 1.0 min |")
    assert test.startswith("| 1 | tf_bigan, auto | test | 42 | 5.00 |") and test.endswith(
        "|  | 1.0 min |"
    )
    assert [row.split(" | ")[0] for row in rows[5:]] == ["| 25", "| 200", "| 400"]


def test_zoo():
    records = [
        {"system": "gan", "NND/10": 6.0, "epochs": 4, "seconds": 30.4},
        {"system": "gan", "NND/10": 8.0, "epochs": 4, "seconds": 31.4},
        {"system": "wgan_gp", "seconds": 1087.2},
        {
            "system": "bigan",
            "NND/10": 5.0,
            "class_agreement": 87.56,
            "NNC_e-": 91.84,
            "untrained NNC_e-": 96.2,
        },
        {"system": "ali", "failed": "loss_D became nan"},
    ]
    assert zoo.table(records).splitlines() == [
        "| system | seeds | NND/10 | FD | classes | EGr | EGr_b | keeps class, % | NNC_e- | CLS_e- "
        "| accuracy | codes | passes | seconds |",
        "|---|---|---|---|---|---|---|---|---|---|---|---|---|---|",
        "| *an untrained encoder* | |  |  |  |  |  |  | 96.2 |  |  |  |  |  |",
        "| `ali` (loss_D became nan) | 1 |  |  |  |  |  |  |  |  |  |  |  |  |",
        "| `bigan` | 1 | 5.00 |  |  |  |  | 87.6 | 91.8 |  |  |  |  |  |",
        "| `gan` | 2 | 7.00 ± 1.41 |  |  |  |  |  |  |  |  |  | 4 | 30 |",
        "| `wgan_gp` | 1 |  |  |  |  |  |  |  |  |  |  |  | 1087 |",
    ]


def test_slow_systems_make_more_passes_in_the_zoo():
    assert zoo.config_of("gan", 4, 0, None).epochs == 4
    assert zoo.config_of("wgan_gp", 4, 0, None).epochs == 10
    assert zoo.config_of("vae_gan", 4, 0, None).epochs == 14
