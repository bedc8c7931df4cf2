"""The line plot of error rates shows the values of its rows."""

import numpy as np
import pytest
from matplotlib import pyplot

from tfrec.reports import error_plots


def row(model, condition, rate, interval=None):
    return {"model": model, "condition": condition, "rate": rate, "interval": interval}


@pytest.fixture
def axis(monkeypatch):
    found = []
    monkeypatch.setattr(error_plots.plots, "save", lambda figure, path: found.append(figure))
    rows = [
        row("lstm_ctc", "greedy", 0.2, [0.15, 0.3]),
        row("las", "greedy", 0.1),
        row("conformer_ctc", "greedy", 0.075, [0.05, 0.08]),
        row("lstm_ctc", "beam", 0.12, [0.1, 0.14]),
        row("conformer_ctc", "beam", 0.05, [0.04, 0.06]),
    ]
    error_plots.error_rates(rows, "nowhere.png")
    yield found[0].axes[0]
    pyplot.close("all")


def test_one_line_for_each_condition(axis):
    assert [text.get_text() for text in axis.get_xticklabels()] == ["lstm_ctc", "las", "conformer_ctc"]
    greedy, beam = (container.lines[0] for container in axis.containers)
    np.testing.assert_allclose(greedy.get_ydata(), [20, 10, 7.5])
    np.testing.assert_allclose(beam.get_ydata(), [12, np.nan, 5])  # a gap: las has no such row
    np.testing.assert_allclose(np.round(greedy.get_xdata()), [0, 1, 2])
    assert (greedy.get_xdata() < beam.get_xdata()).all()
    assert [text.get_text() for text in axis.get_legend().get_texts()] == ["greedy", "beam"]
    assert [text.get_text() for text in axis.texts] == ["20.0", "10.0", "7.5", "12.0", "5.0"]


def test_error_bars_show_intervals(axis):
    bars = [[np.ravel(segment)[1::2] for segment in bars.lines[2][0].get_segments()] for bars in axis.containers]
    np.testing.assert_allclose(bars[0], [[15, 30], [10, 10], [5, 8]])
    np.testing.assert_allclose([bar for bar in bars[1] if len(bar)], [[10, 14], [4, 6]])
    assert axis.get_ylim()[0] == 0
    assert "word error rate, %" in axis.get_ylabel()


def test_one_condition_has_no_legend(tmp_path):
    error_plots.error_rates([row("las", "greedy", 0.1)], tmp_path / "one.png", "phoneme error rate")
    assert (tmp_path / "one.png").stat().st_size > 1000
