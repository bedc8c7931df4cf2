"""Learning curves."""

import pytest
from matplotlib import pyplot as plt

from tfrec.reports import plots


@pytest.mark.parametrize(("kept", "label"), [((2,), "kept epoch"), ((1, 2), "kept epochs"), ((), None)])
def test_learning_curves_mark_the_kept_epochs(tmp_path, monkeypatch, kept, label):
    figures = []
    monkeypatch.setattr(plots, "save", lambda figure, path: figures.append(figure))
    history = [{"epoch": i, "loss": 1 / i, "val_loss": 1.1 / i} for i in (1, 2, 3)]
    plots.learning_curves(history, tmp_path / "curves.png", kept)
    (axis,) = figures[0].axes
    lines = [line for line in axis.lines if line.get_linestyle() == "--"]
    assert [line.get_xdata()[0] for line in lines] == list(kept)
    labels = [text.get_text() for text in axis.get_legend().get_texts()]
    assert labels == ["training", "validation", *([label] if label else [])]
    plt.close(figures[0])
