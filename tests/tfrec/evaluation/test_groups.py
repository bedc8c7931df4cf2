"""Scores by group: figures by hand, corrections, and examples that differ by chance alone."""

import builtins

import numpy as np
import pytest
from scipy import stats

from pipelines.errors import UserError
from tfrec.evaluation import groups
from tfrec.evaluation.metrics.classification import wilson_interval
from tfrec.evaluation.metrics.per_example import PerExampleScores


def answers(**right):
    """Scores and groups from {group: (right, examples)}."""
    counts = [i < good for good, size in right.values() for i in range(size)]
    values = [name for name, (_, size) in right.items() for _ in range(size)]
    return PerExampleScores("accuracy", np.array(counts), np.ones(len(counts), int)), values


def test_accuracy_by_hand():
    scores = groups.score(*answers(a=(45, 50), b=(20, 50), c=(90, 100)))
    assert scores["overall"] == 155 / 200
    assert [row["group"] for row in scores["groups"]] == ["b", "a", "c"]
    worst = scores["groups"][0]
    assert (worst["accuracy"], worst["examples"], worst["interval"]) == (0.4, 50, wilson_interval(20, 50))
    assert worst["difference"] == pytest.approx(0.4 - 135 / 150)
    assert worst["p"] == pytest.approx(stats.fisher_exact([[20, 30], [135, 15]]).pvalue)
    assert worst["p_holm"] == pytest.approx(3 * worst["p"])
    assert (scores["worst"], scores["gap"]) == ("b", pytest.approx(0.5))
    low, high = scores["gap_interval"]
    assert 0.3 < low < 0.5 < high < 0.7


def test_error_rates_are_worst_where_they_are_high():
    random = np.random.default_rng(0)
    sizes = random.integers(3, 10, 120)
    values = ["noisy" if i % 4 == 0 else "clean" for i in range(120)]
    counts = random.binomial(sizes, [0.4 if value == "noisy" else 0.1 for value in values])
    scores = groups.score(PerExampleScores("wer", counts, sizes), values)
    noisy = scores["groups"][0]
    assert (scores["worst"], scores["best"]) == ("noisy", "clean")
    chosen = np.array(values) == "noisy"
    assert noisy["wer"] == pytest.approx(counts[chosen].sum() / sizes[chosen].sum())
    assert noisy["interval"][0] < noisy["wer"] < noisy["interval"][1]
    assert noisy["p_holm"] < 0.01
    assert scores["groups"][1]["difference"] == pytest.approx(-noisy["difference"])


@pytest.mark.parametrize("name", ["accuracy", "wer"])
def test_equal_groups_rarely_seem_different(name):
    random, found = np.random.default_rng(1), 0
    for _ in range(20):
        counts = random.random(60) < 0.7
        of = PerExampleScores(name, counts, np.ones(60, int))
        rows = groups.score(of, random.permutation(list("abcdef") * 10).tolist())["groups"]
        found += any(row["p_holm"] < 0.05 for row in rows)
    assert found <= 4  # 1 of 20 expected; without the correction 5


def test_holm():
    assert groups.holm([0.01, 0.04, 0.03]) == pytest.approx([0.03, 0.06, 0.06])
    assert groups.holm([0.9, 0.8]) == [1, 1]


def test_groups_that_cannot_be_compared(monkeypatch):
    scores, values = answers(a=(1, 2), b=(1, 2))
    with pytest.raises(UserError, match=r"--groups accent: all examples have the value 'x'"):
        groups.score(scores, ["x"] * 4, "accent")
    many = PerExampleScores("accuracy", np.ones(300, bool), np.ones(300, int))
    with pytest.raises(UserError, match=r"300 different values are too many"):
        groups.score(many, list(map(str, range(300))))
    imported = builtins.__import__

    def missing(name, *rest):
        if name.startswith("fairlearn"):
            raise ImportError(name)
        return imported(name, *rest)

    monkeypatch.setattr(builtins, "__import__", missing)
    with pytest.raises(UserError, match=r"need fairlearn: pip install 'tfrec\[fairness\]'\.$"):
        groups.score(scores, values)
