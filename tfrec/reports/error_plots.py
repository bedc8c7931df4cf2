"""Error rates of several models as a line graph, as PNG."""

import numpy as np
from matplotlib import patheffects
from matplotlib import pyplot as plt

from tfrec.reports import comparison_plots, plots

WIDTH = 0.3  # of the place that a model has, over which the conditions are spread


def error_rates(rows, path, measured="word error rate"):
    """A line with 95 % intervals for each condition, such as a way of decoding, over the models.

    rows: dicts of "model", "condition", "rate" and "interval", [low, high] or None; rates are shares of 1. Models and
    conditions stand as they come first; a model without some condition leaves a gap in its line.
    """
    models = list(dict.fromkeys(row["model"] for row in rows))
    conditions = list(dict.fromkeys(row["condition"] for row in rows))
    figure, axis = plt.subplots(figsize=(2.2 + 1.1 * max(len(models), 4), 4.8), layout="constrained")
    for i, (condition, style) in enumerate(zip(conditions, comparison_plots.styles(len(conditions)), strict=True)):
        found = {row["model"]: row for row in rows if row["condition"] == condition}
        # Beside each other, since intervals that lie on each other cannot be read.
        shift = WIDTH * (i / (len(conditions) - 1) - 0.5) if len(conditions) > 1 else 0.0
        _line(axis, np.arange(len(models)) + shift, [found.get(model) for model in models], condition, style)
    if len(models) > 4:
        axis.set_xticks(range(len(models)), models, rotation=25, ha="right")
    else:
        axis.set_xticks(range(len(models)), models)
    axis.set(xlabel="model", ylabel=f"{measured}, %, with 95 % interval", xlim=(-0.5, len(models) - 0.5))
    axis.margins(y=0.12)
    axis.set_ylim(bottom=0)
    axis.grid(alpha=0.3)
    if len(conditions) > 1:
        axis.legend()
    plots.save(figure, path)


def _line(axis, places, rows, label, style):
    """One condition's line, and over each point its figure."""
    rates = np.array([np.nan if row is None else 100 * row["rate"] for row in rows])
    sides = np.zeros((2, len(rows)))
    for i, row in enumerate(rows):
        if row is not None and row["interval"] is not None:
            low, high = row["interval"]
            sides[:, i] = max(rates[i] - 100 * low, 0), max(100 * high - rates[i], 0)
    color, marker = style
    axis.errorbar(places, rates, yerr=sides, label=label, color=color, marker=marker, capsize=3, markersize=6)
    for place, rate, above in zip(places, rates, sides[1], strict=True):
        if not np.isnan(rate):
            where = {"xytext": (0, 4), "textcoords": "offset points", "ha": "center"}  # over the interval
            halo = [patheffects.withStroke(linewidth=2.5, foreground="white")]  # where another line passes
            text = f"{rate:.1f}"
            axis.annotate(text, (place, rate + above), fontsize=8, color=color, path_effects=halo, **where)
