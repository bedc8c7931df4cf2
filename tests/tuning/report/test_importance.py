"""The importance of parameters, for scores that are computed from them."""

import numpy as np
import pytest

from tuning.objectives import Objective
from tuning.report.importance import Importances, importances
from tuning.report.results import Results, Trial
from tuning.search_space.parameters import Parameter

RATE = Parameter("fit.learning_rate", low=1e-4, high=1e-1, log=True)
NAME = Parameter("model.name", choices=("cnn", "mlp", "vit"))
DEPTH = Parameter("model.depth", low=1, high=6, is_integer=True, conditions=(("model.name", ("cnn",)),))
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
        values = {one.name: values[one.name] for one in parameters if one.is_active(values)}
        trials.append(Trial(f"t{i}", "done", values, {"accuracy": score(values, generator)}))
    return Results(tuple(parameters), (Objective("accuracy"),), (), tuple(trials))


def test_a_parameter_that_decides_everything_has_nearly_all_importance():
    result = importances(sweep(lambda values, _: 0.9 + 0.02 * np.log10(values["fit.learning_rate"])))
    first, *others = result.rows
    assert first.name == "fit.learning_rate"
    assert 0.8 < first.share < 1.2
    assert all(abs(row.share) < 0.05 for row in others)
    assert result.r_squared > 0.9
    assert result.summary.endswith("between trials.")
    assert result.is_reliable


def test_a_category_with_several_columns_counts_as_one():
    result = importances(sweep(lambda values, _: {"cnn": 0.9, "mlp": 0.5, "vit": 0.7}[values["model.name"]], count=30))
    shares = {row.name: row.share for row in result.rows}
    assert shares["model.name"] > 0.8
    # Whether the depth is active reveals half of the name; that must not count as an importance of the depth.
    assert abs(shares["model.depth"]) < 0.05


def test_a_conditional_parameter_has_its_effect_where_it_is_active():
    result = importances(sweep(lambda values, _: 0.8 + 0.02 * values.get("model.depth", 0)))
    shares = {row.name: row.share for row in result.rows}
    assert shares["model.depth"] > 0.05
    assert shares["model.name"] > shares["model.depth"]  # which includes the depth's
    assert max(shares["fit.learning_rate"], shares["model.dropout"]) < 0.03


def test_noise_is_not_explained_and_the_summary_says_so():
    result = importances(sweep(lambda _, generator: generator.normal(0.8, 0.01), count=40))
    assert result.r_squared < 0.15
    assert not result.is_reliable
    assert "mean little" in result.summary


@pytest.mark.parametrize(
    ("results", "words"),
    [
        (sweep(lambda *_: 0.1, count=3), "need 8 finished trials; there are 3"),
        (sweep(lambda *_: 0.5, count=12), "same validation accuracy"),
        (sweep(lambda *_: float("nan"), count=12), "there are 0"),
    ],
)
def test_the_reason_for_no_importances(results, words):
    assert words in importances(results).summary
    assert importances(results).rows == ()


def test_is_deterministic_and_does_not_overflow():
    results = sweep(lambda values, _: 1e300 * values["model.dropout"], count=10)
    result = importances(results)
    assert result == importances(results)
    assert result.rows[0].name == "model.dropout"
    assert np.isfinite([row.share for row in result.rows]).all()
    assert isinstance(importances(sweep(lambda _, generator: generator.random(), 8, ())), Importances)
