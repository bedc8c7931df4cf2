"""Tables and plots of the noise report, of a known result."""

import io

import numpy as np
import pytest
import rich.console
from matplotlib import pyplot

from tfrec.reports.noise import plots, tables


def cell(accuracy):
    return {"accuracy": accuracy, "interval": [accuracy - 0.05, accuracy + 0.02], "correct": 1, "examples": 2}


@pytest.fixture
def result():
    def row(*accuracies):
        return dict(zip(("10", "0"), map(cell, accuracies), strict=True))

    return {
        "measure": "accuracy",
        "clean": cell(0.97),
        "noises": {
            "rain": {"set": "B", "snr": row(0.9, 0.5), "average": None},
            "road": {"set": "A", "snr": row(0.8, 0.25), "average": None},
        },
        "sets": {
            "A": {"noises": ["road"], "snr": row(0.8, 0.25)},
            "B": {"noises": ["rain"], "snr": row(0.9, 0.5)},
            "all": {"noises": ["rain", "road"], "snr": row(0.85, 0.375)},
        },
        "averages": {},
        "examples": 40,
        "split": "test",
        "noise": "noises",
    }


def shown(result):
    console = rich.console.Console(width=120, record=True, file=io.StringIO())
    console.print(tables.for_terminal(result))
    return [line.split() for line in console.export_text().splitlines() if line.split()]


def test_terminal(result):
    lines = shown(result)
    places = [lines.index(row) for row in (["A", "road", "80.0", "25.0"], ["B", "rain", "90.0", "50.0"])]
    assert places == sorted(places)
    assert ["all", "mean", "of", "2", "85.0", "37.5"] in lines
    assert "clean 97.0 (92.0 to 99.0); intervals" in " ".join(word for line in lines for word in line)
    result["averages"] = {name: cell(0.6) for name in ("A", "B", "all")}
    for found in result["noises"].values():
        found["average"] = cell(0.7)
    lines = shown(result)
    assert ["A", "road", "80.0", "25.0", "70.0", "(65.0", "to", "72.0)"] in lines
    assert ["all", "mean", "of", "2", "85.0", "37.5", "60.0", "(55.0", "to", "62.0)"] in lines


def drawn(monkeypatch, draw, result):
    """The figure's axis when it is saved."""
    found = []
    monkeypatch.setattr(plots.plots, "save", lambda figure, path: found.append(figure))
    draw(result, "nowhere.png")
    return found[0].axes[0]


def test_heat_map(monkeypatch, result):
    axis = drawn(monkeypatch, plots.heat_map, result)
    np.testing.assert_allclose(axis.images[0].get_array(), [[80, 25], [90, 50], [80, 25], [90, 50], [85, 37.5]])
    assert [text.get_text() for text in axis.texts[:2]] == ["80.0", "25.0"]
    names = [text.get_text() for text in axis.get_yticklabels()]
    assert names == ["road (A)", "rain (B)", "mean of set A", "mean of set B", "mean"]
    assert [text.get_text() for text in axis.get_xticklabels()] == ["10", "0"]
    pyplot.close("all")


def test_curves(monkeypatch, result):
    axis = drawn(monkeypatch, plots.curves, result)
    rain, road = (container.lines for container in axis.containers)
    np.testing.assert_allclose(rain[0].get_ydata(), [90, 50])
    np.testing.assert_allclose(road[0].get_xdata(), [10, 0], atol=0.1)
    assert (rain[0].get_linestyle(), road[0].get_linestyle()) == ("--", "-")
    low, high = road[2][0].get_segments()[0][:, 1]
    assert (low, high) == pytest.approx((75, 82))
    assert axis.xaxis_inverted()
    assert "clean (97.0 %)" in axis.get_legend_handles_labels()[1]
    result["clean"] = None
    axis = drawn(monkeypatch, plots.curves, result)
    assert len(axis.get_legend_handles_labels()[1]) == 2
    pyplot.close("all")
