"""The plots of importances, learning curves and progress."""

import pytest

from tests.tuning.report.fake_results import COST, drawn, sweep, trial
from tuning.report import plots
from tuning.report.importance import Importance, Importances
from tuning.report.results import Trial


def test_curves_are_of_the_objective_or_of_the_loss(tmp_path):
    trials = [trial("t0", 0.8), trial("t1", 0.9, epochs=1), trial("t2", 0.95, epochs=0)]
    trials[0].history.append({"epoch": 4, "val_accuracy": float("nan")})
    found, _ = drawn(plots.curves(sweep(trials, default=trial("default", 0.5))), tmp_path)
    assert "validation accuracy, %" in found
    assert "default" in found
    assert "validation loss" in drawn(plots.curves(sweep(trials, (COST,))), tmp_path)[0]
    assert plots.curves(sweep([trials[2]])) is None
    assert "default" in drawn(plots.curves(sweep([], default=trial("default", 0.5))), tmp_path)[0]


def test_progress_counts_failures_as_finished(tmp_path):
    results = sweep([trial("t0", 0.8), Trial("t1", "failed"), trial("t2", 0.9), Trial("t3", "running")])
    figure, _ = plots.progress(results)
    line = figure.axes[0].get_lines()[0]
    assert list(line.get_xdata()) == [1, 3, 3.5]
    assert list(line.get_ydata()) == pytest.approx([80, 90, 90])
    assert "failed or infeasible" in drawn((figure, ""), tmp_path)[0]


def test_unreliable_importances_are_marked_in_the_plot(tmp_path):
    rows = (Importance("fit.a", 0.2, 0.1), Importance("fit.b", -0.01, 0.01))
    found, _ = drawn(plots.importance(Importances(rows, -0.2)), tmp_path)
    assert "mean little" in " ".join(found).replace("\n", " ")
    assert plots.importance(Importances()) is None
