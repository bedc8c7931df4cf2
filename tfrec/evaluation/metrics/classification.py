"""Accuracy, precision, recall, F1, top-5, confusion; scikit-learn and SciPy count."""

import numpy as np
from scipy import special, stats
from sklearn import metrics

BOOTSTRAP_SAMPLES = 1000


def score(logits, labels, class_names):
    """Logits (examples, classes) and class indices (examples,) -> a dict of plain numbers and lists.

    Precision, recall and F1 of a class without predictions or examples are 0. "accuracy_interval" is Wilson's 95 %
    interval (Wilson 1927), "macro_f1_interval" a percentile bootstrap over the examples.
    """
    logits, labels = np.asarray(logits, dtype="float64"), np.asarray(labels)
    classes = np.arange(len(class_names))
    answers = logits.argmax(axis=-1)
    correct = int((answers == labels).sum())
    confusion = metrics.confusion_matrix(labels, answers, labels=classes)
    precision, recall, f1 = rates(confusion)
    result = {
        "accuracy": correct / len(labels),
        "accuracy_interval": wilson(correct, len(labels)),
        "macro_precision": float(precision.mean()),
        "macro_recall": float(recall.mean()),
        "macro_f1": float(f1.mean()),
        "macro_f1_interval": _macro_f1_interval(labels, answers, len(classes)),
        "loss": float(losses(logits, labels).mean()),
        "examples": len(labels),
        "classes": [
            {
                "label": name,
                "precision": float(precision[i]),
                "recall": float(recall[i]),
                "f1": float(f1[i]),
                "examples": int(confusion[i].sum()),
            }
            for i, name in enumerate(class_names)
        ],
        "confusion": confusion.tolist(),  # rows are the truth, columns the answers
    }
    if len(classes) > 5:
        result["top5_accuracy"] = float(metrics.top_k_accuracy_score(labels, logits, k=5, labels=classes))
    return result


def losses(logits, labels):
    """Cross-entropy of each example in nats, without smoothing and weights."""
    logits = np.asarray(logits, dtype="float64")
    return -special.log_softmax(logits, axis=-1)[np.arange(len(labels)), labels]


def wilson(correct, examples):
    """95 % interval of a proportion, [low, high] (Wilson 1927).

    >>> [round(bound, 4) for bound in wilson(98, 100)]
    [0.93, 0.9945]
    """
    interval = stats.binomtest(correct, examples).proportion_ci(0.95, method="wilson")
    return [float(interval.low), float(interval.high)]


def rates(confusion):
    """Precision, recall and F1 of each class from confusions (truth, answer); 0 where nothing was counted."""
    hits, answered, true = np.diagonal(confusion), confusion.sum(axis=0), confusion.sum(axis=1)
    return hits / np.maximum(answered, 1), hits / np.maximum(true, 1), _f1(hits, answered, true)


def _macro_f1_interval(labels, answers, classes):
    # Resampling examples is drawing from the filled cells of the confusion matrix, whose number stays small.
    cells, filled = np.unique(labels * classes + answers, return_counts=True)
    truth, answer = np.divmod(cells, classes)
    random = np.random.default_rng(0)
    f1 = []
    for counts in random.multinomial(len(labels), filled / len(labels), size=BOOTSTRAP_SAMPLES):
        hits = np.bincount(truth, counts * (truth == answer), classes)
        f1.append(_f1(hits, np.bincount(answer, counts, classes), np.bincount(truth, counts, classes)).mean())
    return [float(bound) for bound in np.quantile(f1, [0.025, 0.975])]


def _f1(hits, answered, true):
    return 2 * hits / np.maximum(answered + true, 1)
