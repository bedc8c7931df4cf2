"""Accepting and rejecting: the score of an answer, its threshold, and errors of detection.

Classes named in REJECTED stand for what is to be rejected, such as silence. The score of an answer is the probability
of the most probable of all other classes; an answer is accepted if its score reaches a threshold and no class of
REJECTED is more probable.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
from sklearn import metrics

from pipelines.datasets.base import SILENCE, UNKNOWN

REJECTED = (SILENCE, UNKNOWN, "_silence_", "_unknown_")  # the last two as Speech Commands has them
MAX_POINTS = 200  # of a curve


def rejected_classes(class_names: Sequence[str]) -> np.ndarray:
    """Finds the classes that stand for what is to be rejected.

    Args:
        class_names: name of each class.

    Returns:
        Booleans (classes,); all False where every class, or none, has such a name.
    """
    rejected = np.array([name in REJECTED for name in class_names])
    return rejected if not rejected.all() else np.zeros_like(rejected)


def scores(probabilities: np.ndarray, rejected: np.ndarray) -> np.ndarray:
    """Computes the scores of answers.

    Args:
        probabilities: (examples, classes).
        rejected: booleans (classes,).

    Returns:
        (examples,), from 0 to 1.
    """
    return np.where(rejected, 0.0, probabilities).max(axis=-1)


def accepted(probabilities: np.ndarray, rejected: np.ndarray, threshold: float) -> np.ndarray:
    """Decides which answers are accepted.

    Args:
        probabilities: (examples, classes).
        rejected: booleans (classes,).
        threshold: lowest score that is accepted.

    Returns:
        Booleans (examples,).
    """
    named = ~rejected[probabilities.argmax(axis=-1)]
    return named & (scores(probabilities, rejected) >= threshold)


def choose_threshold(
    probabilities: np.ndarray, labels: np.ndarray, rejected: np.ndarray, false_alarm_rate: float
) -> float:
    """Chooses the lowest threshold at which false alarms are rare.

    A false alarm is an accepted example of a class that is to be rejected; where there is no such class, an accepted
    answer that is wrong.

    Args:
        probabilities: (examples, classes).
        labels: class indices, (examples,).
        rejected: booleans (classes,).
        false_alarm_rate: largest fraction, of the examples to be rejected, or of all where there is no such class.

    Returns:
        The threshold, from 0 to 1; 0 where nothing has to be rejected.

    >>> probabilities = np.array([[0.9, 0.1], [0.6, 0.4], [0.3, 0.7]])
    >>> choose_threshold(probabilities, np.array([0, 1, 1]), np.array([False, True]), 0.0) > 0.6
    True
    """
    wrong = rejected[labels] if rejected.any() else probabilities.argmax(axis=-1) != labels
    of = int(rejected[labels].sum()) if rejected.any() else len(labels)
    candidates = np.sort(scores(probabilities, rejected)[wrong & accepted(probabilities, rejected, 0.0)])[::-1]
    allowed = int(false_alarm_rate * of)
    if len(candidates) <= allowed:
        return 0.0
    return float(min(1.0, np.nextafter(candidates[allowed], 2.0)))


def score(probabilities: np.ndarray, labels: np.ndarray, class_names: Sequence[str], threshold: float) -> Any:
    """Measures detection.

    Args:
        probabilities: (examples, classes).
        labels: class indices, (examples,).
        class_names: name of each class.
        threshold: lowest score that is accepted.

    Returns:
        None unless examples of both kinds exist. Otherwise a dict of JSON values: "threshold"; "miss_rate" and
        "false_alarm_rate" at it; "equal_error_rate", where both are the same at another threshold; "rejected_examples";
        and "curve", pairs of false-alarm rate and miss rate.
    """
    rejected = rejected_classes(class_names)
    words = ~rejected[labels]
    if words.all() or not words.any():
        return None
    given = accepted(probabilities, rejected, threshold)
    false_alarms, misses, _ = metrics.det_curve(words, scores(probabilities, rejected))
    crossing = int(np.argmin(np.abs(false_alarms - misses)))
    points = np.unique(np.linspace(0, len(misses) - 1, MAX_POINTS).round().astype(int))
    return {
        "threshold": threshold,
        "miss_rate": float(np.mean(~given[words])),
        "false_alarm_rate": float(np.mean(given[~words])),
        "equal_error_rate": float((false_alarms[crossing] + misses[crossing]) / 2),
        "rejected_examples": int(np.sum(~words)),
        "curve": [[float(false_alarms[i]), float(misses[i])] for i in points],
    }
