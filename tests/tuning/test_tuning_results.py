"""What a sweep optimizes and what it has found."""

import math

import numpy as np
import pytest

from pipelines.errors import UserError
from tuning.objectives import Constraint, Objective, parse_constraints, parse_objectives
from tuning.results import Results, Trial

MEASURED = ("accuracy", "loss")


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
    """A validation split of 144 pictures soon has all of them right."""
    trials = [Trial(str(i), "done", scores={"accuracy": 1.0, "loss": loss}) for i, loss in enumerate((0.3, 0.1, 0.2))]
    assert labels(Results((), (Objective("accuracy"),), (), tuple(trials)).ranked) == [1, 2, 0]


@pytest.mark.parametrize("score", [math.nan, math.inf, None])
def test_without_a_score_nothing_is_the_best(score):
    found = results([[score], [0.5]], "accuracy")
    assert labels(found.ranked) == [1]


def test_only_what_ended_well_counts():
    statuses = {1: "failed", 2: "infeasible", 3: "running"}
    found = results([[0.5], [0.9], [0.9], [0.9], [0.4]], "accuracy", statuses=statuses)
    assert labels(found.done) == [0, 4]
    assert found.best.label == "0"
    assert labels(found.front) == [0]


def test_a_failed_trial_needs_no_scores():
    trials = (Trial("0", "failed", reason="out of memory"), Trial("1", "done", scores={"accuracy": 0.1}))
    found = Results((), (Objective("accuracy"),), (), trials)
    assert (found.best, found.front) == (trials[1], [trials[1]])


def test_nothing_is_the_best_of_nothing():
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


@pytest.mark.parametrize(
    ("text", "holds", "breaks"),
    [
        ("latency_ms<5", [4.9, -1.0], [5.0, 5.1]),
        ("latency_ms <= 5", [5.0, 4.0], [5.01]),
        (" accuracy>0.9 ", [0.91], [0.9, 0.1]),
        ("accuracy>=.9", [0.9, 1.0], [0.89]),
        ("parameters<1e6", [999_999], [1_000_000]),
    ],
)
def test_constraints(text, holds, breaks):
    (constraint,) = parse_constraints([text], MEASURED)
    assert all(constraint.holds({constraint.name: value}) for value in holds)
    assert not any(constraint.holds({constraint.name: value}) for value in breaks)
    assert not constraint.holds({})
    assert not constraint.holds({constraint.name: None})
    assert parse_constraints([str(constraint)], MEASURED) == (constraint,)


def test_a_constraint_is_shown_as_it_was_meant():
    assert str(Constraint("parameters", "<", 1_234_567.0)) == "parameters<1234567"
    assert str(Constraint("latency_ms", "<=", 2.5)) == "latency_ms<=2.5"


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("latency_ms", "Cannot read the constraint 'latency_ms': write it like 'latency_ms<5', in quotes"),
        ("latency_ms<", "Cannot read the constraint"),
        ("latency_ms=5", "Cannot read the constraint"),
        ("latency_ms<5ms", "Cannot read the constraint"),
        ("latency_ms<<5", "Cannot read the constraint"),
        ("latency_ms<nan", "Cannot read the constraint"),
        ("1<latency_ms<5", "Cannot read the constraint"),
        ("", "Cannot read the constraint"),
        ("latency<5", "Unknown score 'latency': did you mean 'latency_ms'"),
        ("wer<0.1", "Unknown score 'wer'"),  # nothing measures it here
    ],
)
def test_constraints_that_say_nothing(text, sentence):
    with pytest.raises(UserError) as caught:
        parse_constraints([text], MEASURED)
    assert sentence in str(caught.value)


def test_objectives():
    accuracy, latency = parse_objectives(["accuracy", "latency_ms"], MEASURED)
    assert (accuracy.rises, latency.rises) == (True, False)
    assert accuracy.better(0.9, 0.8)
    assert latency.better(1.0, 2.0)
    assert not accuracy.better(0.9, 0.9)
    assert not latency.better(2.0, 2.0)


@pytest.mark.parametrize(
    ("names", "sentence"),
    [
        ([], "--objective must name at least one score"),
        (["loss", "loss"], "each once. Received: loss loss"),
        (["acuracy"], "Unknown score 'acuracy': did you mean 'accuracy'"),
        (["wer"], "Unknown score 'wer'"),
    ],
)
def test_objectives_that_are_none(names, sentence):
    with pytest.raises(UserError) as caught:
        parse_objectives(names, MEASURED)
    assert sentence in str(caught.value)


@pytest.mark.parametrize(
    ("name", "value", "title", "text"),
    [
        ("accuracy", 0.98765, "validation accuracy, %", "98.77"),
        ("wer", 0.1, "validation wer, %", "10.00"),
        ("loss", 0.123456, "validation loss", "0.1235"),
        ("latency_ms", 2.5, "latency, ms", "2.5"),
        ("export_mb", 12.0, "export, MB", "12"),
        ("parameters", 1234567, "parameters", "1,234,567"),
        ("multiply_adds", 1e9, "multiply adds", "1,000,000,000"),
        ("accuracy", None, "validation accuracy, %", ""),
    ],
)
def test_how_scores_are_shown(name, value, title, text):
    assert Objective(name).title == title
    assert Objective(name).shown(value) == text
