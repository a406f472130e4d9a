"""The names of the metrics are those of the functions, and each is known for what it is."""

import pytest

from tf_bigan import evaluation
from tf_bigan.callbacks.best import Best
from tf_bigan.errors import UserError
from tf_bigan.evaluation import registry
from tf_bigan.run import build


def test_every_name_belongs_to_the_function_of_its_group():
    of_the_model = registry.in_groups(registry.METRICS, "official", "latent", "accuracy")
    assert of_the_model == build.MODEL_METRICS
    assert registry.in_groups(registry.METRICS, "official") == evaluation.OFFICIAL_METRICS
    assert registry.in_groups(registry.METRICS, "generation") == evaluation.GENERATION_METRICS
    assert registry.in_groups(registry.METRICS, "representation") == (
        evaluation.REPRESENTATION_METRICS
    )
    assert registry.METRICS.keys() >= registry.WITHOUT_SEED
    for name, metric in registry.METRICS.items():
        assert metric.better in ("lower", "higher", "") and metric.about, name


def test_choices():
    assert registry.choose("all", "metrics") == tuple(registry.METRICS)
    assert registry.choose("latent, EGr,latent_error", "metrics") == (
        *("latent_error", "latent_error_b"),
        "EGr",
    )
    assert registry.named("latent, EGr,all") == {"EGr"}
    for text, close in [("covarage", "coverage"), ("officail", "official"), ("", "choose one of")]:
        with pytest.raises(UserError, match=f"^--metrics: '{text}' is unknown; .*{close}"):
            registry.choose(text, "metrics")


@pytest.mark.parametrize(
    ("monitor", "mode"),
    [
        *(("NND", "min"), ("val_coverage", "max"), ("classes_covered", "max"), ("EGr_b", "min")),
        *(("fd_classifier", "min"), ("CLS_e-", "max"), ("val_loss_EG", "min"), ("auroc", "max")),
    ],
)
def test_the_best_checkpoint_has_the_better_value(tmp_path, monitor, mode):
    assert Best(tmp_path, monitor).mode == mode
