"""The table of the best trials for the terminal."""

from tests.tuning.report.fake_results import sweep, trial
from tuning.report.results import Trial
from tuning.report.table import terminal_table


def test_the_terminal_shows_the_best_trials_and_the_default():
    results = sweep([trial(f"t{i}", i / 10) for i in range(9)], default=trial("default", 0.05))
    table = terminal_table(results, maximum=3)
    assert [str(cell) for cell in table.columns[0].cells] == ["t8", "t7", "t6", "default"]
    assert str(next(iter(table.columns[2].cells))) == "name=mlp, learning_rate=0.01"


def test_the_table_is_empty_without_completed_trials():
    assert terminal_table(sweep([Trial("t0", "failed", reason="no memory")])).row_count == 0
