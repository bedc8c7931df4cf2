"""Accuracies and error rates of conditions, by hand and against plain resampling."""

import numpy as np
import pytest

from tfrec.metrics import classification, quality


def test_cells():
    hits = np.array([[1, 0, 1, 1], [1, 0, 0, 1]], bool)
    assert quality.cell("accuracy", hits, np.ones(4, int)) == {
        "accuracy": 0.625,
        "interval": classification.wilson(2, 4),  # of four examples, however often repeated
        "correct": 5,
        "examples": 8,
    }
    found = quality.cell("wer", np.array([[1, 0, 3]]), np.array([2, 5, 0]))
    low, high = found.pop("interval")
    assert found == {"wer": 4 / 7, "edits": 4, "words": 7}
    assert low < 4 / 7 < high


def test_averages_weigh_conditions_alike():
    counts, sizes = np.array([[2, 0]]), np.array([2, 8])
    others, other_sizes = np.array([[1, 1, 0]]), np.array([1, 1, 1])
    found = quality.average("wer", [([counts, counts], sizes), ([others], other_sizes)])
    assert found["wer"] == pytest.approx((0.2 + 0.2 + 2 / 3) / 3)


def test_intervals_of_averages():
    """As drawing whole examples, with what all conditions made of them."""
    random = np.random.default_rng(0)
    sizes = random.integers(1, 10, size=80)
    conditions = [random.binomial(sizes, rate)[None] for rate in (0.1, 0.3)]
    low, high = quality.average("wer", [(conditions, sizes)])["interval"]
    drawn = random.integers(80, size=(4000, 80))
    rates = sum(counts[0][drawn].sum(axis=1) for counts in conditions) / 2 / sizes[drawn].sum(axis=1)
    np.testing.assert_allclose([low, high], np.quantile(rates, [0.025, 0.975]), atol=0.012)
