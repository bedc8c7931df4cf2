"""What decides the scores, where that is known because the scores are made up."""

import numpy as np
import pytest

from tuning.importance import Importances, distinct, importances
from tuning.objectives import Objective
from tuning.results import Results, Trial
from tuning.spaces import Parameter

RATE = Parameter("fit.learning_rate", low=1e-4, high=1e-1, log=True)
NAME = Parameter("model.name", choices=("cnn", "mlp", "vit"))
DEPTH = Parameter("model.depth", low=1, high=6, whole=True, conditions=(("model.name", ("cnn",)),))
DROPOUT = Parameter("model.dropout", low=0.0, high=0.5)


def sweep(score, count=60, parameters=(NAME, DEPTH, RATE, DROPOUT), seed=0):
    """Random trials whose accuracy is `score(values, generator)`."""
    generator, trials = np.random.default_rng(seed), []
    for i in range(count):
        values = {
            "model.name": str(generator.choice(NAME.choices)),
            "model.depth": int(generator.integers(1, 7)),
            "fit.learning_rate": float(10 ** generator.uniform(-4, -1)),
            "model.dropout": float(generator.uniform(0, 0.5)),
        }
        values = {one.name: values[one.name] for one in parameters if one.counts(values)}
        trials.append(Trial(f"t{i}", "done", values, {"accuracy": score(values, generator)}))
    return Results(tuple(parameters), (Objective("accuracy"),), (), tuple(trials))


def test_one_parameter_that_decides_everything_has_nearly_all():
    found = importances(sweep(lambda values, _: 0.9 + 0.02 * np.log10(values["fit.learning_rate"])))
    first, *others = found.rows
    assert first.name == "fit.learning_rate"
    assert 0.8 < first.share < 1.2
    assert all(abs(row.share) < 0.05 for row in others)
    assert found.explained > 0.9
    assert found.sentence.endswith("between trials.")
    assert found.trusted


def test_a_category_with_several_columns_counts_as_one():
    found = importances(sweep(lambda values, _: {"cnn": 0.9, "mlp": 0.5, "vit": 0.7}[values["model.name"]], count=30))
    shares = {row.name: row.share for row in found.rows}
    assert shares["model.name"] > 0.8
    # It is known whether the depth counts, and with that the name is half known; that is not the depth's merit.
    assert abs(shares["model.depth"]) < 0.05


def test_a_conditional_parameter_has_what_it_does_where_it_counts():
    found = importances(sweep(lambda values, _: 0.8 + 0.02 * values.get("model.depth", 0)))
    shares = {row.name: row.share for row in found.rows}
    assert shares["model.depth"] > 0.05
    assert shares["model.name"] > shares["model.depth"]  # which holds the depth's, and whether it counts
    assert max(shares["fit.learning_rate"], shares["model.dropout"]) < 0.03


def test_noise_is_not_explained_and_the_sentence_says_so():
    found = importances(sweep(lambda _, generator: generator.normal(0.8, 0.01), count=40))
    assert found.explained < 0.15
    assert not found.trusted
    assert "mean little" in found.sentence


@pytest.mark.parametrize(
    ("results", "words"),
    [
        (sweep(lambda *_: 0.1, count=3), "need 8 finished trials; there are 3"),
        (sweep(lambda *_: 0.5, count=12), "same validation accuracy"),
        (sweep(lambda *_: float("nan"), count=12), "there are 0"),
    ],
)
def test_says_why_there_are_none(results, words):
    assert words in importances(results).sentence
    assert importances(results).rows == ()


def test_is_the_same_each_time_and_bears_what_overflows():
    results = sweep(lambda values, _: 1e300 * values["model.dropout"], count=10)
    found = importances(results)
    assert found == importances(results)
    assert found.rows[0].name == "model.dropout"
    assert np.isfinite([row.share for row in found.rows]).all()
    assert isinstance(importances(sweep(lambda _, generator: generator.random(), 8, ())), Importances)


def test_parameters_that_share_a_name_become_one():
    cnn, mlp = ((("model.name", (name,)),) for name in ("cnn", "mlp"))
    (joined,) = distinct([Parameter("d", low=1, high=4, conditions=cnn), Parameter("d", low=2, high=9, conditions=mlp)])
    assert (joined.low, joined.high, joined.conditions) == (1, 9, cnn + mlp)
    (joined,) = distinct([Parameter("d", choices=("1", "2")), Parameter("d", choices=("2", "3"))])
    assert joined.choices == ("1", "2", "3")
    (joined,) = distinct([Parameter("d", choices=("1", "2")), Parameter("d", low=1, high=2, log=True)])
    assert (joined.choices, joined.low) == ((), None)
