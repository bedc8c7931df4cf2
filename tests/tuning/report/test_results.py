"""The best trials of a sweep, and its Pareto front."""

import math

import numpy as np
import pytest

from tuning.objectives import Objective
from tuning.report.results import Results, Trial


def results(scores, *objectives, statuses=None):
    trials = [
        Trial(str(i), (statuses or {}).get(i, "done"), scores=dict(zip(objectives, row, strict=True)))
        for i, row in enumerate(scores)
    ]
    return Results((), tuple(map(Objective, objectives)), (), tuple(trials))


def labels(trials):
    return [int(trial.label) for trial in trials]


@pytest.mark.parametrize(("name", "best"), [("accuracy", 2), ("loss", 1), ("parameters", 1), ("top5_accuracy", 2)])
def test_the_best_is_highest_or_lowest(name, best):
    assert results([[0.5], [0.2], [0.9], [0.4]], name).best.label == str(best)


@pytest.mark.parametrize("name", ["accuracy", "wer"])
def test_the_earliest_of_equals_is_the_best(name):
    assert results([[0.5], [0.5], [0.5]], name).best.label == "0"


def test_the_first_objective_decides_the_best_and_among_equals_the_next():
    found = results([[0.9, 50.0], [0.8, 1.0], [0.9, 1.0], [0.9, 1.0]], "accuracy", "latency_ms")
    assert labels(found.ranked) == [2, 3, 0, 1]
    assert found.best in found.front


def test_the_loss_decides_among_equals():
    """On a validation split of 144 images, many trials soon recognize all of them."""
    trials = [Trial(str(i), "done", scores={"accuracy": 1.0, "loss": loss}) for i, loss in enumerate((0.3, 0.1, 0.2))]
    assert labels(Results((), (Objective("accuracy"),), (), tuple(trials)).ranked) == [1, 2, 0]


@pytest.mark.parametrize("score", [math.nan, math.inf, None])
def test_trials_without_a_finite_score_are_not_ranked(score):
    found = results([[score], [0.5]], "accuracy")
    assert labels(found.ranked) == [1]


def test_only_completed_trials_count():
    statuses = {1: "failed", 2: "infeasible", 3: "running"}
    found = results([[0.5], [0.9], [0.9], [0.9], [0.4]], "accuracy", statuses=statuses)
    assert labels(found.done) == [0, 4]
    assert found.best.label == "0"
    assert labels(found.front) == [0]


def test_a_failed_trial_needs_no_scores():
    trials = (Trial("0", "failed", reason="out of memory"), Trial("1", "done", scores={"accuracy": 0.1}))
    found = Results((), (Objective("accuracy"),), (), trials)
    assert (found.best, found.front) == (trials[1], [trials[1]])


def test_there_is_no_best_of_no_trials():
    found = Results((), (Objective("accuracy"),), (), ())
    assert found.best is None
    assert found.front == []
    assert results([[0.5]], "accuracy", statuses={0: "failed"}).best is None


@pytest.mark.parametrize("seed", range(4))
def test_the_front_is_that_of_brute_force(seed):
    points = np.random.default_rng(seed).integers(0, 9, (60, 3)).astype(float)  # few values: many are equal
    found = results(points.tolist(), "accuracy", "latency_ms", "parameters")
    costs = points * [-1, 1, 1]
    expected = []
    for i, mine in enumerate(costs):
        as_good, better = (costs <= mine).all(axis=1), (costs < mine).any(axis=1)
        if not (as_good & better).any():
            expected.append(i)
    assert labels(found.front) == expected
    assert len(expected) < len(points)


def test_equal_points_are_both_on_the_front():
    assert labels(results([[0.9, 2.0], [0.9, 2.0], [0.8, 2.0]], "accuracy", "latency_ms").front) == [0, 1]


def test_a_front_of_one_objective_is_the_best():
    assert labels(results([[3.0], [1.0], [2.0], [1.0]], "loss").front) == [1, 3]
