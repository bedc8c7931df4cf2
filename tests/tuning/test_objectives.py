"""The scores that a sweep optimizes, and its constraints."""

import pytest

from pipelines.errors import UserError
from tfrec import tasks
from tuning.objectives import SCORES, Constraint, Objective, parse_constraints, parse_objectives

MEASURED = ("accuracy", "loss")


@pytest.mark.parametrize(
    ("text", "satisfies", "violates"),
    [
        ("latency_ms<5", [4.9, -1.0], [5.0, 5.1]),
        ("latency_ms <= 5", [5.0, 4.0], [5.01]),
        (" accuracy>0.9 ", [0.91], [0.9, 0.1]),
        ("accuracy>=.9", [0.9, 1.0], [0.89]),
        ("parameters<1e6", [999_999], [1_000_000]),
    ],
)
def test_constraints(text, satisfies, violates):
    (constraint,) = parse_constraints([text], MEASURED)
    assert all(constraint.is_satisfied({constraint.name: value}) for value in satisfies)
    assert not any(constraint.is_satisfied({constraint.name: value}) for value in violates)
    assert not constraint.is_satisfied({})
    assert not constraint.is_satisfied({constraint.name: None})
    assert parse_constraints([str(constraint)], MEASURED) == (constraint,)


def test_a_constraint_is_shown_as_it_is_written():
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
        ("wer<0.1", "Unknown score 'wer'"),  # this task does not measure it
    ],
)
def test_constraints_that_cannot_be_read(text, sentence):
    with pytest.raises(UserError) as caught:
        parse_constraints([text], MEASURED)
    assert sentence in str(caught.value)


def test_objectives():
    accuracy, latency = parse_objectives(["accuracy", "latency_ms"], MEASURED)
    assert (accuracy.maximize, latency.maximize) == (True, False)
    assert accuracy.is_better(0.9, 0.8)
    assert latency.is_better(1.0, 2.0)
    assert not accuracy.is_better(0.9, 0.9)
    assert not latency.is_better(2.0, 2.0)


@pytest.mark.parametrize(
    ("names", "sentence"),
    [
        ([], "--objective must name at least one score"),
        (["loss", "loss"], "each once. Received: loss loss"),
        (["acuracy"], "Unknown score 'acuracy': did you mean 'accuracy'"),
        (["wer"], "Unknown score 'wer'"),
    ],
)
def test_unknown_objectives(names, sentence):
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
def test_titles_and_formats(name, value, title, text):
    assert Objective(name).title == title
    assert Objective(name).format(value) == text


def test_outliers_do_not_extend_a_scale():
    accuracy, loss, cost = Objective("accuracy"), Objective("loss"), Objective("parameters")
    assert accuracy.worst_on_scale([0.9, 0.91, 0.92, 0.1]) == pytest.approx(0.92 - 3 * 0.015)
    assert loss.worst_on_scale([1.0, 2.0, 3.0, 1e9]) == pytest.approx(1 + 3 * 1.5)
    assert cost.worst_on_scale([1.0, 2.0, 3.0, 1e9]) == 1e9
    assert accuracy.worst_on_scale([0.9, 0.9, 0.9, 0.1]) == 0.1


@pytest.mark.parametrize("name", tasks.TASKS)
def test_the_table_has_every_score_of_every_task(name):
    assert set(tasks.scores(tasks.default_config(name))) <= set(SCORES)


def test_a_score_that_the_table_does_not_have_is_minimized():
    objective = Objective("page_rank")
    assert (objective.maximize, objective.title, objective.format(2.0)) == (False, "page rank", "2")
