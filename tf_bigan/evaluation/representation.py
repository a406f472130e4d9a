"""What features are worth to whoever has labels, few labels, or none."""

from collections.abc import Callable, Sequence
from functools import partial

from tf_bigan.evaluation.checks import as_class_labels, as_features, as_labels, as_rows
from tf_bigan.evaluation.clustering import clustering_accuracy
from tf_bigan.evaluation.few_labels import balanced_rows
from tf_bigan.evaluation.knn import knn_accuracy
from tf_bigan.evaluation.logistic_probe import logistic_probe_accuracy
from tf_bigan.evaluation.one_nn import one_nn_accuracy

_LABELS = {"probe_100": 100, "probe_1000": 1000, "probe_all": None}
_CLASSIFIERS = {"one_nn": one_nn_accuracy, "knn": knn_accuracy}

REPRESENTATION_METRICS = (*_CLASSIFIERS, *_LABELS, "clustering")

Progress = Callable[[str, int, int], None]


def representation_metrics(
    train_features,
    train_labels,
    test_features,
    test_labels,
    *,
    metrics: Sequence[str] = REPRESENTATION_METRICS,
    seed: int = 0,
    progress: Progress | None = None,
) -> dict[str, float]:
    """Accuracies, in percent, of fixed protocols on fixed features.

    - one_nn, knn: the label of the nearest, or of most of the five nearest training rows
    - probe_100, probe_1000, probe_all: a logistic regression on so many training rows, the classes
      equally frequent among them
    - clustering: k-means on the test rows, as many clusters as classes, matched with these

    Features say little by themselves: measure raw pixels, `pca_features` and an untrained encoder
    in the same way.

    Args:
        train_features: [N, ...] numbers, N >= 5, and as many rows as the probes ask for.
        train_labels: [N] integers, of at least two classes.
        test_features: [M, ...] numbers, of the same size a row.
        test_labels: [M] integers, of at least two classes for `clustering`.
        metrics: names out of `REPRESENTATION_METRICS`.
        seed: of the choice of labelled rows, and of k-means.
        progress: called as progress(name, done, total) after each metric.

    Raises:
        ValueError: for an unknown metric, empty, constant or non-finite features, too few rows,
            unequal widths, a wrong number of labels, or a single class.
    """
    for name in metrics:
        if name not in REPRESENTATION_METRICS:
            raise ValueError(
                f"metrics: unknown {name!r}, expected some of {', '.join(REPRESENTATION_METRICS)}"
            )
    train_features = as_features(train_features, "train_features")
    test_features = as_rows(test_features, "test_features")
    train_labels = as_class_labels(train_labels, "train_labels", len(train_features))
    test_labels = as_labels(test_labels, "test_labels", len(test_features))
    arrays = train_features, train_labels, test_features, test_labels

    def probe(count: int | None) -> float:
        rows = slice(None) if count is None else balanced_rows(train_labels, count, seed=seed)
        return logistic_probe_accuracy(train_features[rows], train_labels[rows], *arrays[2:])

    functions = {
        **{name: partial(accuracy, *arrays) for name, accuracy in _CLASSIFIERS.items()},
        **{name: partial(probe, count) for name, count in _LABELS.items()},
        "clustering": partial(clustering_accuracy, *arrays[2:], seed=seed),
    }
    values = {}
    for done, name in enumerate(metrics, start=1):
        values[name] = functions[name]()
        if progress is not None:
            progress(name, done, len(metrics))
    return values
