"""Error rates of several models as a line plot, as PNG."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib import patheffects
from matplotlib import pyplot as plt

from tfrec.reports import fonts, plots

SPREAD = 0.3  # of a model's width on the axis, over which its conditions are spread


def error_rates(rows: Sequence[Mapping[str, Any]], path: plots.Path, measured: str = "word error rate") -> None:
    """Plots the error rates of models, a line with 95 % intervals for each condition, such as a decoding method.

    Args:
        rows: dicts of "model", "condition", "rate" and "interval", [low, high] or None; rates are fractions. Models and
            conditions are in the order of their first row; a model without a condition leaves a gap in its line.
        path: PNG file to write.
        measured: name of the rate.
    """
    models = list(dict.fromkeys(row["model"] for row in rows))
    names = fonts.labels(models)
    conditions = list(dict.fromkeys(row["condition"] for row in rows))
    figure, axis = plt.subplots(figsize=(2.2 + 1.1 * max(len(models), 4), 4.8), layout="constrained")
    for i, (condition, style) in enumerate(zip(conditions, plots.styles(len(conditions)), strict=True)):
        by_model = {row["model"]: row for row in rows if row["condition"] == condition}
        # Shifted, since intervals on top of each other are not legible.
        shift = SPREAD * (i / (len(conditions) - 1) - 0.5) if len(conditions) > 1 else 0.0
        _line(
            axis,
            np.arange(len(models)) + shift,
            [by_model.get(model) for model in models],
            fonts.label(condition),
            style,
        )
    if len(models) > 4:
        axis.set_xticks(range(len(models)), names, rotation=25, ha="right")
    else:
        axis.set_xticks(range(len(models)), names)
    axis.set(xlabel="model", ylabel=f"{measured}, %, with 95 % interval", xlim=(-0.5, len(models) - 0.5))
    axis.margins(y=0.12)
    axis.set_ylim(bottom=0)
    axis.grid(alpha=0.3)
    if len(conditions) > 1:
        axis.legend()
    plots.save(figure, path)


def _line(
    axis: plots.Axis, places: np.ndarray, rows: Sequence[Mapping[str, Any] | None], label: str, style: plots.Style
) -> None:
    """One condition's line, with a number above each point."""
    rates = np.array([np.nan if row is None else 100 * row["rate"] for row in rows])
    errors = np.zeros((2, len(rows)))
    for i, row in enumerate(rows):
        if row is not None and row["interval"] is not None:
            low, high = row["interval"]
            errors[:, i] = max(rates[i] - 100 * low, 0), max(100 * high - rates[i], 0)
    color, marker = style
    axis.errorbar(places, rates, yerr=errors, label=label, color=color, marker=marker, capsize=3, markersize=6)
    for place, rate, above in zip(places, rates, errors[1], strict=True):
        if not np.isnan(rate):
            position = {"xytext": (0, 4), "textcoords": "offset points", "ha": "center"}  # above the interval
            halo = [patheffects.withStroke(linewidth=2.5, foreground="white")]  # where another line passes
            text = f"{rate:.1f}"
            axis.annotate(text, (place, rate + above), fontsize=8, color=color, path_effects=halo, **position)
