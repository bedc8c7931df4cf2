"""The plot of parallel coordinates."""

from tests.tuning.report.fake_results import drawn, sweep, trial
from tuning.report.importance import Importance, Importances
from tuning.report.parallel_coordinates import MAX_PARAMETERS, parallel_coordinates
from tuning.search_space.parameters import Parameter


def test_inactive_parameters_have_a_place(tmp_path):
    one = trial("t0", 0.8, {"model.name": "cnn", "model.depth": 3, "fit.learning_rate": 0.01})
    found, caption = drawn(parallel_coordinates(sweep([one]), Importances()), tmp_path)
    assert "  -  " not in found
    assert "0.001" in found  # a tick of the logarithmic axis
    other = trial("t1", 0.9, {"model.name": "mlp", "fit.learning_rate": 0.01})
    odd = trial("default", 0.7, {"model.name": "vit", "fit.learning_rate": 0.0, "model.depth": 9})
    found, caption = drawn(parallel_coordinates(sweep([one, other], default=odd), Importances()), tmp_path)
    assert found.count("  -  ") == 2  # of the depth, and of the rate 0, which has no logarithm
    assert {"vit", "9", "90.00"} <= set(found)
    assert "dashed the default" in caption


def test_many_parameters_are_reduced_to_the_most_important(tmp_path):
    space = [Parameter(f"fit.p{i}", low=0.0, high=1.0) for i in range(MAX_PARAMETERS + 5)]
    ranks = Importances(tuple(Importance(one.name, 0.1, 0) for one in space[::-1]), 0.9)
    trials = [trial(f"t{i}", 0.9, {one.name: 0.5 for one in space}) for i in range(3)]  # all the same
    found, caption = drawn(parallel_coordinates(sweep(trials, parameters=space), ranks), tmp_path)
    assert [text for text in found if text.startswith("fit.p")] == [one.name for one in space[5:]]
    assert f"The {MAX_PARAMETERS} most important of {MAX_PARAMETERS + 5}" in caption
