"""Prediction sets of data whose probabilities are known."""

import numpy as np
import pytest
from scipy import special

from tests.tfrec.evaluation.metrics.test_calibration import drawn
from tfrec.evaluation.metrics import conformal


def fitted(level, count, seed, sharpness=2.0):
    logits, labels = drawn(count, seed=seed, sharpness=sharpness)
    return conformal.fit_threshold(special.softmax(logits, axis=-1), labels, level)


def test_by_hand():
    probabilities = np.array([[p, 1 - p] for p in (0.9, 0.8, 0.7, 0.6, 0.3, 0.2, 0.75, 0.95, 0.85)])
    labels = np.zeros(9, int)
    # The quantile is the 9th of 9 sorted nonconformities at 90 %, the 8th at 80 %; the 10th of 9 at 95 % is none.
    assert conformal.fit_threshold(probabilities, labels, 0.9) == pytest.approx(0.2)
    assert conformal.fit_threshold(probabilities, labels, 0.8) == pytest.approx(0.3)
    assert conformal.fit_threshold(probabilities, labels, 0.95) == 0
    sets = conformal.sets(np.array([[0.6, 0.3, 0.1], [0.4, 0.35, 0.25], [1.0, 0.0, 0.0]]), 0.5)
    assert sets.tolist() == [[True, False, False], [True, False, False], [True, False, False]]  # never empty
    assert conformal.sets(np.array([[0.6, 0.3, 0.1]]), 0.3).tolist() == [[True, True, False]]


@pytest.mark.parametrize("level", [0.8, 0.9, 0.95])
def test_coverage_holds_on_average_over_fits(level):
    logits, labels = drawn(4000, seed=1)
    probabilities = special.softmax(logits, axis=-1)
    coverages = [
        conformal.sets(probabilities, fitted(level, 100, seed))[np.arange(len(labels)), labels].mean()
        for seed in range(100, 300)
    ]
    low, high = level, level + 1 / 101  # the mean over fits is in between
    tolerance = 3 * np.std(coverages) / np.sqrt(len(coverages)) + 3 * np.sqrt(level * (1 - level) / len(labels))
    assert low - tolerance <= np.mean(coverages) <= high + tolerance


def test_the_expected_interval_is_that_of_99_of_100_fits():
    inside = 0
    for seed in range(400):
        logits, labels = drawn(300, seed=10_000 + seed)
        threshold = fitted(0.9, 200, seed)
        probabilities = special.softmax(logits, axis=-1)
        scores = conformal.score(probabilities, labels, "abcde", level=0.9, threshold=threshold, examples=200)
        low, high = scores["expected_interval"]
        inside += low <= scores["coverage"] <= high
    assert inside >= 390  # 396 expected, standard deviation 2
    assert conformal.expected_interval(0.99, 50, 10) == [1, 1]


def test_scores_by_class():
    probabilities = np.array([[0.9, 0.1], [0.6, 0.4], [0.2, 0.8], [0.9, 0.1]])
    scores = conformal.score(probabilities, np.array([0, 0, 1, 1]), "abc", level=0.5, threshold=0.4, examples=3)
    assert (scores["coverage"], scores["mean_size"], scores["sizes"]) == (0.75, 1.25, {"1": 3, "2": 1})
    assert [(row["label"], row["coverage"], row["mean_size"]) for row in scores["classes"]] == [
        ("a", 1.0, 1.5),
        ("b", 0.5, 1.0),
    ]
    low, high = scores["coverage_interval"]
    assert low < 0.25  # four examples say little
    assert high > 0.95
