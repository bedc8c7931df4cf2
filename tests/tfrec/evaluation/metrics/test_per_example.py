"""Accuracies and error rates of conditions, by hand and against plain resampling."""

import numpy as np
import pytest

from tfrec.evaluation.metrics import classification, per_example


def test_cells():
    hits = np.array([[1, 0, 1, 1], [1, 0, 0, 1]], bool)
    assert per_example.cell("accuracy", hits, np.ones(4, int)) == {
        "accuracy": 0.625,
        "interval": classification.wilson(2, 4),  # of four examples, however often repeated
        "correct": 5,
        "examples": 8,
    }
    found = per_example.cell("wer", np.array([[1, 0, 3]]), np.array([2, 5, 0]))
    low, high = found.pop("interval")
    assert found == {"wer": 4 / 7, "edits": 4, "words": 7}
    assert low < 4 / 7 < high


def test_averages_weigh_conditions_alike():
    counts, sizes = np.array([[2, 0]]), np.array([2, 8])
    others, other_sizes = np.array([[1, 1, 0]]), np.array([1, 1, 1])
    found = per_example.average("wer", [([counts, counts], sizes), ([others], other_sizes)])
    assert found["wer"] == pytest.approx((0.2 + 0.2 + 2 / 3) / 3)


def test_intervals_of_averages():
    """As drawing whole examples, with what all conditions made of them."""
    random = np.random.default_rng(0)
    sizes = random.integers(1, 10, size=80)
    conditions = [random.binomial(sizes, rate)[None] for rate in (0.1, 0.3)]
    low, high = per_example.average("wer", [(conditions, sizes)])["interval"]
    drawn = random.integers(80, size=(4000, 80))
    rates = sum(counts[0][drawn].sum(axis=1) for counts in conditions) / 2 / sizes[drawn].sum(axis=1)
    np.testing.assert_allclose([low, high], np.quantile(rates, [0.025, 0.975]), atol=0.012)


NAMES = ("accuracy", "top5_accuracy", "loss", "macro_precision", "macro_recall", "macro_f1")


def classes(seed, examples=60):
    random = np.random.default_rng(seed)
    return random.normal(size=(examples, 7)), random.integers(7, size=examples)


@pytest.mark.parametrize("name", NAMES)
def test_scores_of_classes_can_be_repeated_on_any_examples(name):
    """As scoring the examples that were drawn, one by one."""
    logits, labels = classes(0)
    found = per_example.of_classes(name, logits, labels)
    names = [str(i) for i in range(7)]
    assert found.rate() == pytest.approx(classification.score(logits, labels, names)[name])
    drawn = np.random.default_rng(1).integers(60, size=60)
    expected = classification.score(logits[drawn], labels[drawn], names)[name]
    assert found.rate(np.bincount(drawn, minlength=60)) == pytest.approx(expected)


@pytest.mark.parametrize("name", NAMES)
def test_margins_are_those_of_plain_resampling(name):
    (ours, labels), (theirs, _) = classes(0), classes(2)
    ours[np.arange(60), labels] += 2
    theirs[np.arange(60), labels] += 1
    qualities = [per_example.of_classes(name, logits, labels) for logits in (ours, theirs)]
    apart, interval = per_example.margin(*qualities)
    names, random = [str(i) for i in range(7)], np.random.default_rng(5)
    scores = [classification.score(logits, labels, names)[name] for logits in (ours, theirs)]
    assert apart == pytest.approx(scores[0] - scores[1])
    drawn = random.integers(60, size=(1000, 60))
    plain = [qualities[0].rate(t) - qualities[1].rate(t) for t in (np.bincount(row, minlength=60) for row in drawn)]
    np.testing.assert_allclose(interval, np.quantile(plain, [0.025, 0.975]), atol=0.15 * (interval[1] - interval[0]))
    assert interval[0] < apart < interval[1]


def test_the_same_twice_is_not_apart():
    found = per_example.of_classes("macro_f1", *classes(0))
    assert per_example.margin(found, found) == (0, [0, 0])
