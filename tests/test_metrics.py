"""The names of the metrics are those of the functions, and each is known for what it is."""

import pytest

from tf_bigan import evaluation, experiment, metrics
from tf_bigan.callbacks.best import Best
from tf_bigan.errors import UserError


def test_every_name_belongs_to_the_function_of_its_group():
    of_the_model = metrics.in_groups(metrics.METRICS, "official", "latent", "accuracy")
    assert of_the_model == experiment.MODEL_METRICS
    assert metrics.in_groups(metrics.METRICS, "official") == evaluation.OFFICIAL_METRICS
    assert metrics.in_groups(metrics.METRICS, "generation") == evaluation.GENERATION_METRICS
    assert metrics.in_groups(metrics.METRICS, "representation") == evaluation.REPRESENTATION_METRICS
    assert metrics.METRICS.keys() >= metrics.WITHOUT_SEED
    for name, metric in metrics.METRICS.items():
        assert metric.better in ("lower", "higher", "") and metric.about, name


def test_choices():
    assert metrics.choose("all", "metrics") == tuple(metrics.METRICS)
    assert metrics.choose("latent, EGr,latent_error", "metrics") == (
        *("latent_error", "latent_error_b"),
        "EGr",
    )
    assert metrics.named("latent, EGr,all") == {"EGr"}
    for text, close in [("covarage", "coverage"), ("officail", "official"), ("", "choose one of")]:
        with pytest.raises(UserError, match=f"^--metrics: '{text}' is unknown; .*{close}"):
            metrics.choose(text, "metrics")


@pytest.mark.parametrize(
    ("monitor", "mode"),
    [
        *(("NND", "min"), ("val_coverage", "max"), ("classes_covered", "max"), ("EGr_b", "min")),
        *(("fd_classifier", "min"), ("CLS_e-", "max"), ("val_loss_EG", "min"), ("auroc", "max")),
    ],
)
def test_the_best_checkpoint_has_the_better_value(tmp_path, monitor, mode):
    assert Best(tmp_path, monitor).mode == mode
