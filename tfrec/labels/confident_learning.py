"""Confident learning: which labels contradict a classifier that was not trained on them.

Northcutt et al. 2021, arXiv:1911.00068. A class has the mean probability of its own examples as its threshold, so that
a class of which the classifier is less sure asks for less.
"""

from typing import NamedTuple

import numpy as np

ROUNDING = 1e-6  # of a mean of equal probabilities


class Judgment(NamedTuple):
    """What probabilities say about labels, an entry for each example.

    Attributes:
        likely: Index of the most probable class other than the label.
        margin: Probability of the label minus that of `likely`, from -1 to 1; the lower, the more likely it is wrong.
        suspected: Whether the example belongs with confidence to another class than its label.
    """

    likely: np.ndarray
    margin: np.ndarray
    suspected: np.ndarray


def judge(probabilities: np.ndarray, labels: np.ndarray) -> Judgment:
    """Compares labels with probabilities.

    >>> probabilities = np.array([[0.9, 0.1], [0.8, 0.2], [0.95, 0.05], [0.3, 0.7]])
    >>> judge(probabilities, np.array([0, 0, 1, 1])).suspected
    array([False, False,  True, False])

    Args:
        probabilities: (examples, classes), by a classifier that was trained on other examples.
        labels: Indices of classes, (examples,).

    Returns:
        The Judgment.
    """
    numbers, classes = np.arange(len(labels)), probabilities.shape[1]
    of_label = probabilities[numbers, labels]
    counts = np.bincount(labels, minlength=classes)
    thresholds = np.bincount(labels, of_label, classes) / np.maximum(counts, 1)
    thresholds[counts == 0] = np.inf
    # The class of the confident joint (equation 1): the most probable one of those that reach their thresholds.
    confident = np.where(probabilities >= thresholds - ROUNDING, probabilities, -1.0)
    counted = confident.max(axis=1) >= 0
    others = np.where(np.eye(classes, dtype=bool)[labels], -1.0, probabilities)
    likely = others.argmax(axis=1)
    margin = of_label - probabilities[numbers, likely]
    return Judgment(likely, margin, counted & (confident.argmax(axis=1) != labels) & (margin < 0))
