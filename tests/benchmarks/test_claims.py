"""The claims: targets, tables, and what they measure by themselves."""

import math
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

from benchmarks import results
from benchmarks.claims import __main__ as claims
from benchmarks.claims import ebgan, few_labels, infogan, infogan_mnist, modes, stable
from benchmarks.claims.claim import Check, Claim, Lab
from tests.closeness import assert_close
from tests.models.conftest import make_batch, make_system
from tf_bigan import priors
from tf_bigan.networks.normalization import discriminate


@pytest.mark.parametrize(
    "check, value, margin",
    [
        (Check("", "a", least=90.0), 92.5, 2.5),
        (Check("", "a", least=90.0), 88.0, -2.0),
        (Check("", "a", most=0.5), 0.2, 0.3),
        (Check("", "a", least=0.0, most=1.0), 0.9, 0.1),
        (Check("", "a", least=0.0, most=1.0), 1.5, -0.5),
        (Check("", "a", least=0.0), math.nan, -math.inf),
        (Check("", "a"), 3.0, None),
    ],
)
def test_margins(check, value, margin):
    assert check.margin(value) == (None if margin is None else pytest.approx(margin))


def test_a_row_shows_by_how_much_the_worst_seed_holds_or_misses():
    check = Check("code", "a", "95", least=90.0, digits=1)
    records = [{"numbers": {"a": value}} for value in (92.0, 96.0)]
    assert claims.row(check, records) == "| code | 95 | 94.0 (92.0 to 96.0) | ≥ 90 | held by 2.0 |"
    records.append({"numbers": {"a": 85.0}})
    assert claims.row(check, records).endswith("| **missed by 5.0** |")
    assert "not measured" in claims.row(check, [{"numbers": {}}])


def test_every_claim_checks_numbers_of_its_own_and_is_found():
    for name in claims.NAMES:
        claim = claims.find(name)
        numbers = [check.number for check in claim.checks]
        assert len(set(numbers)) == len(numbers) > 0, name
        assert claim.title and claim.settings, name


@pytest.mark.parametrize("name", ["sgan", "triple_gan"])
def test_claims_of_few_labels_are_of_the_papers_losses(monkeypatch, name):
    class Recording(Lab):
        def trained(self, seed, callbacks=(), **options):
            used.append(options)

    used = []
    monkeypatch.setattr(few_labels, "accuracy_of", lambda lab, model: 90.0)
    monkeypatch.setattr(few_labels, "alone", lambda *arguments, **options: 80.0)
    claim = claims.find(name)
    numbers, _ = claim.measure(Recording(Path()), 0)
    assert {check.number for check in claim.checks} <= numbers.keys()
    assert (used[0]["model"], used[0]["set"], used[0]["augmentation"]) == (name, None, None)
    assert used[0]["labels"] == 100


def test_a_claim_that_breaks_leaves_a_record(tmp_path, monkeypatch):
    def broken(lab, seed):
        raise ArithmeticError("loss_D became nan")

    claim = Claim("Title", "settings", (Check("a", "a", least=1.0),), broken)
    monkeypatch.setattr(claims, "find", lambda name: claim)
    record = claims.run("gan", 3, Lab(tmp_path))
    text = claims.section(claim, [record])
    assert "**Seed 3 failed:** loss_D became nan" in text and "not measured" in text


def test_the_points_are_those_of_the_mixture_and_find_their_way_back():
    for kind, count in (("ring", 8), ("grid", 25)):
        middles = modes.centres(kind)
        assert len(np.unique(middles.round(6), axis=0)) == count
        plane = modes.points(kind, 20_000)
        images = modes.to_images(plane, kind)
        assert images.shape == (20_000, 1, 1, 2) and images.min() > 0 and images.max() < 1
        units = modes.to_units(images)
        assert_close(modes.UNITS[kind] * units, plane)
        assert np.abs(middles / modes.UNITS[kind]).max() == 1
        distances = np.linalg.norm(plane[:, None] - middles, axis=-1)
        owners = distances.argmin(-1)
        assert np.bincount(owners, minlength=count).min() > 0.8 * 20_000 / count
        offsets = plane - middles[owners]
        assert offsets.std() == pytest.approx(modes.SIGMAS[kind], rel=0.03)


@pytest.mark.parametrize("name", modes.SYSTEMS)
def test_the_systems_take_the_point_networks(name):
    model = modes.make_system(name)
    model.compile(jit_compile=False, **modes.game(name))
    batch = {"image": tf.constant(modes.to_images(modes.points("ring", 8), "ring"))}
    z, key = model._draw(batch, 0)
    model._begin(batch, key)
    losses, _ = model.player_losses(batch, z, training=True)
    assert all(np.isfinite(loss) for loss in losses.values())
    assert model.sample(3).shape == (3, 1, 1, 2)


def test_a_sweep_changes_one_code_along_a_row():
    prior = priors.from_text("normal62+categorical10+uniform2", 74)
    categorical, first, second = infogan.sweeps(prior)
    for z in (categorical, first, second):
        rows = z.reshape(infogan.ROWS, infogan.STEPS, 74)
        assert np.ptp(rows[:, :, :62], axis=1).max() == 0  # the noise stays along a row
        np.testing.assert_array_equal(rows[:, :, 62:72].sum(-1), 1)
    rows = categorical.reshape(infogan.ROWS, infogan.STEPS, 74)
    np.testing.assert_array_equal(rows[0, :, 62:72], np.eye(10))
    assert np.ptp(first[:, 72]) == 4 and np.ptp(first[:, 73]) == 0
    assert np.ptp(second[:, 73]) == 4 and np.ptp(second[:, 72]) == 0


def test_mean_pairwise_distance_against_a_loop():
    images = np.random.default_rng(0).random((7, 2, 2, 1))
    rows = images.reshape(7, -1)
    pairs = [np.linalg.norm(a - b) for i, a in enumerate(rows) for b in rows[:i]]
    assert ebgan.mean_pairwise_distance(images) == pytest.approx(np.mean(pairs), rel=1e-9)
    assert ebgan.mean_pairwise_distance(np.ones((3, 2, 2, 1))) == 0


def test_what_is_said_of_a_margin():
    falling = stable.margins([0, 0, 5.5, 9, 9, 8, 8, 7])  # 5.5: set within that call
    assert falling == {"margin_rise": 0.0, "margin_fall": 2.0}
    assert stable.margins([0, 5.5, 9, 8, 8.5])["margin_rise"] == 0.5


def test_the_first_and_last_tenth():
    trace = list(range(100))
    assert stable.earlier(trace) == 4.5 and stable.later(trace) == 94.5
    assert stable.earlier([3.0]) == stable.later([3.0]) == 3.0


def test_the_vae_against_numpy(monkeypatch):
    model, batch = make_system("benchmarks.claims.vae", options={"set": "sigma=0.5"}), make_batch()
    monkeypatch.setattr(model.random, "normal", lambda shape: tf.zeros((8, *shape)))
    x = batch["image"].numpy()
    mean, log_sigma = (part.numpy() for part in model.encoder.distribution(x))
    kl = 0.5 * (mean**2 + np.exp(2 * log_sigma) - 1 - 2 * log_sigma).sum(-1).mean()
    squares = ((x - model.generator(mean).numpy()) ** 2).sum((1, 2, 3)).mean()
    losses, _ = model.player_losses(batch, None, training=False)
    np.testing.assert_allclose(losses["E"], kl + 0.5 * squares / 0.25, rtol=1e-5)
    assert losses["G"] is losses["E"] and float(losses["D"]) == 0
    assert model.moves == (("E", "G"),)


def test_infogans_own_networks():
    """Their sizes, and that generated rows leave the statistics of real ones alone."""
    generator = infogan_mnist.InfoGANGenerator(74, width=2)
    discriminator = infogan_mnist.InfoGANDiscriminator(width=2)
    x = generator(tf.random.stateless_normal((4, 74), (1, 2)), training=True)
    assert x.shape == (4, 28, 28, 1) and x.dtype == tf.float32
    assert 0 < tf.reduce_min(x) < 0.5 < tf.reduce_max(x) < 1
    features = discriminator.features(x, training=True)
    assert features.shape == (4, 1024)
    np.testing.assert_array_equal(discriminator.head(features).shape, (4, 1))
    joined, _ = discriminate(discriminator.features, x, 1 - x, training=True)
    assert_close(joined, features)


def test_a_claim_of_other_settings_is_not_read(tmp_path):
    settings = claims.find("ebgan").settings
    records = [{"claim": "ebgan", "seed": i, "settings": s} for i, s in enumerate((settings, "x"))]
    for record in records:
        results.append(tmp_path / "results.jsonl", record)
    assert claims.read(tmp_path / "results.jsonl") == records[:1]
    assert claims.read(tmp_path / "none.jsonl") == []
