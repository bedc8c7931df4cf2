"""What the plots of a sweep share."""

from tests.tuning.report.fake_results import COST, LOSS
from tuning.report import drawing


def test_outliers_have_the_worst_place_on_the_scale():
    place = drawing.score_scale(LOSS, [1.0, 2.0, 3.0, 1e9])
    assert [place(score) for score in (1.0, 1e9)] == [1.0, 0.0]
    assert drawing.score_scale(COST, [5.0])(5.0) == 0.5


def test_texts_of_plots_are_short_and_have_no_formulas():
    assert drawing.plot_text("$" + "x" * 30, 5) == r"\$xxx…"
    assert drawing.wrap("fit.learning_rate", 10) == "fit.\nlearning_\nrate"
