"""Metrics of classification: accuracy, precision, recall, F1, top-5 accuracy, confusion; by scikit-learn and SciPy."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from scipy import special, stats
from sklearn import metrics

BOOTSTRAP_SAMPLES = 1000


def score(logits: np.ndarray, labels: np.ndarray, class_names: Sequence[str]) -> dict[str, Any]:
    """Computes all metrics of a split.

    Args:
        logits: (examples, classes).
        labels: class indices, (examples,).
        class_names: name of each class.

    Returns:
        A dict of JSON values. Precision, recall and F1 of a class without predictions or examples are 0; classes
        without examples are left out of the macro means.
        "accuracy_interval" is Wilson's 95 % interval (Wilson 1927), "macro_f1_interval" a 95 % percentile bootstrap
        over the examples; "loss" is in nats. Rows of "confusion" are the labels, columns the predictions.
        "top5_accuracy" exists where there are more than five classes.
    """
    logits, labels = np.asarray(logits, dtype="float64"), np.asarray(labels)
    classes = np.arange(len(class_names))
    predictions = logits.argmax(axis=-1)
    correct = int((predictions == labels).sum())
    confusion = metrics.confusion_matrix(labels, predictions, labels=classes)
    precision, recall, f1 = precision_recall_f1(confusion)
    result = {
        "accuracy": correct / len(labels),
        "accuracy_interval": wilson_interval(correct, len(labels)),
        "macro_precision": macro_mean(precision, confusion),
        "macro_recall": macro_mean(recall, confusion),
        "macro_f1": macro_mean(f1, confusion),
        "macro_f1_interval": _macro_f1_interval(labels, predictions, len(classes)),
        "loss": float(cross_entropies(logits, labels).mean()),
        "examples": len(labels),
        "classes": [
            {"label": name, "precision": float(p), "recall": float(r), "f1": float(f), "examples": int(row.sum())}
            for name, p, r, f, row in zip(class_names, precision, recall, f1, confusion, strict=True)
        ],
        "confusion": confusion.tolist(),
    }
    if len(classes) > 5:
        result["top5_accuracy"] = float(metrics.top_k_accuracy_score(labels, logits, k=5, labels=classes))
    return result


def cross_entropies(logits: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Computes the cross-entropy of each example in nats, without label smoothing and class weights.

    Args:
        logits: (examples, classes).
        labels: class indices, (examples,).

    Returns:
        float64 (examples,).
    """
    logits = np.asarray(logits, dtype="float64")
    return -special.log_softmax(logits, axis=-1)[np.arange(len(labels)), labels]


def wilson_interval(correct: int, examples: int, confidence: float = 0.95) -> list[float]:
    """Computes the confidence interval of a proportion (Wilson 1927).

    Args:
        correct: number of successes.
        examples: number of trials.
        confidence: of the interval, as a fraction.

    Returns:
        [low, high].

    >>> [round(bound, 4) for bound in wilson_interval(98, 100)]
    [0.93, 0.9945]
    """
    interval = stats.binomtest(correct, examples).proportion_ci(confidence, method="wilson")
    return [float(interval.low), float(interval.high)]


def precision_recall_f1(confusion: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Computes precision, recall and F1 of each class.

    Args:
        confusion: counts or weights (label, prediction).

    Returns:
        Three arrays (classes,); 0 where a class has no predictions or no examples.
    """
    hits, predicted, actual = np.diagonal(confusion), confusion.sum(axis=0), confusion.sum(axis=1)
    return hits / np.maximum(predicted, 1), hits / np.maximum(actual, 1), _f1(hits, predicted, actual)


def macro_mean(values: np.ndarray, confusion: np.ndarray) -> float:
    """Computes the mean over the classes that have examples.

    Args:
        values: one for each class, (classes,).
        confusion: counts or weights (label, prediction).

    Returns:
        The mean; 0 without examples.
    """
    present = confusion.sum(axis=1) > 0
    return float(values[present].mean()) if present.any() else 0.0


def _macro_f1_interval(labels: np.ndarray, predictions: np.ndarray, classes: int) -> list[float]:
    # Resampling examples is drawing from the filled cells of the confusion matrix, whose number stays small.
    cells, filled = np.unique(labels * classes + predictions, return_counts=True)
    label, prediction = np.divmod(cells, classes)
    random = np.random.default_rng(0)
    f1 = []
    for counts in random.multinomial(len(labels), filled / len(labels), size=BOOTSTRAP_SAMPLES):
        hits = np.bincount(label, counts * (label == prediction), classes)
        actual = np.bincount(label, counts, classes)
        # A class that a sample lacks has no F1.
        f1.append(_f1(hits, np.bincount(prediction, counts, classes), actual)[actual > 0].mean())
    return [float(bound) for bound in np.quantile(f1, [0.025, 0.975])]


def _f1(hits: np.ndarray, predicted: np.ndarray, actual: np.ndarray) -> np.ndarray:
    return 2 * hits / np.maximum(predicted + actual, 1)
