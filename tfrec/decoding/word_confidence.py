"""The probability that a word is right, from the mean log-probability of its symbols."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
import tensorflow as tf
from scipy import optimize, special

MAX_SLOPE = 50.0  # a steeper one would magnify differences between runtimes


class WordConfidence(NamedTuple):
    """Platt scaling of a word's mean log-probability l: the logistic function of `slope * l + offset`.

    Without a slope the confidence is exp(l), the geometric mean of the probabilities, which is not calibrated.
    """

    slope: float | None = None
    offset: float = 0.0

    def of(self, log_probability: float) -> float:
        """The confidence of a word."""
        if self.slope is None:
            return float(np.exp(log_probability))
        return float(special.expit(self.slope * log_probability + self.offset))

    def in_graph(self, log_probabilities: Any) -> Any:
        """The confidences of words, a tensor of any shape."""
        if self.slope is None:
            return tf.exp(log_probabilities)
        return tf.sigmoid(self.slope * log_probabilities + self.offset)

    @classmethod
    def from_dict(cls, values: Mapping[str, Any] | None) -> WordConfidence:
        """That of `to_dict`; None is without a slope."""
        return cls() if values is None else cls(float(values["slope"]), float(values["offset"]))

    def to_dict(self) -> dict[str, Any] | None:
        """Slope and offset, None without."""
        return None if self.slope is None else {"slope": self.slope, "offset": self.offset}


def fit(log_probabilities: np.ndarray, correct: np.ndarray) -> WordConfidence:
    """Fits the scaling to words of which is known whether they are right (Platt 1999, with his smoothed targets).

    Args:
        log_probabilities: mean log-probability of each word, (words,).
        correct: bool (words,).

    Returns:
        The scaling, with a slope of at least 0, so that the order of the words stays; one without a slope where
        there are no words.
    """
    right, wrong = int(correct.sum()), int((~correct).sum())
    if not len(correct):
        return WordConfidence()
    targets = np.where(correct, (right + 1) / (right + 2), 1 / (wrong + 2))

    def loss(parameters: np.ndarray) -> float:
        scores = parameters[0] * log_probabilities + parameters[1]
        return float((np.logaddexp(0, scores) - targets * scores).sum())

    start = np.array([1.0, special.logit((right + 1) / (len(correct) + 2))])
    found = optimize.minimize(loss, start, method="L-BFGS-B", bounds=[(0.0, MAX_SLOPE), (-20.0, 20.0)])
    return WordConfidence(float(found.x[0]), float(found.x[1]))
