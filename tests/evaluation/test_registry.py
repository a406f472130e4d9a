"""What is known of the metrics, and how they are chosen."""

import re

import pytest

from tf_bigan.callbacks.best import Best
from tf_bigan.errors import UserError
from tf_bigan.evaluation import registry


def test_rows():
    for name, metric in registry.METRICS.items():
        assert metric.name == name and metric.about
        assert metric.better in ("lower", "higher", "") and set(metric.needs) <= set(registry.NEEDS)


@pytest.mark.parametrize(
    ("words", "name"),
    [
        *(("FID", "fd_classifier"), ("KID", "kernel_distance"), ("Inception", "classifier_score")),
        *(("FID", "fd_random"), ("no labels", "fd_random"), ("KID", "kernel_distance_random")),
        *(("NMI", "clustering_nmi"), ("ARI", "clustering_ari"), ("one split", "classifier_score")),
    ],
)
def test_a_search_for_the_usual_name_finds_the_metric(words, name):
    assert words in registry.METRICS[name].about


def test_choices():
    assert registry.choose("all") == tuple(registry.METRICS)
    assert registry.choose("latent, EGr,latent_error") == (
        *("latent_error", "latent_error_b"),
        "EGr",
    )
    assert registry.named("latent, EGr,all") == {"EGr"}
    for text, close in [("covarage", "coverage"), ("officail", "official"), ("", "choose one of")]:
        with pytest.raises(UserError, match=f"^m={text}: '{text}' is unknown; .*{close}"):
            registry.choose(text, "m")
    with pytest.raises(UserError, match="'FID' is unknown; what is like it is fd_classifier, or"):
        registry.choose("FID")
    for names in registry.LIKE.values():
        assert all(name in registry.METRICS for name in re.findall(r"[a-z]+_[a-z_]+", names))


def test_missing():
    metric = registry.METRICS["EGr"]
    assert metric.missing({"generator", "encoder"}) is None
    assert metric.missing({"generator"}) == "needs an encoder"
    assert metric.missing(()) == "needs a generator and an encoder"


@pytest.mark.parametrize(
    ("monitor", "mode"),
    [
        *(("NND", "min"), ("val_coverage", "max"), ("classes_covered", "max"), ("EGr_b", "min")),
        *(("fd_classifier", "min"), ("CLS_e-", "max"), ("val_loss_EG", "min"), ("auroc", "max")),
    ],
)
def test_the_best_checkpoint_has_the_better_value(tmp_path, monitor, mode):
    assert Best(tmp_path, monitor).mode == mode
