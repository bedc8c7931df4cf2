"""The plot of the Pareto front."""

from tests.tuning.report.fake_results import ACCURACY, COST, drawn, sweep, trial
from tuning.report.front import front


def test_the_front_is_drawn_for_every_pair_of_objectives(tmp_path):
    trials = [trial("small", 0.8, cost=10.0), trial("large", 0.9, cost=1000.0), trial("worse", 0.7, cost=1000.0)]
    trials.append(trial("unknown", 0.9, cost=float("nan")))
    found, caption = drawn(front(sweep(trials, (ACCURACY, COST), default=trial("default", 0.75))), tmp_path)
    assert {"small", "large", "default"} <= set(found)
    assert not {"worse", "unknown"} & set(found)
    assert caption.startswith("3 trials")
    assert "edge" not in caption
    trials += [trial(f"t{i}", 0.89, cost=2000.0) for i in range(5)] + [trial("outlier", 0.1)]
    assert "edge" in drawn(front(sweep(trials, (ACCURACY, COST))), tmp_path)[1]
    assert front(sweep(trials)) is None
    assert front(sweep(trials[3:4], (ACCURACY, COST))) is None
