"""Scores of conditions and paired differences, computed by hand and against plain resampling."""

import numpy as np
import pytest

from tfrec.evaluation.metrics import classification, per_example


def test_scores_of_conditions():
    hits = np.array([[1, 0, 1, 1], [1, 0, 0, 1]], bool)
    assert per_example.score_condition("accuracy", hits, np.ones(4, int)) == {
        "accuracy": 0.625,
        "interval": classification.wilson_interval(2, 4),  # of four examples, however often each is repeated
        "correct": 5,
        "examples": 8,
    }
    found = per_example.score_condition("wer", np.array([[1, 0, 3]]), np.array([2, 5, 0]))
    low, high = found.pop("interval")
    assert found == {"wer": 4 / 7, "edits": 4, "words": 7}
    assert low < 4 / 7 < high


def test_conditions_have_the_same_weight_in_an_average():
    counts, sizes = np.array([[2, 0]]), np.array([2, 8])
    others, other_sizes = np.array([[1, 1, 0]]), np.array([1, 1, 1])
    found = per_example.average_conditions("wer", [([counts, counts], sizes), ([others], other_sizes)])
    assert found["wer"] == pytest.approx((0.2 + 0.2 + 2 / 3) / 3)


def test_intervals_of_averages():
    """The same as drawing whole examples with their counts in all conditions."""
    random = np.random.default_rng(0)
    sizes = random.integers(1, 10, size=80)
    conditions = [random.binomial(sizes, rate)[None] for rate in (0.1, 0.3)]
    low, high = per_example.average_conditions("wer", [(conditions, sizes)])["interval"]
    drawn = random.integers(80, size=(4000, 80))
    rates = sum(counts[0][drawn].sum(axis=1) for counts in conditions) / 2 / sizes[drawn].sum(axis=1)
    np.testing.assert_allclose([low, high], np.quantile(rates, [0.025, 0.975]), atol=0.012)


NAMES = ("accuracy", "top5_accuracy", "loss", "macro_precision", "macro_recall", "macro_f1")


def classes(seed, examples=60):
    random = np.random.default_rng(seed)
    return random.normal(size=(examples, 7)), random.integers(7, size=examples)


@pytest.mark.parametrize("name", NAMES)
def test_scores_of_resampled_examples(name):
    """The same as computing the score of the drawn examples."""
    logits, labels = classes(0)
    found = per_example.from_logits(name, logits, labels)
    names = [str(i) for i in range(7)]
    assert found.rate() == pytest.approx(classification.score(logits, labels, names)[name])
    drawn = np.random.default_rng(1).integers(60, size=60)
    expected = classification.score(logits[drawn], labels[drawn], names)[name]
    assert found.rate(np.bincount(drawn, minlength=60)) == pytest.approx(expected)


@pytest.mark.parametrize("name", NAMES)
def test_paired_difference_equals_plain_resampling(name):
    (logits, labels), (others, _) = classes(0), classes(2)
    logits[np.arange(60), labels] += 2
    others[np.arange(60), labels] += 1
    both = [per_example.from_logits(name, each, labels) for each in (logits, others)]
    difference, interval = per_example.paired_difference(*both)
    names, random = [str(i) for i in range(7)], np.random.default_rng(5)
    scores = [classification.score(each, labels, names)[name] for each in (logits, others)]
    assert difference == pytest.approx(scores[0] - scores[1])
    drawn = random.integers(60, size=(1000, 60))
    plain = [both[0].rate(t) - both[1].rate(t) for t in (np.bincount(row, minlength=60) for row in drawn)]
    np.testing.assert_allclose(interval, np.quantile(plain, [0.025, 0.975]), atol=0.15 * (interval[1] - interval[0]))
    assert interval[0] < difference < interval[1]


def test_paired_difference_of_equal_scores_is_zero():
    found = per_example.from_logits("macro_f1", *classes(0))
    assert per_example.paired_difference(found, found) == (0, [0, 0])
