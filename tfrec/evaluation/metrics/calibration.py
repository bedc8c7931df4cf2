"""Calibration: whether answers with a probability of 90 % are right in 90 % of the cases.

The expected calibration error (ECE) is the mean distance between probability and accuracy over `BINS` bins of equally
many answers, ordered by their probability (Nguyen & O'Connor 2015, arXiv:1508.05154). It is never 0 by chance, the less
so the fewer answers there are; "ece_debiased" is the root of the mean squared distance without that part (Kumar et al.
2019, arXiv:1909.10155), which can be 0.
"""

from typing import Any

import numpy as np
from scipy import optimize, special

BINS = 15
DRAWS = 200  # of the bootstrap
TEMPERATURES = (0.1, 10.0)  # lowest and highest


def score(probabilities: np.ndarray, labels: np.ndarray) -> dict[str, Any]:
    """Computes the errors of calibration of a split.

    Args:
        probabilities: (examples, classes).
        labels: class indices, (examples,).

    Returns:
        A dict of JSON values: "ece" with "ece_interval", a 95 % percentile bootstrap over the examples, "ece_debiased";
        "nll", the mean negative log-likelihood in nats; "brier", the mean squared distance to the label's vector
        (Brier 1950), from 0 to 2; "bins" with "probability", "accuracy" and "examples" of each.
    """
    confidence, correct = probabilities.max(axis=-1), probabilities.argmax(axis=-1) == labels
    chosen = np.take_along_axis(probabilities, labels[:, None], axis=-1)[:, 0]
    truth = np.eye(probabilities.shape[-1])[labels]
    return {
        **score_confidences(confidence, correct),
        "nll": float(-np.log(np.maximum(chosen, np.finfo("float64").tiny)).mean()),
        "brier": float(((probabilities - truth) ** 2).sum(axis=-1).mean()),
    }


def score_confidences(confidence: np.ndarray, correct: np.ndarray) -> dict[str, Any]:
    """Computes the errors of calibration of answers of which only the own probability is known, such as words.

    Args:
        confidence: probability of each answer, (answers,).
        correct: whether it is right, bool (answers,).

    Returns:
        What `score` returns; "nll" and "brier" are those of being right or wrong, "brier" from 0 to 1.
    """
    random = np.random.default_rng(0)
    draws = [random.integers(0, len(correct), len(correct)) for _ in range(DRAWS)]
    errors = [_ece(_bins(confidence[draw], correct[draw])) for draw in draws]
    bins, chosen = _bins(confidence, correct), np.where(correct, confidence, 1 - confidence)
    return {
        "ece": _ece(bins),
        "ece_interval": np.quantile(errors, [0.025, 0.975]).tolist(),
        "ece_debiased": _debiased(bins),
        "nll": float(-np.log(np.maximum(chosen, np.finfo("float64").tiny)).mean()),
        "brier": float(((confidence - correct) ** 2).mean()),
        "bins": [{"probability": p, "accuracy": a, "examples": int(n)} for p, a, n in bins.tolist()],
    }


def fit_temperature(logits: np.ndarray, labels: np.ndarray) -> float:
    """Chooses the temperature by which logits are divided (Guo et al. 2017, arXiv:1706.04599).

    It minimizes the negative log-likelihood of the examples and of one more, typical of them, whose answer is wrong:
    without that, answers that are all right would be made as good as certain, however few they are.

    Args:
        logits: (examples, classes) of data that the network was not trained on.
        labels: class indices, (examples,).

    Returns:
        The temperature, within `TEMPERATURES`; 1 where there are no examples.
    """
    if not len(labels):
        return 1.0
    logits = np.asarray(logits, "float64")

    def loss(log_temperature: float) -> float:
        log_probabilities = special.log_softmax(logits / np.exp(log_temperature), axis=-1)
        right = np.take_along_axis(log_probabilities, labels[:, None], axis=-1)[:, 0]
        mistaken = 1 - np.exp(log_probabilities.max(axis=-1)).mean()
        return float(-right.sum() - np.log(max(mistaken, 1e-300)))

    found = optimize.minimize_scalar(loss, bounds=np.log(TEMPERATURES), method="bounded")
    return float(np.exp(found.x))


def _bins(confidence: np.ndarray, correct: np.ndarray) -> np.ndarray:
    """Mean probability, accuracy and size of each bin (bins, 3)."""
    order = np.argsort(confidence, kind="stable")
    parts = [part for part in np.array_split(order, BINS) if len(part)]
    return np.array([(confidence[part].mean(), correct[part].mean(), len(part)) for part in parts])


def _ece(bins: np.ndarray) -> float:
    probability, accuracy, size = bins.T
    return float((np.abs(probability - accuracy) * size).sum() / size.sum())


def _debiased(bins: np.ndarray) -> float:
    probability, accuracy, size = bins.T
    chance = accuracy * (1 - accuracy) / np.maximum(size - 1, 1)
    squared = (((probability - accuracy) ** 2 - chance) * size).sum() / size.sum()
    return float(np.sqrt(max(squared, 0.0)))
