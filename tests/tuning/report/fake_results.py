"""Results of a sweep that was never run, and a check of its plots, for tests."""

import numpy as np
from matplotlib import pyplot as plt
from matplotlib.text import Text
from PIL import Image

from tuning.objectives import Objective
from tuning.report.page import Description
from tuning.report.results import Results, Trial
from tuning.search_space.parameters import Parameter

NAME = Parameter("model.name", choices=("cnn", "mlp"))
DEPTH = Parameter("model.depth", low=1, high=6, is_integer=True, conditions=(("model.name", ("cnn",)),))
RATE = Parameter("fit.learning_rate", low=1e-4, high=1e-1, log=True)
DESCRIPTION = Description("digits: 3 trials", "python -m x <y>", "one core", ("Beats it by 1 point.",), ("No curves.",))
ACCURACY, LOSS, COST = Objective("accuracy"), Objective("loss"), Objective("parameters")


def trial(label, accuracy, values=None, cost=1000.0, epochs=3, **more):
    history = [{"epoch": i + 1, "val_loss": 1.0, "val_accuracy": accuracy * (i + 1) / epochs} for i in range(epochs)]
    values = values if values is not None else {"model.name": "mlp", "fit.learning_rate": 0.01}
    more = {"status": "done", "seconds": 12.0, "history": history, **more}
    return Trial(label, values=values, scores={"accuracy": accuracy, "parameters": cost}, **more)


def sweep(trials, objectives=(ACCURACY,), parameters=(NAME, DEPTH, RATE), default=None, constraints=()):
    return Results(tuple(parameters), tuple(objectives), tuple(constraints), tuple(trials), default)


def texts(figure):
    figure.canvas.draw()
    return [text.get_text() for text in figure.findobj(Text) if text.get_text() and text.get_visible()]


def drawn(plot, tmp_path):
    """Saves a plot, which must not be blank, and returns its texts and caption."""
    figure, caption = plot
    result = texts(figure)
    figure.savefig(tmp_path / "plot.png", dpi=40)
    plt.close(figure)
    assert np.asarray(Image.open(tmp_path / "plot.png").convert("L")).std() > 5
    return result, caption
