"""The HTML page of a sweep's report."""

from tests.tuning.report.fake_results import DESCRIPTION, sweep, trial
from tuning.report import page
from tuning.report.importance import Importance, Importances


def test_the_number_of_trials_on_the_page_is_limited(monkeypatch):
    monkeypatch.setattr(page, "MAX_ROWS", 5)
    trials = [trial(f"t{i}", i / 10, epochs=0) for i in range(9)]
    text = page.render(sweep(trials), DESCRIPTION, Importances(reason="none"), [])
    assert "The first 5 of 9" in text
    assert "<td>t8" in text
    assert "<td>t3" not in text


def test_importances_have_a_table():
    importances = Importances((Importance("fit.a", 0.25, 0.125),), 0.9)
    text = page.render(sweep([trial("t0", 0.5)]), DESCRIPTION, importances, [("<a plot>", b"png")])
    assert "<td>fit.a</td><td>25.0</td><td>12.5</td>" in text
    assert "permutation importance" in text
    assert "<figcaption>&lt;a plot&gt;</figcaption>" in text


def test_each_column_of_scores_names_its_split_where_both_are_known():
    results = sweep([trial("t0", 0.5)], default=trial("default", 0.4))
    text = page.render(results, DESCRIPTION, Importances(), [])
    assert "<td>validation accuracy, %</td><td>50.00</td><td>40.00</td>" in text
    tested = page.Description("a title", test_scores={"t0": {"accuracy": 0.45}, "default": {"accuracy": 0.35}})
    text = page.render(results, tested, Importances(), [])
    assert "<td>accuracy, %</td><td>50.00</td><td>45.00</td><td>40.00</td><td>35.00</td>" in text
    assert "<th>winner, test split</th>" in text
